//! BabyJubJub, the escrow on it, and BN254's G1.

use crate::conversion::{curve_point, edwards, edwards_words, element, natural, NaturalWords, Words};
use crate::errors::Raises;
use ark_ec::CurveGroup;
use ark_ff::BigInt as Limbs;
use num_bigint::{BigInt, BigUint};
use pyo3::prelude::*;
use zkmargin_core::error::{Error, Result};
use zkmargin_core::{babyjub, field, random};

/// The limbs of an integer in 0 .. 2^256 - 1.
fn limbs(name: &'static str, value: &BigInt) -> Result<Limbs<4>> {
    Limbs::try_from(natural(name, value)?).map_err(|()| Error::NotInField { name: name.into(), value: value.clone() })
}

/// A uniform element of BN254's scalar field but zero, from the operating system.
#[pyfunction]
pub fn random_element() -> Raises<BigUint> {
    Ok(field::to_biguint(random::element()?))
}

/// A uniform scalar in 1 .. BABYJUB_ORDER - 1 from the operating system.
#[pyfunction]
pub fn random_scalar() -> Raises<BigUint> {
    Ok(BigUint::from(random::scalar(&babyjub::ORDER)?))
}

#[pyfunction]
pub fn babyjubjub_add(p: Words, q: Words) -> Raises<NaturalWords> {
    let (p, q) = (edwards("p", &p)?, edwards("q", &q)?);
    for (name, point) in [("p", &p), ("q", &q)] {
        if !point.is_on_curve() {
            return Err(Error::point(name, "is not on BabyJubJub").into());
        }
    }
    Ok(edwards_words(p.plus(&q)))
}

/// scalar * Base8 for 0 <= scalar < 2^256.
#[pyfunction]
pub fn babyjubjub_mul_base8(scalar: BigInt) -> Raises<NaturalWords> {
    let limbs = limbs("scalar", &scalar)?;
    Ok(edwards_words(babyjub::Point::BASE8.times(&limbs)))
}

/// scalar * p for 0 <= scalar < 2^256 on any point of the curve.
#[pyfunction]
pub fn babyjubjub_mul(p: Words, scalar: BigInt) -> Raises<NaturalWords> {
    let p = edwards("p", &p)?;
    if !p.is_on_curve() {
        return Err(Error::point("p", "is not on BabyJubJub").into());
    }
    let limbs = limbs("scalar", &scalar)?;
    Ok(edwards_words(p.times(&limbs)))
}

#[pyfunction]
pub fn babyjubjub_is_on_curve(p: Words) -> Raises<bool> {
    Ok(edwards("p", &p)?.is_on_curve())
}

#[pyfunction]
pub fn babyjubjub_is_in_subgroup(p: Words) -> Raises<bool> {
    Ok(edwards("p", &p)?.is_in_subgroup())
}

/// (R, c) with R = rho Base8 and c = key + Poseidon(tag, rho PK); PK in the subgroup and not the identity.
#[pyfunction]
pub fn escrow_encrypt(tag: BigInt, key: BigInt, rho: BigInt, committee: Words) -> Raises<(NaturalWords, BigUint)> {
    let scalar = babyjub::checked_scalar("rho", &natural("rho", &rho)?)?;
    let committee = edwards("committee key", &committee)?;
    let (ephemeral, c) = babyjub::escrow_encrypt(element("tag", &tag)?, element("key", &key)?, &scalar, &committee)?;
    Ok((edwards_words(ephemeral), field::to_biguint(c)))
}

/// key = c - Poseidon(tag, secret R).
#[pyfunction]
pub fn escrow_decrypt(tag: BigInt, secret: BigInt, ephemeral: Words, escrowed: BigInt) -> Raises<BigUint> {
    let secret = babyjub::checked_scalar("secret", &natural("secret", &secret)?)?;
    let ephemeral = edwards("ephemeral key", &ephemeral)?;
    let (tag, escrowed) = (element("tag", &tag)?, element("escrowed key", &escrowed)?);
    Ok(field::to_biguint(babyjub::escrow_decrypt(tag, &secret, &ephemeral, escrowed)?))
}

/// p + q on BN254's G1, (0, 0) being the identity: what the EVM's precompile returns.
#[pyfunction]
pub fn g1_add(p: Words, q: Words) -> Raises<NaturalWords> {
    let sum = curve_point("p", &p)? + curve_point("q", &q)?;
    Ok(field::g1_words(&sum.into_affine()))
}
