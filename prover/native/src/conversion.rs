//! Python's integers as elements and points, and back.

use ark_bn254::Fr;
use num_bigint::{BigInt, BigUint, Sign};
use zkmargin_core::error::{Error, Result};
use zkmargin_core::{babyjub, field};

/// A point as the two integers that Python gives.
pub type Words = (BigInt, BigInt);

/// A point as two integers, on its way to Python.
pub type NaturalWords = (BigUint, BigUint);

/// The element of an integer in 0 .. p-1.
pub fn element(name: &str, value: &BigInt) -> Result<Fr> {
    match value.sign() {
        Sign::Minus => Err(Error::NotInField { name: name.into(), value: value.clone() }),
        _ => field::from_biguint(name, value.magnitude()),
    }
}

pub fn elements(name: &str, values: &[BigInt]) -> Result<Vec<Fr>> {
    values.iter().enumerate().map(|(i, v)| element(&format!("{name}[{i}]"), v)).collect()
}

/// An integer that is not negative.
pub fn natural(name: &'static str, value: &BigInt) -> Result<BigUint> {
    value.to_biguint().ok_or_else(|| Error::NotInField { name: name.into(), value: value.clone() })
}

pub fn edwards(name: &str, p: &Words) -> Result<babyjub::Point> {
    Ok(babyjub::Point { x: element(&format!("{name}.x"), &p.0)?, y: element(&format!("{name}.y"), &p.1)? })
}

pub fn curve_point(name: &'static str, p: &Words) -> Result<ark_bn254::G1Affine> {
    field::g1_from_words(name, &natural(name, &p.0)?, &natural(name, &p.1)?)
}

pub fn edwards_words(p: babyjub::Point) -> NaturalWords {
    (field::to_biguint(p.x), field::to_biguint(p.y))
}
