//! Poseidon and the state's digest.

use crate::conversion::{element, elements};
use crate::errors::Raises;
use ark_bn254::Fr;
use num_bigint::{BigInt, BigUint};
use pyo3::prelude::*;
use zkmargin_core::{field, lanes, poseidon as core};

type Rows = Vec<Vec<BigUint>>;

/// Poseidon of 1 to 16 elements.
#[pyfunction]
pub fn poseidon(inputs: Vec<BigInt>) -> Raises<BigUint> {
    Ok(field::to_biguint(core::hash(&elements("input", &inputs)?)?))
}

/// The chained hash of one or more elements: the first 16, then the result with up to 15 more at a time.
#[pyfunction]
pub fn poseidon_chain(inputs: Vec<BigInt>) -> Raises<BigUint> {
    Ok(field::to_biguint(core::chain(&elements("input", &inputs)?)?))
}

/// Round constants (rounds by t) and matrix (t by t) for a state of t words.
#[pyfunction]
pub fn poseidon_parameters(t: usize) -> Raises<(Rows, Rows)> {
    let p = core::Parameters::get(t)?;
    let plain = |rows: &[Vec<Fr>]| rows.iter().map(|r| r.iter().map(|x| field::to_biguint(*x)).collect()).collect();
    Ok((plain(&p.constants), plain(&p.matrix)))
}

/// D: the chained hash of tag, cash (mod p) and the packed positions (int64 bytes in slot order).
#[pyfunction]
pub fn state_digest(tag: BigInt, cash: BigInt, positions: &[u8]) -> Raises<BigUint> {
    let mut inputs = vec![element("tag", &tag)?, field::from_signed("cash", &cash)?];
    inputs.extend(core::state_words(&lanes::int64s(positions)?)?);
    Ok(field::to_biguint(core::chain(&inputs)?))
}
