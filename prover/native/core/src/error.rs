//! What can go wrong.

use num_bigint::{BigInt, BigUint};

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
    /// The operating system, or the host of a module in WebAssembly, gave no randomness.
    NoRandomness {
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
