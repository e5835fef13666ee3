//! Randomness: of the operating system, or of the host of a module in WebAssembly. Both can fail, and that is an error.

use crate::error::{Error, Result};
use ark_bn254::Fr;
use ark_ff::{BigInt, BigInteger, PrimeField};
use ark_std::rand::{rngs::OsRng, RngCore};

/// A uniform scalar in 1 .. order - 1 by rejection, for an order above 2^192.
pub fn scalar(order: &BigInt<4>) -> Result<BigInt<4>> {
    let excess = 256 - order.num_bits();
    loop {
        let mut limbs = words::<4>()?;
        limbs[3] >>= excess;
        let candidate = BigInt::new(limbs);
        if candidate < *order && !candidate.is_zero() {
            return Ok(candidate);
        }
    }
}

/// A uniform element of BN254's scalar field but zero.
pub fn element() -> Result<Fr> {
    Ok(Fr::new(scalar(&Fr::MODULUS)?))
}

/// Uniform words.
pub fn words<const N: usize>() -> Result<[u64; N]> {
    draw(&mut OsRng)
}

fn draw<const N: usize>(source: &mut impl RngCore) -> Result<[u64; N]> {
    let mut bytes = [[0; 8]; N];
    let failed = |error: ark_std::rand::Error| Error::NoRandomness { reason: error.to_string() };
    source.try_fill_bytes(bytes.as_flattened_mut()).map_err(failed)?;
    Ok(bytes.map(u64::from_le_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_refused;

    #[test]
    fn scalars_lie_between_one_and_the_order() {
        let order = BigInt::<4>::from(5u64) << 191; // three in eight are rejected
        let scalars: Vec<_> = (0..200).map(|_| scalar(&order).unwrap()).collect();
        assert!(scalars.iter().all(|scalar| *scalar < order && !scalar.is_zero()));
        assert!(scalars.windows(2).all(|pair| pair[0] != pair[1]));
        assert_ne!(element().unwrap(), element().unwrap());
    }

    /// A source that has nothing to give.
    struct Dry;

    impl RngCore for Dry {
        fn next_u32(&mut self) -> u32 {
            unreachable!("the words come through `try_fill_bytes`")
        }
        fn next_u64(&mut self) -> u64 {
            unreachable!("the words come through `try_fill_bytes`")
        }
        fn fill_bytes(&mut self, _: &mut [u8]) {
            unreachable!("the words come through `try_fill_bytes`")
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> std::result::Result<(), ark_std::rand::Error> {
            Err(std::num::NonZeroU32::MIN.into())
        }
    }

    #[test]
    fn a_source_that_fails_is_an_error() {
        assert_refused(draw::<4>(&mut Dry), "NoRandomness");
    }
}
