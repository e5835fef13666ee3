//! Eight doubles at a time: by AVX-512, by AVX2, or one after the other.

use crate::product::{multiply_whole, Rows, Tile};
#[cfg(target_arch = "x86_64")]
use crate::x86::{Avx2, Avx512};

/// What works on eight doubles.
pub trait Eight: Copy {
    /// Eight doubles.
    type Vector: Copy;
    /// Vectors of rows that one account is multiplied by at once: as many sums as there are registers for.
    const WIDTH: usize;

    /// Runs a kernel, which should be `#[inline(always)]`, with the instructions of this processor.
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R;
    fn splat(self, x: f64) -> Self::Vector;
    fn load(self, from: &[f64; 8]) -> Self::Vector;
    fn store(self, x: Self::Vector) -> [f64; 8];
    fn difference(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    fn absolute(self, x: Self::Vector) -> Self::Vector;
    /// x y + z
    fn multiply_add(self, x: Self::Vector, y: Self::Vector, z: Self::Vector) -> Self::Vector;
    /// How many numbers are not zero.
    fn count_non_zero(self, x: Self::Vector) -> usize;
    /// Numbers that are not zero, one after the other, with their places counted from `first`, and how many there are.
    fn compress(self, x: Self::Vector, first: u64) -> ([f64; 8], [u64; 8], usize);
    /// (sum + y x, weight + y) where x is above zero, else (sum, weight).
    fn add_positive(
        self,
        x: Self::Vector,
        y: Self::Vector,
        sum: Self::Vector,
        weight: Self::Vector,
    ) -> (Self::Vector, Self::Vector);
    /// All positions of a tile times the rows of a part.
    fn multiply_whole(self, part: &Rows, tile: &mut Tile);
}

/// How a block is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable,
}

impl Path {
    /// What this processor can, the fastest first.
    pub fn detect() -> Vec<Path> {
        let mut paths = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            paths.extend(Avx512::detect().map(Path::Avx512));
            paths.extend(Avx2::detect().map(Path::Avx2));
        }
        paths.push(Path::Portable);
        paths
    }

    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Path::Avx2(_) => "avx2",
            Path::Portable => "portable",
        }
    }
}

/// Eight doubles, one after the other.
#[derive(Clone, Copy)]
pub struct Portable;

impl Eight for Portable {
    type Vector = [f64; 8];
    const WIDTH: usize = 2;

    #[inline(always)]
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        kernel()
    }
    #[inline(always)]
    fn splat(self, x: f64) -> [f64; 8] {
        [x; 8]
    }
    #[inline(always)]
    fn load(self, from: &[f64; 8]) -> [f64; 8] {
        *from
    }
    #[inline(always)]
    fn store(self, x: [f64; 8]) -> [f64; 8] {
        x
    }
    #[inline(always)]
    fn difference(self, x: [f64; 8], y: [f64; 8]) -> [f64; 8] {
        std::array::from_fn(|k| x[k] - y[k])
    }
    #[inline(always)]
    fn absolute(self, x: [f64; 8]) -> [f64; 8] {
        x.map(f64::abs)
    }
    #[inline(always)]
    fn multiply_add(self, x: [f64; 8], y: [f64; 8], z: [f64; 8]) -> [f64; 8] {
        std::array::from_fn(|k| x[k] * y[k] + z[k])
    }
    #[inline(always)]
    fn count_non_zero(self, x: [f64; 8]) -> usize {
        x.map(|x| usize::from(x != 0.0)).iter().sum()
    }
    #[inline(always)]
    fn compress(self, x: [f64; 8], first: u64) -> ([f64; 8], [u64; 8], usize) {
        compress(x, first)
    }
    #[inline(always)]
    fn add_positive(self, x: [f64; 8], y: [f64; 8], sum: [f64; 8], weight: [f64; 8]) -> ([f64; 8], [f64; 8]) {
        let above = |k: usize, value: f64| if x[k] > 0.0 { value } else { 0.0 };
        (std::array::from_fn(|k| sum[k] + y[k] * above(k, x[k])), std::array::from_fn(|k| weight[k] + above(k, y[k])))
    }
    #[inline(always)]
    fn multiply_whole(self, part: &Rows, tile: &mut Tile) {
        multiply_whole::<Self, 2, 1>(self, part, tile);
    }
}

/// One number after the other, without a branch that would be guessed wrong for every other position.
#[inline(always)]
pub fn compress(x: [f64; 8], first: u64) -> ([f64; 8], [u64; 8], usize) {
    let (mut numbers, mut places, mut count) = ([0.0; 8], [0; 8], 0);
    for (place, number) in (first..).zip(x) {
        (numbers[count & 7], places[count & 7]) = (number, place);
        count += usize::from(number != 0.0);
    }
    (numbers, places, count)
}
