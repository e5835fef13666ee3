//! Multi-scalar multiplication by buckets (Pippenger), over signed windows and affine points that are added in batches.
//!
//! For each window the points go into the bucket of their digit. The sum of each bucket is a batch of sums, and so is
//! most of sum_b b B_b over the buckets: with b = high 2^k + low it is 2^k sum_high high R_high + sum_low low C_low,
//! where R and C are the sums over rows and columns.

use crate::batch::{sum_groups, Groups, Point};
use crate::field::Limbs;
use crate::vector::{self, Coordinate, Ifma};
use ark_ec::short_weierstrass::{Affine, Bucket, Projective, SWCurveConfig};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, BigInteger, PrimeField, Zero};
use rayon::prelude::*;
use std::ops::Range;

/// Points that one task adds: they stay in a core's own cache. Processors with a vector unit have 1 MB of it or more,
/// and there an inversion, one for each task and round, weighs more against the additions.
const SCALAR_RANGE: usize = 4096;
const VECTOR_RANGE: usize = 8192;
/// Widths of a window in bits among which the cheapest is taken.
const WIDTHS: Range<usize> = 2..17;
/// Multiplications in the base field: an addition in a batch, and what a bucket costs when its window is summed.
const ADDITION_COST: usize = 6;
const BUCKET_COST: usize = 2 * ADDITION_COST;

/// sum_i scalars[i] points[i] for points of the subgroup of order p and scalars below p.
///
/// A scalar above p / 2 counts as negative, so that small negative numbers are short too.
pub fn msm<P>(points: &[Affine<P>], scalars: &[Limbs]) -> Projective<P>
where
    P: SWCurveConfig<BaseField: Coordinate>,
    P::ScalarField: PrimeField<BigInt = Limbs>,
{
    msm_on(vector::unit(), points, scalars)
}

/// `msm` with the vector unit, or without.
fn msm_on<P>(unit: Option<Ifma>, points: &[Affine<P>], scalars: &[Limbs]) -> Projective<P>
where
    P: SWCurveConfig<BaseField: Coordinate>,
    P::ScalarField: PrimeField<BigInt = Limbs>,
{
    let terms: Vec<Term> = points
        .par_iter()
        .zip(scalars)
        .enumerate()
        .with_min_len(1024)
        .filter(|(_, (point, scalar))| !point.is_zero() && !scalar.is_zero())
        .map(|(index, (_, scalar))| Term::new::<P::ScalarField>(index as u32, *scalar))
        .collect();
    if terms.is_empty() {
        return Projective::zero();
    }
    let windows = Windows::choose(&terms);
    let terms: Vec<Term> = terms.into_iter().map(|term| windows.recode(term)).collect();
    let sums: Vec<Projective<P>> = (0..windows.count)
        .into_par_iter()
        .with_max_len(1)
        .map(|w| sum_window(unit, points, &terms, &windows, w))
        .collect();
    sums.iter().rev().fold(Projective::zero(), |mut total, sum| {
        for _ in 0..windows.width {
            total.double_in_place();
        }
        total + sum
    })
}

/// A point, by its place, with its scalar.
#[derive(Clone, Copy)]
struct Term {
    magnitude: Limbs,
    /// Twice the index of the point, plus 1 when it counts negative.
    signed_index: u32,
}

impl Term {
    fn new<F: PrimeField<BigInt = Limbs>>(index: u32, scalar: Limbs) -> Self {
        if scalar <= F::MODULUS_MINUS_ONE_DIV_TWO {
            return Term { magnitude: scalar, signed_index: index << 1 };
        }
        let mut magnitude = F::MODULUS;
        magnitude.sub_with_borrow(&scalar);
        Term { magnitude, signed_index: index << 1 | 1 }
    }
}

/// How scalars are cut into signed digits: every window but the last has digits in -2^(width - 1) .. 2^(width - 1) - 1.
struct Windows {
    width: usize,
    count: usize,
    /// 2^(width - 1) in every window but the last: a scalar plus this has the digits plus 2^(width - 1) as plain bits.
    offset: Limbs,
}

impl Windows {
    /// The width at which the terms cost least.
    fn choose(terms: &[Term]) -> Self {
        let mut lengths = [0usize; 257];
        terms.iter().for_each(|term| lengths[term.magnitude.num_bits() as usize] += 1);
        let longest = lengths.iter().rposition(|n| *n > 0).unwrap_or(0);
        let cost = |width: &usize| {
            let digits: usize = lengths.iter().enumerate().map(|(bits, n)| n * (bits / width + 1)).sum();
            ADDITION_COST * digits + BUCKET_COST * ((longest / width + 1) << (width - 1))
        };
        let width = WIDTHS.min_by_key(cost).unwrap_or(WIDTHS.start);
        let count = longest / width + 1;
        let mut bits = [false; 256];
        (1..count).for_each(|window| bits[window * width - 1] = true);
        Windows { width, count, offset: Limbs::from_bits_le(&bits) }
    }

