//! The class of `zkmargin.prover.errors` that each error of the core becomes in Python.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use zkmargin_core::error::Error;

const MODULE: &str = "zkmargin.prover.errors";

/// An error of the core on its way to Python.
pub struct Raised(Error);

/// What a function of the face gives: a value, or an error that Python raises.
pub type Raises<T> = Result<T, Raised>;

impl From<Error> for Raised {
    fn from(error: Error) -> Self {
        Raised(error)
    }
}

fn raise<'py, A>(py: Python<'py>, class: &str, args: A) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
    PyErr: From<A::Error>,
{
    let args = args.into_pyobject(py)?;
    py.import(MODULE)?.getattr(class)?.call1(args)
}

impl From<Raised> for PyErr {
    fn from(Raised(error): Raised) -> PyErr {
        Python::attach(|py| {
            let made = match error {
                Error::Format { what, reason } => raise(py, "FormatError", (what, reason)),
                Error::KeyRefused { reason } => raise(py, "KeyRefused", (reason,)),
                Error::Mismatch { reason } => raise(py, "KeyMismatch", (reason,)),
                Error::NotInField { name, value } => raise(py, "NotInField", (name, value)),
                Error::PointRefused { name, reason } => raise(py, "PointRefused", (name, reason)),
                Error::MissingInput { name } => raise(py, "MissingInput", (name,)),
                Error::UnknownInput { name } => raise(py, "UnknownInput", (name,)),
                Error::InputShape { name, given, expected } => raise(py, "InputShape", (name, given, expected)),
                Error::RangeCheck { component, value, bits } => raise(py, "RangeCheckFailed", (component, value, bits)),
                Error::Unsatisfied { constraint } => raise(py, "UnsatisfiedConstraint", (constraint,)),
                Error::NotSolvable { wires } => raise(py, "NotSolvable", (wires,)),
                Error::ProofRejected { reason } => raise(py, "ProofRejected", (reason,)),
                Error::NoRandomness { reason } => raise(py, "NoRandomness", (reason,)),
                Error::Argument { name, value, low, high } => raise(py, "OutOfRange", (name, value, low, high)),
            };
            match made {
                Ok(instance) => PyErr::from_value(instance),
                Err(failure) => failure,
            }
        })
    }
}
