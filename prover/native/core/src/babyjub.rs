//! BabyJubJub (EIP-2494): a x^2 + y^2 = 1 + d x^2 y^2 over BN254's scalar field, as circomlib uses it.

use crate::error::{Error, Result};
use crate::poseidon;
use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, MontFp, One};
use ark_std::rand::{rngs::OsRng, RngCore};
use num_bigint::BigUint;

const A: Fr = MontFp!("168700");
const D: Fr = MontFp!("168696");
/// Order of the subgroup that Base8 generates; the curve has 8 times as many points.
pub const ORDER: BigInt<4> =
    ark_ff::BigInt!("2736030358979909402780800718157159386076813972158567259200215660948447373041");
const BASE8: Point = Point {
    x: MontFp!("5299619240641551281634865583518297030282874472190772894086521144482721001553"),
    y: MontFp!("16950150798460657717958625567821834550301663161624707787222815936182638968203"),
};

/// A point by its affine coordinates; (0, 1) is the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub x: Fr,
    pub y: Fr,
}

/// Projective: x = X / Z, y = Y / Z.
#[derive(Clone, Copy)]
struct Projective {
    x: Fr,
    y: Fr,
    z: Fr,
}

impl Projective {
    const IDENTITY: Projective = Projective { x: Fr::ZERO, y: Fr::ONE, z: Fr::ONE };

    /// Complete for every pair of points on the curve (a is a square, d is not): Bernstein and others
    /// 2008, add-2008-bbjlp.
    fn add(&self, other: &Projective) -> Projective {
        let zz = self.z * other.z;
        let square = zz.square();
        let c = self.x * other.x;
        let d = self.y * other.y;
        let e = D * c * d;
        let (f, g) = (square - e, square + e);
        Projective { x: zz * f * ((self.x + self.y) * (other.x + other.y) - c - d), y: zz * g * (d - A * c), z: f * g }
    }

    fn affine(&self) -> Point {
        // z is never zero for points on the curve
        let inverse = self.z.inverse().unwrap_or_default();
        Point { x: self.x * inverse, y: self.y * inverse }
    }
}

impl From<Point> for Projective {
    fn from(p: Point) -> Self {
        Projective { x: p.x, y: p.y, z: Fr::one() }
    }
}

impl Point {
    pub const IDENTITY: Point = Point { x: Fr::ZERO, y: Fr::ONE };
    pub const BASE8: Point = BASE8;

    pub fn is_on_curve(&self) -> bool {
        let (xx, yy) = (self.x.square(), self.y.square());
        A * xx + yy == Fr::one() + D * xx * yy
    }

    /// On the curve and of an order that divides `ORDER`. The identity is in the subgroup.
    pub fn is_in_subgroup(&self) -> bool {
        self.is_on_curve() && self.times(&ORDER) == Point::IDENTITY
    }

    /// A point that may serve as a key: in the subgroup and not the identity.
    pub fn check_key(&self, name: &str) -> Result<()> {
        if !self.is_on_curve() {
            return Err(Error::point(name, "is not on BabyJubJub"));
        }
        if !self.is_in_subgroup() {
            return Err(Error::point(name, "is not in BabyJubJub's subgroup"));
        }
        if *self == Point::IDENTITY {
            return Err(Error::point(name, "is the identity"));
        }
        Ok(())
    }

    pub fn plus(&self, other: &Point) -> Point {
        Projective::from(*self).add(&(*other).into()).affine()
    }

    /// Scalar multiplication: the same number of additions for every scalar.
    pub fn times(&self, scalar: &BigInt<4>) -> Point {
        let base = Projective::from(*self);
        let mut sum = Projective::IDENTITY;
        for i in (0..256).rev() {
            sum = sum.add(&sum);
            let more = sum.add(&base);
            if scalar.get_bit(i) {
                sum = more;
            }
        }
        sum.affine()
    }
}

/// A secret scalar as limbs.
///
/// # Errors
/// `OutOfRange` unless 1 <= scalar < ORDER.
pub fn checked_scalar(name: &'static str, scalar: &BigUint) -> Result<BigInt<4>> {
    let order = BigUint::from(ORDER);
    if *scalar == BigUint::ZERO || *scalar >= order {
        return Err(Error::Argument {
            name,
            value: scalar.clone().into(),
            low: 1.into(),
            high: num_bigint::BigInt::from(order) - 1,
        });
    }
    BigInt::try_from(scalar.clone()).map_err(|_| Error::argument(name, 0, 1, 1))
}

/// A uniform scalar in 1 .. ORDER - 1 from the operating system's randomness, by rejection.
pub fn random_scalar() -> BigInt<4> {
    loop {
        let mut limbs = [0u64; 4];
        limbs.iter_mut().for_each(|limb| *limb = OsRng.next_u64());
        limbs[3] >>= 5; // ORDER has 251 bits
        let candidate = BigInt::new(limbs);
        if candidate < ORDER && !candidate.is_zero() {
            return candidate;
        }
    }
}

/// ElGamal escrow of a field element under the committee's key: R = rho Base8, S = rho PK, c = key + Poseidon(tag, S).
pub fn escrow_encrypt(tag: Fr, key: Fr, scalar: &BigInt<4>, committee: &Point) -> Result<(Point, Fr)> {
    committee.check_key("committee key")?;
    let shared = committee.times(scalar);
    Ok((Point::BASE8.times(scalar), key + poseidon::hash(&[tag, shared.x, shared.y])?))
}

/// The inverse: key = c - Poseidon(tag, secret R).
pub fn escrow_decrypt(tag: Fr, secret: &BigInt<4>, ephemeral: &Point, escrowed: Fr) -> Result<Fr> {
    ephemeral.check_key("ephemeral key")?;
    let shared = ephemeral.times(secret);
    Ok(escrowed - poseidon::hash(&[tag, shared.x, shared.y])?)
}

/// A uniform element of BN254's scalar field from the operating system's randomness.
pub fn random_element() -> Fr {
    use ark_std::UniformRand;
    Fr::rand(&mut OsRng)
}