    fn recode(&self, term: Term) -> Term {
        let mut magnitude = term.magnitude;
        magnitude.add_with_carry(&self.offset);
        Term { magnitude, ..term }
    }

    fn buckets(&self) -> usize {
        1 << (self.width - 1)
    }

    /// A recoded term's digit as a bucket, 0 for none, and the index with the sign of digit and scalar together.
    #[inline]
    fn bucket(&self, term: &Term, window: usize) -> (usize, u32) {
        let (limb, shift) = (window * self.width / 64, window * self.width % 64);
        let limbs = &term.magnitude.0;
        let mut bits = limbs[limb] >> shift;
        if shift + self.width > 64 && limb + 1 < limbs.len() {
            bits |= limbs[limb + 1] << (64 - shift);
        }
        let digit = (bits & ((1 << self.width) - 1)) as i64;
        let digit = if window + 1 < self.count { digit - self.buckets() as i64 } else { digit };
        (digit.unsigned_abs() as usize, term.signed_index ^ u32::from(digit < 0))
    }
}

/// The sum of the points times their digits in window `w`.
fn sum_window<P: SWCurveConfig<BaseField: Coordinate>>(
    unit: Option<Ifma>,
    points: &[Affine<P>],
    terms: &[Term],
    windows: &Windows,
    w: usize,
) -> Projective<P> {
    // sorted by bucket: places[starts[b] .. starts[b + 1]] are those of bucket b
    let mut starts = vec![0u32; windows.buckets() + 2];
    terms.iter().for_each(|term| starts[windows.bucket(term, w).0] += 1);
    let mut total = 0;
    starts[0] = 0;
    for start in starts.iter_mut() {
        total += std::mem::replace(start, total);
    }
    let mut places = vec![0u32; total as usize];
    let mut next = starts.clone();
    for term in terms {
        let (bucket, signed_index) = windows.bucket(term, w);
        if bucket > 0 {
            places[next[bucket] as usize] = signed_index;
            next[bucket] += 1;
        }
    }
    let buckets: Vec<Option<Point<P::BaseField>>> =
        cut(&starts, if unit.is_some() { VECTOR_RANGE } else { SCALAR_RANGE })
            .into_par_iter()
            .with_max_len(1)
            .flat_map_iter(|buckets| {
                let ends = &starts[buckets.start..=buckets.end];
                let lengths = ends.windows(2).map(|pair| pair[1] - pair[0]).collect();
                let places = places[ends[0] as usize..ends[ends.len() - 1] as usize].to_vec();
                sum_groups::<P>(unit, points, Groups { places, lengths })
            })
            .collect();
    sum_weighted::<P>(unit, &buckets)
}

/// sum_b (b + 1) buckets[b].
fn sum_weighted<P>(unit: Option<Ifma>, buckets: &[Option<Point<P::BaseField>>]) -> Projective<P>
where
    P: SWCurveConfig<BaseField: Coordinate>,
{
    let points: Vec<Point<P::BaseField>> = buckets.iter().flatten().copied().collect();
    let mut next = (0u32..).map(|index| 2 * index);
    let places: Vec<Option<u32>> = buckets.iter().map(|bucket| bucket.as_ref().and_then(|_| next.next())).collect();
    let shift = buckets.len().ilog2().div_ceil(2);
    let columns = 1 << shift;
    let rows = Groups::new(places.chunks(columns).map(|row| row.iter().flatten().copied()));
    let columns = Groups::new((0..columns).map(|low| places[low..].iter().step_by(columns).flatten().copied()));
    let mut sum = sum_running::<P>(&sum_groups::<P>(unit, &points[..], rows)[1..]);
    (0..shift).for_each(|_| {
        sum.double_in_place();
    });
    sum + sum_running::<P>(&sum_groups::<P>(unit, &points[..], columns))
}

/// sum_k (k + 1) points[k], from the last to the first.
fn sum_running<P: SWCurveConfig>(points: &[Option<Point<P::BaseField>>]) -> Projective<P> {
    let (mut running, mut total) = (Bucket::<P>::ZERO, Bucket::<P>::ZERO);
    for point in points.iter().rev() {
        if let Some(Point { x, y }) = point {
            running += &Affine::<P>::new_unchecked(*x, *y);
        }
        total += &running;
    }
    total.into()
}

