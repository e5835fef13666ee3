//! Numbers and points of BN254 as bytes and integers. Montgomery form appears only where snarkjs's files hold it.

use crate::error::{Error, Result};
use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, BigInteger, Field, PrimeField};
use num_bigint::{BigInt as Signed, BigUint, Sign};
use std::collections::HashMap;

/// Four 64-bit limbs, least significant first.
pub type Limbs = BigInt<4>;

/// Limbs of the first 32 bytes, little-endian. The caller has checked the length.
pub fn limbs_le(bytes: &[u8]) -> Limbs {
    let mut limbs = [0u64; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        *limb = u64::from_le_bytes(word);
    }
    BigInt(limbs)
}

pub fn write_limbs_le(out: &mut Vec<u8>, limbs: &Limbs) {
    for limb in limbs.0 {
        out.extend_from_slice(&limb.to_le_bytes());
    }
}

/// The canonical element of 32 little-endian bytes, or none when the number is not below the modulus.
pub fn element_le<F: PrimeField<BigInt = Limbs>>(bytes: &[u8]) -> Option<F> {
    F::from_bigint(limbs_le(bytes))
}

/// The canonical element of 32 big-endian bytes, or none when the number is not below the modulus.
pub fn element_be<F: PrimeField<BigInt = Limbs>>(bytes: &[u8]) -> Option<F> {
    let mut reversed = [0u8; 32];
    for (to, from) in reversed.iter_mut().zip(bytes.iter().rev()) {
        *to = *from;
    }
    F::from_bigint(limbs_le(&reversed))
}

pub fn write_be<F: PrimeField<BigInt = Limbs>>(out: &mut Vec<u8>, value: F) {
    out.extend_from_slice(&value.into_bigint().to_bytes_be());
}

pub fn to_biguint<F: PrimeField<BigInt = Limbs>>(value: F) -> BigUint {
    BigUint::from_bytes_le(&value.into_bigint().to_bytes_le())
}

/// The element of an integer in 0 .. p-1.
pub fn from_biguint<F: PrimeField<BigInt = Limbs>>(name: impl Into<String>, value: &BigUint) -> Result<F> {
    let mut bytes = value.to_bytes_le();
    if bytes.len() > 32 {
        return Err(Error::not_in_field(name, value));
    }
    bytes.resize(32, 0);
    element_le(&bytes).ok_or_else(|| Error::not_in_field(name, value))
}

/// The element v mod p of a signed integer with |v| < p.
pub fn from_signed<F: PrimeField<BigInt = Limbs>>(name: &str, value: &Signed) -> Result<F> {
    let magnitude = from_biguint::<F>(name, value.magnitude())
        .map_err(|_| Error::NotInField { name: name.into(), value: value.clone() })?;
    Ok(if value.sign() == Sign::Minus { -magnitude } else { magnitude })
}

/// The representative in (-p/2, p/2): what a person reads in an error.
pub fn to_signed(value: Fr) -> Signed {
    let plain = value.into_bigint();
    if plain > Fr::MODULUS_MINUS_ONE_DIV_TWO {
        -Signed::from(to_biguint(-value))
    } else {
        to_biguint(value).into()
    }
}

/// On the curve, which is the subgroup (G1 has cofactor 1), and not the identity, which arkworks also writes as (0, 0).
pub fn checked_g1(name: &str, x: Fq, y: Fq) -> Result<G1Affine> {
    let p = G1Affine::new_unchecked(x, y);
    if p.is_zero() {
        return Err(Error::point(name, "is the identity"));
    }
    if !p.is_on_curve() {
        return Err(Error::point(name, "is not on the curve"));
    }
    Ok(p)
}

/// On the curve, in the subgroup of prime order, and not the identity.
pub fn checked_g2(name: &str, x: Fq2, y: Fq2) -> Result<G2Affine> {
    let p = G2Affine::new_unchecked(x, y);
    if p.is_zero() {
        return Err(Error::point(name, "is the identity"));
    }
    if !p.is_on_curve() {
        return Err(Error::point(name, "is not on the curve"));
    }
    if !p.is_in_correct_subgroup_assuming_on_curve() {
        return Err(Error::point(name, "is not in the subgroup"));
    }
    Ok(p)
}

/// A G1 point as integers; the identity is (0, 0), as in the EVM's precompiles.
pub fn g1_words(p: &G1Affine) -> (BigUint, BigUint) {
    if p.is_zero() {
        (BigUint::ZERO, BigUint::ZERO)
    } else {
        (to_biguint(p.x), to_biguint(p.y))
    }
}

/// A G1 point from integers, (0, 0) being the identity.
pub fn g1_from_words(name: &str, x: &BigUint, y: &BigUint) -> Result<G1Affine> {
    if *x == BigUint::ZERO && *y == BigUint::ZERO {
        return Ok(G1Affine::zero());
    }
    checked_g1(name, from_biguint(format!("{name}.x"), x)?, from_biguint(format!("{name}.y"), y)?)
}

/// 2^n in the field.
pub fn power_of_two<F: Field>(n: usize) -> F {
    F::from(2u64).pow([n as u64])
}

