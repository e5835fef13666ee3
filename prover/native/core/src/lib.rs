//! The native part of the prover: BN254 and BabyJubJub, Poseidon, witness generation, Groth16.
//!
//! Nothing here knows of Python. What goes wrong with input from outside is an `Error`, never a panic.

pub mod babyjub;
mod batch;
mod binary;
mod bits;
pub mod error;
pub mod field;
pub mod groth16;
mod inverse;
pub mod lanes;
mod msm;
mod plan;
mod plan_file;
pub mod poseidon;
mod products;
pub mod proof;
mod public_sum;
mod quotient;
pub mod r1cs;
pub mod random;
mod schedule;
pub mod setup;
pub mod solver;
mod sym;
mod transform;
pub mod vector;
pub mod vkey;
pub mod wtns;
pub mod zkey;

#[cfg(test)]
mod testing;