/// Consecutive ranges of buckets from 1 on with about `points` points each.
fn cut(starts: &[u32], points: usize) -> Vec<Range<usize>> {
    let last = starts.len() - 1;
    let mut ranges = Vec::new();
    let mut from = 1;
    while from < last {
        let limit = starts[from] as usize + points;
        let to = starts.partition_point(|start| *start as usize <= limit).saturating_sub(1).clamp(from + 1, last);
        ranges.push(from..to);
        from = to;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::power_of_two;
    use crate::testing::seeded;
    use ark_bn254::{g1, g2, Fr};
    use ark_ec::scalar_mul::BatchMulPreprocessing;
    use ark_ec::PrimeGroup;
    use ark_ff::{One, UniformRand};
    use ark_std::rand::Rng;

    /// Checks sum_i scalars[i] (multiples[i] G) against (sum_i scalars[i] multiples[i]) G.
    #[track_caller]
    fn check_sum<P: SWCurveConfig<ScalarField = Fr, BaseField: Coordinate>>(multiples: &[Fr], scalars: &[Fr]) {
        let generator = Projective::<P>::generator();
        let points = BatchMulPreprocessing::new(generator, multiples.len().max(1)).batch_mul(multiples);
        let plain: Vec<Limbs> = scalars.iter().map(|s| s.into_bigint()).collect();
        let expected = generator * multiples.iter().zip(scalars).map(|(m, s)| *m * s).sum::<Fr>();
        for unit in [None, Ifma::detect()] {
            assert_eq!(msm_on(unit, &points, &plain), expected, "{unit:?}");
        }
    }

    #[track_caller]
    fn check_both_groups(multiples: &[Fr], scalars: &[Fr]) {
        check_sum::<g1::Config>(multiples, scalars);
        check_sum::<g2::Config>(multiples, scalars);
    }

    /// Small numbers, their negatives, the middle and the ends of the field, the ends of every window.
    fn edge_scalars() -> Vec<Fr> {
        let half = Fr::from(Fr::MODULUS_MINUS_ONE_DIV_TWO);
        let powers = (0..254).map(power_of_two::<Fr>);
        let ends = powers.flat_map(|power| [power - Fr::one(), power, power + Fr::one(), -power]);
        [Fr::zero(), Fr::one(), -Fr::one(), half, half + Fr::one()].into_iter().chain(ends).collect()
    }

    #[test]
    fn sums_of_any_number_of_points() {
        let mut rng = seeded();
        for length in [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 100, 1000, 10_000] {
            let mut random = || (0..length).map(|_| Fr::rand(&mut rng)).collect::<Vec<_>>();
            check_both_groups(&random(), &random());
        }
    }

    #[test]
    fn scalars_at_every_edge() {
        let scalars = edge_scalars();
        let mut rng = seeded();
        let multiples: Vec<Fr> = scalars.iter().map(|_| Fr::rand(&mut rng)).collect();
        check_both_groups(&multiples, &scalars);
        for scalar in &scalars {
            check_sum::<g1::Config>(&multiples[..3], &[*scalar; 3]);
        }
    }

    #[test]
    fn scalars_of_every_length() {
        let mut rng = seeded();
        let multiples: Vec<Fr> = (0..300).map(|_| Fr::rand(&mut rng)).collect();
        for bits in [1, 2, 5, 31, 32, 33, 63, 64, 65, 84, 127, 128, 200, 253] {
            let limit = power_of_two::<Fr>(bits).into_bigint();
            let mut short = || {
                let mut limbs = Fr::rand(&mut rng).into_bigint();
                limbs >>= (254 - bits) as u32;
                assert!(limbs < limit);
                let value = Fr::from(limbs);
                if rng.gen() {
                    value
                } else {
                    -value
                }
            };
            let scalars: Vec<Fr> = multiples.iter().map(|_| short()).collect();
            check_sum::<g1::Config>(&multiples, &scalars);
        }
    }

    #[test]
    fn repeated_opposite_and_identity_points() {
        let mut rng = seeded();
        let few = [Fr::one(), -Fr::one(), Fr::zero(), Fr::from(2), -Fr::from(2), Fr::from(3)];
        let multiples: Vec<Fr> = (0..4000).map(|_| few[rng.gen_range(0..few.len())]).collect();
        let mut of =
            |choices: &[Fr]| multiples.iter().map(|_| choices[rng.gen_range(0..choices.len())]).collect::<Vec<_>>();
        for scalars in [of(&few), of(&[Fr::one()]), of(&[Fr::zero()]), of(&edge_scalars())] {
            check_both_groups(&multiples, &scalars);
            check_both_groups(&[Fr::one(); 4000], &scalars);
            check_both_groups(&[Fr::zero(); 4000], &scalars);
        }
        check_both_groups(&[Fr::one(), -Fr::one()], &[Fr::one(); 2]);
        check_both_groups(&[Fr::one(), Fr::one()], &[Fr::one(); 2]);
    }
}
