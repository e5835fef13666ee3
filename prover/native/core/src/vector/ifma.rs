//! Eight elements of a prime field at once, in AVX-512 registers: the only module with `unsafe` code.
//!
//! # Layout
//!
//! `Lanes([l0, l1, l2, l3, l4])` holds eight numbers, one to a 64-bit lane: number k is sum_j l_j[k] 2^(52 j). Limbs
//! are *normal*: l0 .. l3 below 2^52, l4 below 2^52 and not negative. In memory an element is arkworks' own, four
//! 64-bit words of x 2^256 mod p, always below p: `gather` and `scatter` change the width of the limbs and nothing
//! else, so any slice of elements can be worked on, and any result can be handed to scalar code.
//!
//! # Arithmetic
//!
//! The multiplication is Montgomery's with 2^260, so on elements that carry 2^256 it gives x y / 16. Whoever multiplies
//! accounts for the 16: `times_16` costs a seventh of a multiplication.
//!
//! Numbers in registers are *lazy*: congruent mod p, below a few p. As p < 0.757 * 2^254, a product of numbers below
//! a p and b p is below (1 + 0.01182 a b) p: below 2 p whenever a b <= 84. Each function states its bounds.
//!
//! # Invariants of the unsafe code
//!
//! 1. An `Ifma` exists only where the processor has the instructions named in `with_features!`: its field is private
//!    and `Ifma::detect` the only constructor. Every call of a function of `with_features!` from outside goes through a
//!    method of `Ifma`.
//! 2. Memory is read and written through references to whole arrays whose length is that of the access.

#![allow(unsafe_code)]

use ark_ff::{BigInt, Fp, MontBackend, MontConfig};
use std::arch::x86_64::*;
use std::marker::PhantomData;

/// An element of the prime field of `T`, as arkworks has it.
pub type Element<T> = Fp<MontBackend<T, 4>, 4>;

/// Eight numbers mod the modulus of `T`.
pub struct Lanes<T>([__m512i; 5], PhantomData<T>);

impl<T> Clone for Lanes<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lanes<T> {}

/// That the processor has AVX-512 with 52-bit multiplication.
#[derive(Clone, Copy, Debug)]
pub struct Ifma(());

const LIMB_BITS: usize = 52;
const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// Four words as five limbs.
const fn limbs(words: [u64; 4]) -> [u64; 5] {
    [
        words[0] & LIMB_MASK,
        (words[0] >> 52 | words[1] << 12) & LIMB_MASK,
        (words[1] >> 40 | words[2] << 24) & LIMB_MASK,
        (words[2] >> 28 | words[3] << 36) & LIMB_MASK,
        words[3] >> 16,
    ]
}

struct Constants<T>(PhantomData<T>);

impl<T: MontConfig<4>> Constants<T> {
    /// Limbs of 0, p, 2 p, .. 18 p.
    const MULTIPLES: [[u64; 5]; 19] = {
        let p = limbs(T::MODULUS.0);
        let mut multiples = [[0; 5]; 19];
        let mut k = 1;
        while k < multiples.len() {
            let (mut carry, mut j) = (0, 0);
            while j < 5 {
                let sum = multiples[k - 1][j] + p[j] + carry;
                multiples[k][j] = sum & LIMB_MASK;
                carry = sum >> LIMB_BITS;
                j += 1;
            }
            k += 1;
        }
        multiples
    };
    const P: [u64; 5] = Self::MULTIPLES[1];
    /// -1 / p mod 2^52
    const INVERSE: u64 = T::INV & LIMB_MASK;
}

