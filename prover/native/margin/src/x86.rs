//! Eight doubles in AVX-512 or AVX2 registers: the only module of this crate with `unsafe` code.
//!
//! # Invariants of the unsafe code
//!
//! 1. An `Avx512` or `Avx2` exists only where the processor has the instructions: the field is private and `detect` the
//!    only constructor.
//! 2. Memory is read and written through references to arrays of eight doubles, in full.

#![allow(unsafe_code)]

use crate::eight::{compress, Eight};
use crate::product::{multiply_whole, Rows, Tile};
use std::arch::x86_64::*;

/// That the processor has AVX-512 (F and DQ).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

/// That the processor has AVX2 and fused multiplication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2(());

impl Avx512 {
    pub fn detect() -> Option<Self> {
        let able = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("popcnt");
        able.then_some(Avx512(()))
    }
}

impl Avx2 {
    pub fn detect() -> Option<Self> {
        let able =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("popcnt");
        able.then_some(Avx2(()))
    }
}

#[target_feature(enable = "avx512f,avx512dq,popcnt")]
#[inline]
fn enter_avx512<R>(kernel: impl FnOnce() -> R) -> R {
    kernel()
}

#[target_feature(enable = "avx2,fma,popcnt")]
#[inline]
fn enter_avx2<R>(kernel: impl FnOnce() -> R) -> R {
    kernel()
}

macro_rules! on_this_processor {
    ($($call:expr),*) => {
        // SAFETY: invariant 1, whoever has the value has the features; invariant 2
        unsafe { ($($call),*) }
    };
}

impl Eight for Avx512 {
    type Vector = __m512d;
    const WIDTH: usize = 8;

    #[inline]
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        on_this_processor!(enter_avx512(kernel))
    }
    #[inline(always)]
    fn splat(self, x: f64) -> __m512d {
        on_this_processor!(_mm512_set1_pd(x))
    }
    #[inline(always)]
    fn load(self, from: &[f64; 8]) -> __m512d {
        on_this_processor!(_mm512_loadu_pd(from.as_ptr()))
    }
    #[inline(always)]
    fn store(self, x: __m512d) -> [f64; 8] {
        let mut to = [0.0; 8];
        on_this_processor!(_mm512_storeu_pd(to.as_mut_ptr(), x));
        to
    }
    #[inline(always)]
    fn difference(self, x: __m512d, y: __m512d) -> __m512d {
        on_this_processor!(_mm512_sub_pd(x, y))
    }
    #[inline(always)]
    fn absolute(self, x: __m512d) -> __m512d {
        on_this_processor!(_mm512_abs_pd(x))
    }
    #[inline(always)]
    fn multiply_add(self, x: __m512d, y: __m512d, z: __m512d) -> __m512d {
        on_this_processor!(_mm512_fmadd_pd(x, y, z))
    }
    #[inline(always)]
    fn count_non_zero(self, x: __m512d) -> usize {
        let mask = on_this_processor!(_mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(x, _mm512_setzero_pd()));
        mask.count_ones() as usize
    }
    #[inline(always)]
    fn compress(self, x: __m512d, first: u64) -> ([f64; 8], [u64; 8], usize) {
        let mut places = [0; 8];
        let mask = on_this_processor!(_mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(x, _mm512_setzero_pd()));
        let own = on_this_processor!(_mm512_add_epi64(
            _mm512_set1_epi64(first as i64),
            _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0)
        ));
        let numbers = self.store(on_this_processor!(_mm512_maskz_compress_pd(mask, x)));
        on_this_processor!(_mm512_storeu_epi64(
            places.as_mut_ptr().cast::<i64>(),
            _mm512_maskz_compress_epi64(mask, own)
        ));
        (numbers, places, mask.count_ones() as usize)
    }
    #[inline(always)]
    fn add_positive(self, x: __m512d, y: __m512d, sum: __m512d, weight: __m512d) -> (__m512d, __m512d) {
        let above = on_this_processor!(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(x, _mm512_setzero_pd()));
        on_this_processor!(_mm512_mask3_fmadd_pd(x, y, sum, above), _mm512_mask_add_pd(weight, above, weight, y))
    }
    #[inline(always)]
    fn multiply_whole(self, part: &Rows, tile: &mut Tile) {
        multiply_whole::<Self, 8, 3>(self, part, tile);
    }
}

