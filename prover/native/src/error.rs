//! What can go wrong, and the class of `prover.errors` that each becomes in Python.

use num_bigint::{BigInt, BigUint};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Every error of this crate. Input from outside never panics: it ends here.
#[derive(Debug, Clone)]
pub enum Error {
    /// A file or byte string is not in its format.
    Format {
        what: &'static str,
        reason: String,
    },
    /// A key that would let anybody forge proofs, or that is not a key at all.
    KeyRefused {
        reason: String,
    },
    /// Two things that belong together do not (key and circuit, key and witness).
    Mismatch {
        reason: String,
    },
    /// A number that is not a canonical field element.
    NotInField {
        name: String,
        value: BigInt,
    },
    /// A point that is off its curve, outside the subgroup or the identity where that is not allowed.
    PointRefused {
        name: String,
        reason: String,
    },
    MissingInput {
        name: String,
    },
    UnknownInput {
        name: String,
    },
    InputShape {
        name: String,
        given: usize,
        expected: usize,
    },
    /// A value does not fit the bits that the circuit gives it.
    RangeCheck {
        component: String,
        value: BigInt,
        bits: usize,
    },
    /// The witness breaks a constraint: the first one, counted from 0.
    Unsatisfied {
        constraint: usize,
    },
    /// The circuit has wires that do not follow from its inputs.
    NotSolvable {
        wires: Vec<String>,
    },
    /// A proof that does not verify was not released.
    ProofRejected {
        reason: String,
    },
    /// A size or argument outside its range.
    Argument {
        name: &'static str,
        value: BigInt,
        low: BigInt,
        high: BigInt,
    },
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn format(what: &'static str, reason: impl Into<String>) -> Self {
        Error::Format { what, reason: reason.into() }
    }
    pub fn key(reason: impl Into<String>) -> Self {
        Error::KeyRefused { reason: reason.into() }
    }
    pub fn mismatch(reason: impl Into<String>) -> Self {
        Error::Mismatch { reason: reason.into() }
    }
    pub fn point(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::PointRefused { name: name.into(), reason: reason.into() }
    }
    pub fn not_in_field(name: impl Into<String>, value: &BigUint) -> Self {
        Error::NotInField { name: name.into(), value: value.clone().into() }
    }
    pub fn argument(name: &'static str, value: usize, low: usize, high: usize) -> Self {
        Error::Argument { name, value: value.into(), low: low.into(), high: high.into() }
    }
}

fn raise<'py, A>(py: Python<'py>, class: &str, args: A) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
    PyErr: From<A::Error>,
{
    let args = args.into_pyobject(py)?;
    py.import("zkmargin.prover.errors")?.getattr(class)?.call1(args)
}

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
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
                Error::Argument { name, value, low, high } => raise(py, "OutOfRange", (name, value, low, high)),
            };
            match made {
                Ok(instance) => PyErr::from_value(instance),
                Err(failure) => failure,
            }
        })
    }
}
