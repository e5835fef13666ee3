//! A Groth16 proof as eight words.

use crate::error::{Error, Result};
use crate::field::{checked_g1, checked_g2, from_biguint, to_biguint, write_be};
use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use num_bigint::BigUint;

/// A, C in G1 and B in G2: on their curves, in their subgroups, none of them the identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub a: G1Affine,
    pub b: G2Affine,
    pub c: G1Affine,
}

impl Proof {
    pub const WORDS: usize = 8;

    pub fn checked(a: G1Affine, b: G2Affine, c: G1Affine) -> Result<Self> {
        Ok(Proof { a: checked_g1("A", a.x, a.y)?, b: checked_g2("B", b.x, b.y)?, c: checked_g1("C", c.x, c.y)? })
    }

    /// A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y: the order of the EVM's pairing precompile.
    pub fn words(&self) -> [BigUint; Self::WORDS] {
        self.coordinates().map(to_biguint)
    }

    /// The words, 32 bytes each, big-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32 * Self::WORDS);
        self.coordinates().into_iter().for_each(|coordinate| write_be(&mut bytes, coordinate));
        bytes
    }

    fn coordinates(&self) -> [Fq; Self::WORDS] {
        let Proof { a, b, c } = self;
        [a.x, a.y, b.x.c1, b.x.c0, b.y.c1, b.y.c0, c.x, c.y]
    }

    /// # Errors
    /// `NotInField` for a coordinate that is not reduced, `PointRefused` for a point off its curve or subgroup.
    pub fn from_words(words: &[BigUint]) -> Result<Self> {
        const NAMES: [&str; Proof::WORDS] = ["A.x", "A.y", "B.x.c1", "B.x.c0", "B.y.c1", "B.y.c0", "C.x", "C.y"];
        if words.len() != Self::WORDS {
            return Err(Error::InputShape { name: "proof".into(), given: words.len(), expected: Self::WORDS });
        }
        let w: Vec<Fq> = words.iter().zip(NAMES).map(|(v, n)| from_biguint(n, v)).collect::<Result<_>>()?;
        Ok(Proof {
            a: checked_g1("A", w[0], w[1])?,
            b: checked_g2("B", Fq2::new(w[3], w[2]), Fq2::new(w[5], w[4]))?,
            c: checked_g1("C", w[6], w[7])?,
        })
    }
}