/// Functions for processors with the features; inlined where the caller has them too.
macro_rules! with_features {
    ($($(#[$note:meta])* fn $name:ident $(<$t:ident>)? ($($argument:ident: $kind:ty),*) -> $r:ty $body:block)*) => {
        $(
            $(#[$note])*
            #[target_feature(enable = "avx512f,avx512dq,avx512ifma,avx512vbmi2")]
            #[inline]
            fn $name$(<$t: MontConfig<4>>)?($($argument: $kind),*) -> $r $body
        )*
    };
}

type Limbs = [__m512i; 5];

with_features! {
    fn broadcast(limbs: [u64; 5]) -> Limbs {
        limbs.map(|limb| _mm512_set1_epi64(limb as i64))
    }

    /// Normal limbs from signed ones; the number itself is not negative, or only its sign matters.
    fn carry(t: Limbs) -> Limbs {
        let mask = _mm512_set1_epi64(LIMB_MASK as i64);
        let mut t = t;
        for j in 0..4 {
            t[j + 1] = _mm512_add_epi64(t[j + 1], _mm512_srai_epi64::<52>(t[j]));
            t[j] = _mm512_and_si512(t[j], mask);
        }
        t
    }

    /// t + a b without the upper 52 bits of each limb's product.
    fn add_low(t: Limbs, a: Limbs, b: __m512i) -> Limbs {
        let mut t = t;
        for j in 0..5 {
            t[j] = _mm512_madd52lo_epu64(t[j], a[j], b);
        }
        t
    }

    /// t + a b / 2^52, only the upper 52 bits of each limb's product.
    fn add_high(t: Limbs, a: Limbs, b: __m512i) -> Limbs {
        let mut t = t;
        for j in 0..5 {
            t[j] = _mm512_madd52hi_epu64(t[j], a[j], b);
        }
        t
    }

    /// The multiple of p that makes the lowest limb vanish.
    fn quotient<T>(t: Limbs) -> __m512i {
        _mm512_madd52lo_epu64(_mm512_setzero_si512(), t[0], _mm512_set1_epi64(Constants::<T>::INVERSE as i64))
    }

    /// t / 2^52, where the lowest limb is a multiple of 2^52.
    fn shift(t: Limbs) -> Limbs {
        [_mm512_add_epi64(t[1], _mm512_srli_epi64::<52>(t[0])), t[2], t[3], t[4], _mm512_setzero_si512()]
    }

    fn multiply<T>(a: Limbs, b: Limbs) -> Limbs {
        let p = broadcast(Constants::<T>::P);
        let mut t = [_mm512_setzero_si512(); 5];
        for limb in b {
            t = add_low(t, a, limb);
            let q = quotient::<T>(t);
            t = shift(add_low(t, p, q));
            t = add_high(add_high(t, a, limb), p, q);
        }
        carry(t)
    }

    /// (a b + c d) / 2^260
    fn multiply_two<T>(a: Limbs, b: Limbs, c: Limbs, d: Limbs) -> Limbs {
        let p = broadcast(Constants::<T>::P);
        let mut t = [_mm512_setzero_si512(); 5];
        for i in 0..5 {
            t = add_low(add_low(t, a, b[i]), c, d[i]);
            let q = quotient::<T>(t);
            t = shift(add_low(t, p, q));
            t = add_high(add_high(add_high(t, a, b[i]), c, d[i]), p, q);
        }
        carry(t)
    }

    fn add(a: Limbs, b: Limbs) -> Limbs {
        let mut t = a;
        for j in 0..5 {
            t[j] = _mm512_add_epi64(a[j], b[j]);
        }
        t
    }

    fn subtract(a: Limbs, b: Limbs) -> Limbs {
        let mut t = a;
        for j in 0..5 {
            t[j] = _mm512_sub_epi64(a[j], b[j]);
        }
        t
    }

    /// `t` less `multiple` where that is not negative, with normal limbs.
    fn subtract_if_above(t: Limbs, multiple: [u64; 5]) -> Limbs {
        let t = carry(t);
        let less = carry(subtract(t, broadcast(multiple)));
        let negative = _mm512_movepi64_mask(less[4]);
        let mut r = t;
        for j in 0..5 {
            r[j] = _mm512_mask_blend_epi64(negative, less[j], t[j]);
        }
        r
    }

    fn scale_16(t: Limbs) -> Limbs {
        carry(t.map(|limb| _mm512_slli_epi64::<4>(limb)))
    }

    fn negate_where<T>(mask: u8, t: Limbs) -> Limbs {
        let p = broadcast(Constants::<T>::P);
        let mut r = t;
        for j in 0..5 {
            r[j] = _mm512_mask_sub_epi64(t[j], mask, p[j], t[j]);
        }
        carry(r)
    }

    /// Word by word of eight elements, to limbs.
    fn widen(w: [__m512i; 4]) -> Limbs {
        let mask = _mm512_set1_epi64(LIMB_MASK as i64);
        [
            _mm512_and_si512(w[0], mask),
            _mm512_and_si512(_mm512_shrdi_epi64::<52>(w[0], w[1]), mask),
            _mm512_and_si512(_mm512_shrdi_epi64::<40>(w[1], w[2]), mask),
            _mm512_and_si512(_mm512_shrdi_epi64::<28>(w[2], w[3]), mask),
            _mm512_srli_epi64::<16>(w[3]),
        ]
    }

    fn narrow(l: Limbs) -> [__m512i; 4] {
        [
            _mm512_or_si512(l[0], _mm512_slli_epi64::<52>(l[1])),
            _mm512_or_si512(_mm512_srli_epi64::<12>(l[1]), _mm512_slli_epi64::<40>(l[2])),
            _mm512_or_si512(_mm512_srli_epi64::<24>(l[2]), _mm512_slli_epi64::<28>(l[3])),
            _mm512_or_si512(_mm512_srli_epi64::<36>(l[3]), _mm512_slli_epi64::<16>(l[4])),
        ]
    }

    /// Between two orders of 32 words: rows k and k + 4 of eight rows of four words in each vector, and columns.
    fn rows_to_columns(r: [__m512i; 4]) -> [__m512i; 4] {
        let (even, odd) =
            (_mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15));
        let (a, b) = (_mm512_unpacklo_epi64(r[0], r[1]), _mm512_unpackhi_epi64(r[0], r[1]));
        let (c, d) = (_mm512_unpacklo_epi64(r[2], r[3]), _mm512_unpackhi_epi64(r[2], r[3]));
        [
            _mm512_permutex2var_epi64(a, even, c),
            _mm512_permutex2var_epi64(b, even, d),
            _mm512_permutex2var_epi64(a, odd, c),
            _mm512_permutex2var_epi64(b, odd, d),
        ]
    }

    fn transpose(r: [__m512i; 8]) -> [__m512i; 8] {
        // blocks of two by two, then the columns of four blocks
        let low = |i: usize| _mm512_unpacklo_epi64(r[i], r[i + 1]);
        let high = |i: usize| _mm512_unpackhi_epi64(r[i], r[i + 1]);
        let blocks = |a: [__m512i; 4]| {
            let (even, odd) = (
                [_mm512_shuffle_i64x2::<0x88>(a[0], a[1]), _mm512_shuffle_i64x2::<0x88>(a[2], a[3])],
                [_mm512_shuffle_i64x2::<0xdd>(a[0], a[1]), _mm512_shuffle_i64x2::<0xdd>(a[2], a[3])],
            );
            [
                _mm512_shuffle_i64x2::<0x88>(even[0], even[1]),
                _mm512_shuffle_i64x2::<0x88>(odd[0], odd[1]),
                _mm512_shuffle_i64x2::<0xdd>(even[0], even[1]),
                _mm512_shuffle_i64x2::<0xdd>(odd[0], odd[1]),
            ]
        };
        let (e, o) = (blocks([low(0), low(2), low(4), low(6)]), blocks([high(0), high(2), high(4), high(6)]));
        [e[0], o[0], e[1], o[1], e[2], o[2], e[3], o[3]]
    }

    fn load_words(at: [&[u64; 4]; 8]) -> Limbs {
        let row = |k: usize| {
            // SAFETY: invariant 2, four words at each reference
            let (low, high) = unsafe {
                (_mm256_loadu_si256(at[k].as_ptr().cast()), _mm256_loadu_si256(at[k + 4].as_ptr().cast()))
            };
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
        };
        widen(rows_to_columns([row(0), row(1), row(2), row(3)]))
    }

    fn store_words(t: Limbs) -> [[u64; 4]; 8] {
        let mut words = [[0u64; 4]; 8];
        for (k, row) in rows_to_columns(narrow(t)).into_iter().enumerate() {
            // SAFETY: invariant 2, four words at each reference
            unsafe {
                _mm256_storeu_si256(words[k].as_mut_ptr().cast(), _mm512_castsi512_si256(row));
                _mm256_storeu_si256(words[k + 4].as_mut_ptr().cast(), _mm512_extracti64x4_epi64::<1>(row));
            }
        }
        words
    }
}

/// `f` compiled for the processor: what it inlines, closures and generic kernels, may use its registers throughout.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma,avx512vbmi2")]
fn enter<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Calls of functions of `with_features!`.
macro_rules! on_this_processor {
    ($call:expr) => {
        // SAFETY: invariant 1, whoever has an `Ifma` has the features
        unsafe { $call }
    };
}

impl Ifma {
    /// Where the processor has the instructions.
    pub fn detect() -> Option<Self> {
        let able = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("avx512vbmi2");
        able.then_some(Ifma(()))
    }

    /// Runs a kernel with this processor's instructions; it should be `#[inline(always)]`.
    #[inline]
    pub fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        on_this_processor!(enter(kernel))
    }

    /// Eight elements, below p.
    #[inline(always)]
    pub fn gather<T: MontConfig<4>>(self, at: [&Element<T>; 8]) -> Lanes<T> {
        Lanes(on_this_processor!(load_words(at.map(|element| &element.0 .0))), PhantomData)
    }

    /// Eight times the same element.
    #[inline(always)]
    pub fn splat<T: MontConfig<4>>(self, element: &Element<T>) -> Lanes<T> {
        Lanes(on_this_processor!(broadcast(limbs(element.0 .0))), PhantomData)
    }

    /// The elements of numbers below p.
    #[inline(always)]
    pub fn scatter<T: MontConfig<4>>(self, a: Lanes<T>) -> [Element<T>; 8] {
        on_this_processor!(store_words(a.0)).map(|words| Element::<T>::new_unchecked(BigInt(words)))
    }

    /// a b / 16, below 2 p for a < m p, b < n p with m n <= 84.
    #[inline(always)]
    pub fn mul<T: MontConfig<4>>(self, a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
        Lanes(on_this_processor!(multiply::<T>(a.0, b.0)), PhantomData)
    }

    /// (a b + c d) / 16, below 2 p where the two products together are below 84 p^2.
    #[inline(always)]
    pub fn mul_two<T: MontConfig<4>>(self, a: Lanes<T>, b: Lanes<T>, c: Lanes<T>, d: Lanes<T>) -> Lanes<T> {
        Lanes(on_this_processor!(multiply_two::<T>(a.0, b.0, c.0, d.0)), PhantomData)
    }

    /// a + b
    #[inline(always)]
    pub fn add<T: MontConfig<4>>(self, a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
        Lanes(on_this_processor!(carry(add(a.0, b.0))), PhantomData)
    }

    /// a - b + K p for b <= K p.
    #[inline(always)]
    pub fn sub<const K: usize, T: MontConfig<4>>(self, a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
        let multiple = Constants::<T>::MULTIPLES[K];
        Lanes(on_this_processor!(carry(add(subtract(a.0, b.0), broadcast(multiple)))), PhantomData)
    }

    /// 16 a, for a < 2^256.
    #[inline(always)]
    pub fn times_16<T: MontConfig<4>>(self, a: Lanes<T>) -> Lanes<T> {
        Lanes(on_this_processor!(scale_16(a.0)), PhantomData)
    }

    /// p - a in the lanes of `mask`, for a <= p.
    #[inline(always)]
    pub fn negate_where<T: MontConfig<4>>(self, mask: u8, a: Lanes<T>) -> Lanes<T> {
        Lanes(on_this_processor!(negate_where::<T>(mask, a.0)), PhantomData)
    }

    /// The sum of `plus` less that of `minus` and K p, below 2 p where the whole is in 0 .. 4 p - 1.
    #[inline(always)]
    pub fn halved<const K: usize, const M: usize, const N: usize, T: MontConfig<4>>(
        self,
        plus: [Lanes<T>; M],
        minus: [Lanes<T>; N],
    ) -> Lanes<T> {
        let sum = on_this_processor!({
            let offset = broadcast(Constants::<T>::MULTIPLES[K]);
            let sum = plus.iter().fold(offset, |sum, a| add(sum, a.0));
            minus.iter().fold(sum, |sum, a| subtract(sum, a.0))
        });
        Lanes(on_this_processor!(subtract_if_above(sum, Constants::<T>::MULTIPLES[2])), PhantomData)
    }

    /// As `halved`, but below p.
    #[inline(always)]
    pub fn reduced<const K: usize, const M: usize, const N: usize, T: MontConfig<4>>(
        self,
        plus: [Lanes<T>; M],
        minus: [Lanes<T>; N],
    ) -> Lanes<T> {
        let below_two = self.halved::<K, M, N, T>(plus, minus);
        Lanes(on_this_processor!(subtract_if_above(below_two.0, Constants::<T>::P)), PhantomData)
    }

    /// Lane k of vector i becomes lane i of vector k.
    #[inline(always)]
    pub fn transpose<T: MontConfig<4>>(self, rows: [Lanes<T>; 8]) -> [Lanes<T>; 8] {
        let mut columns = rows;
        for j in 0..5 {
            let limbs = on_this_processor!(transpose(rows.map(|row| row.0[j])));
            columns.iter_mut().zip(limbs).for_each(|(column, limb)| column.0[j] = limb);
        }
        columns
    }

    /// Asks for the memory of `value` before it is needed.
    #[inline(always)]
    pub fn prefetch<V>(self, value: &V) {
        let last = size_of::<V>().saturating_sub(1);
        let first: *const i8 = std::ptr::from_ref(value).cast();
        // SAFETY: prefetching reads nothing; both addresses lie inside `value`
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(first);
            _mm_prefetch::<_MM_HINT_T0>(first.add(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::seeded;
    use ark_bn254::{FqConfig, FrConfig};
    use ark_ff::{AdditiveGroup, BigInteger, Field, UniformRand};
    use ark_std::rand::RngCore;
    use std::array::from_fn;

    /// Elements by the words in memory: ends of the field, of every limb and of every word, and some at random.
    fn edges<T: MontConfig<4>>() -> Vec<Element<T>> {
        let mut words: Vec<BigInt<4>> = vec![BigInt::from(0u64), BigInt::from(1u64), BigInt::from(2u64)];
        for bit in [51, 52, 53, 63, 64, 103, 104, 105, 128, 155, 156, 157, 192, 207, 208, 209, 252, 253] {
            let power = BigInt::<4>::from(1u64) << bit;
            let (mut below, mut above) = (power, power);
            below.sub_with_borrow(&BigInt::from(1u64));
            above.add_with_carry(&BigInt::from(1u64));
            words.extend([below, power, above]);
        }
        for less in [1u64, 2, 1 << 51, (1 << 52) - 1, 1 << 52, (1 << 52) + 1] {
            let mut below = T::MODULUS;
            below.sub_with_borrow(&BigInt::from(less));
            words.push(below);
        }
        let mut rng = seeded();
        let random = (0..13).map(|_| Element::<T>::rand(&mut rng));
        let mut elements: Vec<_> = words.into_iter().map(Element::<T>::new_unchecked).chain(random).collect();
        elements.truncate(elements.len() / 8 * 8);
        elements
    }

    fn eights<T: MontConfig<4>>(elements: &[Element<T>]) -> impl Iterator<Item = [&Element<T>; 8]> {
        elements.as_chunks::<8>().0.iter().map(|chunk| chunk.each_ref())
    }

    /// Numbers in lanes that stand for `at`: as they are, and up to 2 p - 1.
    fn forms<T: MontConfig<4>>(unit: Ifma, at: [&Element<T>; 8]) -> [Lanes<T>; 2] {
        let plain = unit.gather(at);
        [plain, unit.sub::<1, _>(plain, unit.splat(&Element::<T>::ZERO))]
    }

    fn reduce<T: MontConfig<4>>(unit: Ifma, a: Lanes<T>) -> [Element<T>; 8] {
        unit.scatter(unit.reduced::<0, 1, 0, _>([a], []))
    }

    #[track_caller]
    fn assert_lanes<T: MontConfig<4>>(found: [Element<T>; 8], expected: impl Fn(usize) -> Element<T>) {
        for (k, element) in found.into_iter().enumerate() {
            assert_eq!(element.0, expected(k).0, "lane {k}");
        }
    }

    fn check_multiplication<T: MontConfig<4>>(unit: Ifma) {
        let elements = edges::<T>();
        let sixteen = Element::<T>::from(16u64);
        for a in eights(&elements) {
            for shift in 0..elements.len() {
                let rotated: Vec<_> = (0..8).map(|k| elements[(k + shift) % elements.len()]).collect();
                let b: [&Element<T>; 8] = from_fn(|k| &rotated[k]);
                for x in forms(unit, a) {
                    for y in forms(unit, b) {
                        // the operands' largest bounds: 2 p, 16 * 2 p
                        let product = unit.mul(x, unit.times_16(y));
                        assert_lanes(reduce(unit, product), |k| *a[k] * b[k]);
                        let product = unit.mul(x, y);
                        assert_lanes(reduce(unit, product), |k| *a[k] * b[k] / sixteen);
                        let two = unit.mul_two(x, unit.times_16(y), y, x);
                        assert_lanes(reduce(unit, two), |k| *a[k] * b[k] + *a[k] * b[k] / sixteen);
                    }
                }
            }
        }
    }

    fn check_sums<T: MontConfig<4>>(unit: Ifma) {
        let elements = edges::<T>();
        for a in eights(&elements) {
            for b in eights(&elements) {
                for x in forms(unit, a) {
                    for y in forms(unit, b) {
                        assert_lanes(reduce(unit, unit.add(x, y)), |k| *a[k] + b[k]);
                        assert_lanes(reduce(unit, unit.sub::<2, _>(x, y)), |k| *a[k] - b[k]);
                        assert_lanes(reduce(unit, unit.halved::<0, 2, 0, _>([x, y], [])), |k| *a[k] + b[k]);
                        let reduced = unit.reduced::<2, 1, 1, _>([x], [y]);
                        assert_lanes(unit.scatter(reduced), |k| *a[k] - b[k]);
                    }
                }
                let (x, y) = (unit.gather(a), unit.gather(b));
                let reduced = unit.reduced::<3, 1, 3, _>([x], [y, y, y]);
                assert_lanes(unit.scatter(reduced), |k| *a[k] - b[k].double() - b[k]);
                assert_lanes(reduce(unit, unit.negate_where(0b1010_0110, x)), |k| {
                    if 0b1010_0110 >> k & 1 == 1 {
                        -*a[k]
                    } else {
                        *a[k]
                    }
                });
                assert_lanes(reduce(unit, unit.mul(unit.times_16(x), y)), |k| *a[k] * b[k]);
            }
        }
    }

    /// An element whose limbs are all zeros or all ones more often than chance has it: where carries run far.
    fn skewed<T: MontConfig<4>>(rng: &mut impl RngCore) -> Element<T> {
        let mut words = [0u64; 4];
        for bit in (0..256).step_by(LIMB_BITS) {
            let random = rng.next_u64();
            let limb = match random >> 61 {
                0 | 1 => 0,
                2 | 3 => LIMB_MASK,
                4 => 1,
                5 => LIMB_MASK - 1,
                _ => random & LIMB_MASK,
            };
            words[bit / 64] |= limb << (bit % 64);
            if bit % 64 > 12 && bit < 208 {
                words[bit / 64 + 1] |= limb >> (64 - bit % 64);
            }
        }
        words[3] &= (1 << 61) - 1; // below p, which has 254 bits
        Element::<T>::new_unchecked(BigInt(words))
    }

    /// A program of `steps` steps on four registers: each result is an operand of later ones, beside scalars.
    fn fuzz<T: MontConfig<4>>(unit: Ifma, steps: usize) {
        let mut rng = seeded();
        let sixteen = Element::<T>::from(16u64).inverse().unwrap();
        let mut scalars: [[Element<T>; 8]; 4] = from_fn(|_| from_fn(|_| skewed(&mut rng)));
        let mut lanes = scalars.map(|eight| unit.gather(eight.each_ref()));
        for step in 0..steps {
            let random = rng.next_u32() as usize;
            let [i, j, k] = [random & 3, random >> 2 & 3, random >> 4 & 3];
            let (x, y, z) = (lanes[i], lanes[j], lanes[k]);
            let [a, b, c] = [scalars[i], scalars[j], scalars[k]];
            let mask = (random >> 8) as u8;
            let (result, expected): (Lanes<T>, [Element<T>; 8]) = match random >> 16 & 7 {
                0 | 1 => (unit.mul(x, unit.times_16(y)), from_fn(|l| a[l] * b[l])),
                2 => (unit.mul_two(x, unit.times_16(y), z, x), from_fn(|l| a[l] * b[l] + c[l] * a[l] * sixteen)),
                3 => (unit.reduced::<2, 1, 1, _>([x], [y]), from_fn(|l| a[l] - b[l])),
                4 => (unit.halved::<0, 2, 0, _>([x, y], []), from_fn(|l| a[l] + b[l])),
                5 => {
                    let plain = unit.reduced::<0, 1, 0, _>([x], []);
                    (unit.negate_where(mask, plain), from_fn(|l| if mask >> l & 1 == 1 { -a[l] } else { a[l] }))
                }
                _ => {
                    let fresh: [Element<T>; 8] = from_fn(|_| skewed(&mut rng));
                    (unit.gather(fresh.each_ref()), fresh)
                }
            };
            for (l, element) in reduce(unit, result).into_iter().enumerate() {
                assert_eq!(element.0, expected[l].0, "step {step}, lane {l}, operation {}", random >> 16 & 7);
            }
            (lanes[k], scalars[k]) = (result, expected);
        }
    }

    #[test]
    fn long_programs_are_arkworks() {
        let Some(unit) = Ifma::detect() else { return };
        fuzz::<FqConfig>(unit, 60_000);
        fuzz::<FrConfig>(unit, 60_000);
    }

    #[test]
    fn elements_come_back_as_they_went() {
        let Some(unit) = Ifma::detect() else { return };
        for at in eights(&edges::<FqConfig>()) {
            assert_lanes(unit.scatter(unit.gather(at)), |k| *at[k]);
            assert_lanes(unit.scatter(unit.splat(at[3])), |_| *at[3]);
        }
    }

    #[test]
    fn products_are_arkworks() {
        let Some(unit) = Ifma::detect() else { return };
        check_multiplication::<FqConfig>(unit);
        check_multiplication::<FrConfig>(unit);
    }

    #[test]
    fn sums_and_differences_are_arkworks() {
        let Some(unit) = Ifma::detect() else { return };
        check_sums::<FqConfig>(unit);
        check_sums::<FrConfig>(unit);
    }

    #[test]
    fn a_transpose_moves_lanes() {
        let Some(unit) = Ifma::detect() else { return };
        let element = |i: usize, k: usize| Element::<FrConfig>::from((8 * i + k) as u64) - Element::<FrConfig>::ONE;
        let rows: [[Element<FrConfig>; 8]; 8] = from_fn(|i| from_fn(|k| element(i, k)));
        let columns = unit.transpose(from_fn(|i| unit.gather(rows[i].each_ref())));
        for (i, column) in columns.into_iter().enumerate() {
            assert_lanes(unit.scatter(column), |k| element(k, i));
        }
    }

    /// A number just below the bound of each reduction: 4 p - 1 and 2 p - 1.
    #[test]
    fn reductions_hold_to_their_bounds() {
        let Some(unit) = Ifma::detect() else { return };
        let last = -Element::<FqConfig>::ONE;
        let last_words = Element::<FqConfig>::new_unchecked({
            let mut words = FqConfig::MODULUS;
            words.sub_with_borrow(&BigInt::from(1u64));
            words
        });
        let (top, zero) = (unit.splat(&last_words), unit.splat(&Element::<FqConfig>::ZERO));
        assert_lanes(unit.scatter(unit.reduced::<3, 1, 0, _>([top], [])), |_| last_words);
        assert_lanes(unit.scatter(unit.reduced::<2, 0, 0, _>([], [])), |_| Element::<FqConfig>::ZERO);
        assert_lanes(unit.scatter(unit.reduced::<1, 1, 0, _>([zero], [])), |_| Element::<FqConfig>::ZERO);
        let below_two = unit.halved::<3, 1, 1, _>([top], [zero]);
        assert_lanes(reduce(unit, below_two), |_| last_words);
        assert_ne!(last.0, last_words.0);
    }
}
