//! BabyJubJub (EIP-2494): a x^2 + y^2 = 1 + d x^2 y^2 over BN254's scalar field, as circomlib uses it.

use crate::error::{Error, Result};
use crate::poseidon;
use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, MontFp, One};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_refused;
    use ark_ff::Zero;

    /// EIP-2494's test vectors.
    const P: Point = Point {
        x: MontFp!("17777552123799933955779906779655732241715742912184938656739573121738514868268"),
        y: MontFp!("2626589144620713026669568689430873010625803728049924121243784502389097019475"),
    };
    const Q: Point = Point {
        x: MontFp!("16540640123574156134436876038791482806971768689494387082833631921987005038935"),
        y: MontFp!("20819045374670962167435360035096875258406992893633759881276124905556507972311"),
    };
    const SUM: Point = Point {
        x: MontFp!("7916061937171219682591368294088513039687205273691143098332585753343424131937"),
        y: MontFp!("14035240266687799601661095864649209771790948434046947201833777492504781204499"),
    };
    const DOUBLE: Point = Point {
        x: MontFp!("6890855772600357754907169075114257697580319025794532037257385534741338397365"),
        y: MontFp!("4338620300185947561074059802482547481416142213883829469920100239455078257889"),
    };
    /// (0, -1), of order 2.
    const HALF_TURN: Point = Point { x: Fr::ZERO, y: MontFp!("-1") };

    fn small(n: u64) -> BigInt<4> {
        BigInt::from(n)
    }

    #[test]
    fn sums_are_the_standards() {
        assert_eq!(P.plus(&Q), SUM);
        assert_eq!(P.plus(&P), DOUBLE);
        assert_eq!(P.plus(&Point { x: -P.x, y: P.y }), Point::IDENTITY);
        assert_eq!(P.plus(&Point::IDENTITY), P);
        assert_eq!(HALF_TURN.plus(&HALF_TURN), Point::IDENTITY);
    }

    #[test]
    fn multiples_are_repeated_sums() {
        let mut sum = Point::IDENTITY;
        for n in 0..40 {
            assert_eq!(P.times(&small(n)), sum, "{n}");
            sum = sum.plus(&P);
        }
    }

    #[test]
    fn base8_has_the_stated_order() {
        assert_eq!(Point::BASE8.times(&ORDER), Point::IDENTITY);
        assert!(Point::BASE8.is_in_subgroup());
        let mut last = ORDER;
        last.sub_with_borrow(&small(1));
        assert_eq!(Point::BASE8.times(&last), Point { x: -BASE8.x, y: BASE8.y });
    }

    #[test]
    fn keys_are_points_of_the_subgroup() {
        assert!(Point::BASE8.check_key("key").is_ok());
        assert_refused(Point { x: Fr::one(), y: Fr::one() }.check_key("key"), "is not on BabyJubJub");
        assert_refused(HALF_TURN.check_key("key"), "is not in BabyJubJub's subgroup");
        assert_refused(Point::BASE8.plus(&HALF_TURN).check_key("key"), "is not in BabyJubJub's subgroup");
        assert_refused(Point::IDENTITY.check_key("key"), "is the identity");
    }

    #[test]
    fn secrets_lie_between_one_and_the_order() {
        let order = BigUint::from(ORDER);
        assert_eq!(checked_scalar("rho", &1u8.into()).unwrap(), small(1));
        assert_eq!(BigUint::from(checked_scalar("rho", &(order.clone() - 1u8)).unwrap()), order.clone() - 1u8);
        for outside in [BigUint::ZERO, order.clone(), order + 1u8, BigUint::from(1u8) << 300] {
            assert_refused(checked_scalar("rho", &outside), &format!("\"rho\", value: {outside}, low: 1"));
        }
    }

    #[test]
    fn escrow_gives_the_key_back_to_the_committee_alone() {
        let (tag, key) = (Fr::from(7), Fr::from(1234));
        let committee = Point::BASE8.times(&small(99));
        let (ephemeral, escrowed) = escrow_encrypt(tag, key, &small(5), &committee).unwrap();
        assert_eq!(escrow_decrypt(tag, &small(99), &ephemeral, escrowed).unwrap(), key);
        assert_ne!(escrow_decrypt(tag, &small(98), &ephemeral, escrowed).unwrap(), key);
        assert_ne!(escrow_decrypt(Fr::zero(), &small(99), &ephemeral, escrowed).unwrap(), key);
        assert_refused(escrow_encrypt(tag, key, &small(5), &Point::IDENTITY).map(|_| ()), "committee key");
        assert_refused(escrow_decrypt(tag, &small(99), &HALF_TURN, escrowed), "ephemeral key");
    }
}
