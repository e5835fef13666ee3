//! The prover as a WebAssembly module, on one thread; `prover/wasm/prover.mjs` is its other half.
//!
//! The host asks for room (`reserve`), writes a file there, and calls what takes it. Each call gives 0 and leaves its
//! result in the output, or 1 and leaves a message there. Randomness comes from the host's `fill_random`.
//!
//! # Invariants of the unsafe code
//!
//! 1. `fill_random` writes to the length that it is given and nowhere else; a host that does not is the program itself.
//! 2. The exported names are no names of Rust's runtime.

#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::sync::Arc;
use zkmargin_core::error::{Error, Result};
use zkmargin_core::groth16::ProvingKey;
use zkmargin_core::r1cs::R1cs;
use zkmargin_core::wtns;

/// What lies in the module's memory between two calls.
#[derive(Default)]
struct State {
    input: Vec<u8>,
    output: Vec<u8>,
    circuit: Option<Arc<R1cs>>,
    key: Option<ProvingKey>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

#[link(wasm_import_module = "host")]
extern "C" {
    /// 0 when `length` random bytes were written at `to`.
    fn fill_random(to: *mut u8, length: usize) -> i32;
}

fn draw(bytes: &mut [u8]) -> std::result::Result<(), getrandom::Error> {
    // SAFETY: invariant 1
    if unsafe { fill_random(bytes.as_mut_ptr(), bytes.len()) } == 0 {
        return Ok(());
    }
    Err(NonZeroU32::new(getrandom::Error::CUSTOM_START).map_or(getrandom::Error::UNSUPPORTED, Into::into))
}

getrandom::register_custom_getrandom!(draw);

/// Takes the input and leaves what `work` gives, or why it does not. Should `work` end in a trap, nothing stays
/// borrowed: the next call finds neither circuit nor key.
fn answer(work: impl FnOnce(&mut State, Vec<u8>) -> Result<Vec<u8>>) -> u32 {
    let mut state = STATE.take();
    let input = std::mem::take(&mut state.input);
    let done = work(&mut state, input);
    let failed = done.is_err();
    state.output = done.unwrap_or_else(|error| format!("{error:?}").into_bytes());
    STATE.set(state);
    failed.into()
}

/// Where the host writes `length` bytes: the next call's input.
#[no_mangle]
pub extern "C" fn reserve(length: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        state.input = vec![0; length];
        state.input.as_mut_ptr()
    })
}

#[no_mangle]
pub extern "C" fn output() -> *const u8 {
    STATE.with_borrow(|state| state.output.as_ptr())
}

#[no_mangle]
pub extern "C" fn output_length() -> usize {
    STATE.with_borrow(|state| state.output.len())
}

/// Takes a .r1cs.
#[no_mangle]
pub extern "C" fn load_circuit() -> u32 {
    answer(|state, r1cs| {
        (state.circuit, state.key) = (Some(Arc::new(R1cs::parse(&r1cs)?)), None);
        Ok(Vec::new())
    })
}

fn get_circuit(state: &State) -> Result<Arc<R1cs>> {
    state.circuit.clone().ok_or_else(|| Error::mismatch("no circuit is loaded"))
}

/// Takes a .zkey of the circuit and makes every check.
#[no_mangle]
pub extern "C" fn load_key() -> u32 {
    answer(|state, zkey| {
        state.key = Some(ProvingKey::load(&zkey, get_circuit(state)?, None)?);
        Ok(Vec::new())
    })
}

/// Takes a .zkey that passed every check with this circuit: the host has compared the SHA-256 of its bytes.
#[no_mangle]
pub extern "C" fn load_trusted_key() -> u32 {
    answer(|state, zkey| {
        state.key = Some(ProvingKey::load_trusted(&zkey, get_circuit(state)?, None)?);
        Ok(Vec::new())
    })
}

/// Takes a .wtns; the output is the proof, eight words of 32 bytes, big-endian, in the order of the EVM's precompile.
#[no_mangle]
pub extern "C" fn prove() -> u32 {
    answer(|state, wires| {
        let key = state.key.as_ref().ok_or_else(|| Error::mismatch("no key is loaded"))?;
        Ok(key.prove(&wtns::read(&wires)?, true)?.to_bytes())
    })
}
