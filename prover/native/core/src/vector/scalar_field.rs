//! The transforms' numbers on the vector unit: below 2 p in registers and between the passes.

use super::ifma::{Element, Ifma, Lanes};
use crate::field::Limbs;
use crate::transform::Eight;
use ark_bn254::{Fr, FrConfig};
use ark_ff::BigInt;

impl Eight for Ifma {
    type Vector = Lanes<FrConfig>;
    const LOSS: u64 = 16;

    #[inline(always)]
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        self.run(kernel)
    }
    #[inline(always)]
    fn gather(self, at: [&Fr; 8]) -> Self::Vector {
        self.gather(at)
    }
    #[inline(always)]
    fn splat(self, element: &Fr) -> Self::Vector {
        self.splat(element)
    }
    #[inline(always)]
    fn sum(self, x: Self::Vector, y: Self::Vector) -> Self::Vector {
        self.halved::<0, 2, 0, _>([x, y], [])
    }
    #[inline(always)]
    fn difference(self, x: Self::Vector, y: Self::Vector) -> Self::Vector {
        self.halved::<2, 1, 1, _>([x], [y])
    }
    #[inline(always)]
    fn product(self, x: Self::Vector, y: Self::Vector) -> Self::Vector {
        self.mul(x, y)
    }
    #[inline(always)]
    fn scaled_difference(self, x: Self::Vector, y: Self::Vector, factor: Self::Vector) -> Self::Vector {
        self.mul(self.sub::<2, _>(x, y), factor)
    }
    #[inline(always)]
    fn transpose(self, rows: [Self::Vector; 8]) -> [Self::Vector; 8] {
        self.transpose(rows)
    }
    /// A product takes 2^260 away: 2^8 and 2^4 leave a b and c without the 2^256 that each element carries.
    #[inline(always)]
    fn quotient(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> [Limbs; 8] {
        let number = |n: u64| self.splat(&Element::<FrConfig>::new_unchecked(BigInt::from(n)));
        let product = self.mul(self.mul(a, b), number(1 << 8));
        let single = self.mul(c, number(1 << 4));
        self.scatter(self.reduced::<2, 1, 1, _>([product], [single])).map(|x| x.0)
    }
}