impl Eight for Avx2 {
    type Vector = [__m256d; 2];
    const WIDTH: usize = 4;

    #[inline]
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        on_this_processor!(enter_avx2(kernel))
    }
    #[inline(always)]
    fn splat(self, x: f64) -> [__m256d; 2] {
        [on_this_processor!(_mm256_set1_pd(x)); 2]
    }
    #[inline(always)]
    fn load(self, from: &[f64; 8]) -> [__m256d; 2] {
        let (halves, _) = from.as_chunks::<4>();
        [
            on_this_processor!(_mm256_loadu_pd(halves[0].as_ptr())),
            on_this_processor!(_mm256_loadu_pd(halves[1].as_ptr())),
        ]
    }
    #[inline(always)]
    fn store(self, x: [__m256d; 2]) -> [f64; 8] {
        let mut to = [0.0; 8];
        for (half, own) in to.as_chunks_mut::<4>().0.iter_mut().zip(x) {
            on_this_processor!(_mm256_storeu_pd(half.as_mut_ptr(), own));
        }
        to
    }
    #[inline(always)]
    fn difference(self, x: [__m256d; 2], y: [__m256d; 2]) -> [__m256d; 2] {
        [on_this_processor!(_mm256_sub_pd(x[0], y[0])), on_this_processor!(_mm256_sub_pd(x[1], y[1]))]
    }
    #[inline(always)]
    fn absolute(self, x: [__m256d; 2]) -> [__m256d; 2] {
        let sign = on_this_processor!(_mm256_set1_pd(-0.0));
        [on_this_processor!(_mm256_andnot_pd(sign, x[0])), on_this_processor!(_mm256_andnot_pd(sign, x[1]))]
    }
    #[inline(always)]
    fn multiply_add(self, x: [__m256d; 2], y: [__m256d; 2], z: [__m256d; 2]) -> [__m256d; 2] {
        [on_this_processor!(_mm256_fmadd_pd(x[0], y[0], z[0])), on_this_processor!(_mm256_fmadd_pd(x[1], y[1], z[1]))]
    }
    #[inline(always)]
    fn count_non_zero(self, x: [__m256d; 2]) -> usize {
        let (low, high) = on_this_processor!(
            _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_NEQ_UQ>(x[0], _mm256_setzero_pd())),
            _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_NEQ_UQ>(x[1], _mm256_setzero_pd()))
        );
        (low | high << 4).count_ones() as usize
    }
    #[inline(always)]
    fn compress(self, x: [__m256d; 2], first: u64) -> ([f64; 8], [u64; 8], usize) {
        compress(self.store(x), first)
    }
    #[inline(always)]
    fn add_positive(
        self,
        x: [__m256d; 2],
        y: [__m256d; 2],
        sum: [__m256d; 2],
        weight: [__m256d; 2],
    ) -> ([__m256d; 2], [__m256d; 2]) {
        let (low, high) = on_this_processor!(
            _mm256_and_pd(y[0], _mm256_cmp_pd::<_CMP_GT_OQ>(x[0], _mm256_setzero_pd())),
            _mm256_and_pd(y[1], _mm256_cmp_pd::<_CMP_GT_OQ>(x[1], _mm256_setzero_pd()))
        );
        let weight = on_this_processor!(_mm256_add_pd(weight[0], low), _mm256_add_pd(weight[1], high));
        (self.multiply_add(x, [low, high], sum), [weight.0, weight.1])
    }
    #[inline(always)]
    fn multiply_whole(self, part: &Rows, tile: &mut Tile) {
        multiply_whole::<Self, 4, 1>(self, part, tile);
    }
}