/// Inverses of coefficients, of which a circuit has few: each is computed once.
#[derive(Clone, Default)]
pub struct Inverses(HashMap<Fr, Fr>);

impl Inverses {
    /// 1 / value, and 0 for 0.
    pub fn of(&mut self, value: Fr) -> Fr {
        *self.0.entry(value).or_insert_with(|| value.inverse().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_refused;
    use ark_bn254::G2Projective;
    use ark_ec::short_weierstrass::SWCurveConfig;
    use ark_ec::PrimeGroup;
    use ark_ff::{One, Zero};

    const MAX: [u8; 32] = [0xff; 32];

    fn modulus() -> BigUint {
        BigUint::from(Fr::MODULUS)
    }

    #[test]
    fn bytes_hold_what_is_below_the_modulus_and_nothing_else() {
        let little = |n: &BigUint| [n.to_bytes_le(), vec![0; 32]].concat()[..32].to_vec();
        for (number, element) in [(BigUint::ZERO, Fr::zero()), (1u8.into(), Fr::one()), (modulus() - 1u8, -Fr::one())] {
            let mut bytes = little(&number);
            assert_eq!(element_le(&bytes), Some(element));
            let mut written = Vec::new();
            write_limbs_le(&mut written, &element.into_bigint());
            assert_eq!(written, bytes);
            bytes.reverse();
            assert_eq!(element_be(&bytes), Some(element));
            let mut written = Vec::new();
            write_be(&mut written, element);
            assert_eq!(written, bytes);
        }
        for bytes in [little(&modulus()), little(&(modulus() + 1u8)), MAX.to_vec()] {
            assert_eq!(element_le::<Fr>(&bytes), None);
            assert_eq!(element_be::<Fr>(&bytes.into_iter().rev().collect::<Vec<_>>()), None);
        }
    }

    #[test]
    fn integers_are_taken_to_the_ends_of_the_field() {
        let last = Signed::from(modulus() - 1u8);
        assert_eq!(from_signed::<Fr>("v", &last).unwrap(), -Fr::one());
        assert_eq!(from_signed::<Fr>("v", &-last).unwrap(), Fr::one());
        for outside in [Signed::from(modulus()), -Signed::from(modulus()), Signed::from(1) << 256] {
            assert_refused(
                from_signed::<Fr>("v", &outside),
                &format!("NotInField {{ name: \"v\", value: {outside} }}"),
            );
        }
        assert_refused(from_biguint::<Fr>("v", &modulus()), "NotInField");
        assert_eq!(from_biguint::<Fr>("v", &(modulus() - 1u8)).unwrap(), -Fr::one());
    }

    #[test]
    fn inverses_are_kept_each_for_its_own_number() {
        let mut inverses = Inverses::default();
        for number in [2, 3, 2, 3, 1] {
            assert_eq!(inverses.of(Fr::from(number)) * Fr::from(number), Fr::one());
        }
        assert_eq!(inverses.of(Fr::zero()), Fr::zero());
    }

    #[test]
    fn the_sign_turns_in_the_middle() {
        let half = modulus() / 2u8;
        let element = |n: &BigUint| from_biguint::<Fr>("v", n).unwrap();
        assert_eq!(to_signed(element(&half)), Signed::from(half.clone()));
        assert_eq!(to_signed(element(&(half.clone() + 1u8))), -Signed::from(half));
        assert_eq!(to_signed(-Fr::one()), Signed::from(-1));
    }

    #[test]
    fn points_are_checked() {
        assert_refused(checked_g1("A", Fq::zero(), Fq::zero()), "is the identity");
        assert_refused(checked_g1("A", Fq::one(), Fq::one()), "is not on the curve");
        assert_eq!(checked_g1("A", Fq::one(), Fq::from(2)).unwrap(), G1Affine::generator());
        let generator = G2Affine::generator();
        assert_eq!(checked_g2("B", generator.x, generator.y).unwrap(), G2Projective::generator());
        assert_refused(checked_g2("B", generator.x, generator.x), "is not on the curve");
    }

    #[test]
    fn a_point_of_the_twist_outside_the_subgroup_is_refused() {
        let with_square = |x: Fq2| Some((x, (x.square() * x + ark_bn254::g2::Config::COEFF_B).sqrt()?));
        let (x, y) = (1u64..).find_map(|i| with_square(Fq2::new(Fq::from(i), Fq::one()))).unwrap();
        assert!(G2Affine::new_unchecked(x, y).is_on_curve());
        assert_refused(checked_g2("B", x, y), "is not in the subgroup");
    }

    #[test]
    fn the_identity_of_g1_is_two_zeros() {
        let zero = BigUint::ZERO;
        assert_eq!(g1_words(&G1Affine::zero()), (zero.clone(), zero.clone()));
        assert_eq!(g1_from_words("p", &zero, &zero).unwrap(), G1Affine::zero());
        let generator = G1Affine::generator();
        let (x, y) = g1_words(&generator);
        assert_eq!(g1_from_words("p", &x, &y).unwrap(), generator);
        assert_refused(g1_from_words("p", &(x + BigUint::from(Fq::MODULUS)), &y), "NotInField { name: \"p.x\"");
    }
}
