//! Memory of Python's arrays as slices: the only module of this crate with `unsafe` code.
//!
//! # Invariants of the unsafe code
//!
//! 1. A buffer is contiguous, aligned and of its element's type: pyo3 looks at all three before it gives the pointer.
//! 2. It is held as long as its slice: the slice borrows it. Its memory neither moves nor is freed meanwhile.
//! 3. Nobody writes to it meanwhile, and nobody else reads what is written. Its one caller in Python makes the array of
//!    results itself, and as with any function of numpy that lets other threads go on, whoever passes positions leaves
//!    them alone until it returns.

#![allow(unsafe_code)]

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::PyResult;
use std::ptr::NonNull;

/// The numbers of a buffer.
pub fn read<T: Element>(buffer: &PyBuffer<T>) -> PyResult<&[T]> {
    let numbers = find(buffer)?;
    // SAFETY: invariants 1 to 3
    Ok(unsafe { numbers.as_ref() })
}

/// The numbers of a buffer that may be written.
pub fn write<T: Element>(buffer: &mut PyBuffer<T>) -> PyResult<&mut [T]> {
    if buffer.readonly() {
        return Err(PyValueError::new_err("the array of results is read-only"));
    }
    let mut numbers = find(buffer)?;
    // SAFETY: invariants 1 to 3
    Ok(unsafe { numbers.as_mut() })
}

fn find<T: Element>(buffer: &PyBuffer<T>) -> PyResult<NonNull<[T]>> {
    buffer.as_slice_ptr().ok_or_else(|| PyValueError::new_err("an array is not row-major without gaps"))
}
