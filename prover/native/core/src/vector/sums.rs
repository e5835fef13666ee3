//! Sums of groups of affine points, eight additions at a time.
//!
//! As in `batch`, the points of each group are added in pairs, round by round, and one inversion serves a whole round:
//! each lane multiplies up its own differences, and the last products of all lanes are inverted together by scalar
//! code. Sums go to the end of an arena; the next round finds its points there.
//!
//! Two points with the same x, equal or opposite, make a product zero. Then there is no result, and the caller adds the
//! points by the scalar code, which knows both cases.

use super::ifma::{Ifma, Lanes};
use crate::batch::{invert, Groups, Point, SignedPoints};
use crate::inverse::Invertible;
use ark_bn254::{Fq, Fq2, FqConfig};
use ark_ff::{AdditiveGroup, Field};
use std::array::from_fn;

/// Products of differences that are multiplied up side by side: one waits for the multiplier's latency, two do not.
const CHAINS: usize = 2;
/// Steps of eight pairs between asking for a key's points and using them.
const AHEAD: usize = 4;
/// Rounds for which memory is set aside: groups of 2^16 points.
const ROUNDS: usize = 16;

/// A field of coordinates that has lanes. Products are as `ifma` makes them: x y / 16.
pub trait Coordinate: Invertible {
    type Lanes: Copy;

    /// Eight elements.
    fn gather(unit: Ifma, at: [&Self; 8]) -> Self::Lanes;
    /// The elements of lanes below p.
    fn scatter(unit: Ifma, a: Self::Lanes) -> [Self; 8];
    /// a b / 16 below 2 p, for a below 2 p and b below 17.6 p.
    fn multiply(unit: Ifma, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// a - b below 2 p, for a and b up to p.
    fn difference(unit: Ifma, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// -a in the lanes of `mask`, up to p for a below p.
    fn negate_where(unit: Ifma, mask: u8, a: Self::Lanes) -> Self::Lanes;
    fn times_16(unit: Ifma, a: Self::Lanes) -> Self::Lanes;
    /// slope^2 - 2 x - difference below p, for the slope below 1.1 p, 16 times it, x below p and difference below 2 p.
    fn third_x(unit: Ifma, slope: [Self::Lanes; 2], x: Self::Lanes, difference: Self::Lanes) -> Self::Lanes;
    /// a - b below p, for a below 2 p and b up to p.
    fn reduced_difference(unit: Ifma, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
}

impl Coordinate for Fq {
    type Lanes = Lanes<FqConfig>;

    #[inline(always)]
    fn gather(unit: Ifma, at: [&Self; 8]) -> Self::Lanes {
        unit.gather(at)
    }
    #[inline(always)]
    fn scatter(unit: Ifma, a: Self::Lanes) -> [Self; 8] {
        unit.scatter(a)
    }
    #[inline(always)]
    fn multiply(unit: Ifma, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        unit.mul(a, b)
    }
    #[inline(always)]
    fn difference(unit: Ifma, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        unit.sub::<1, _>(a, b)
    }
    #[inline(always)]
    fn negate_where(unit: Ifma, mask: u8, a: Self::Lanes) -> Self::Lanes {
        unit.negate_where(mask, a)
    }
    #[inline(always)]
    fn times_16(unit: Ifma, a: Self::Lanes) -> Self::Lanes {
        unit.times_16(a)
    }
    #[inline(always)]
    fn third_x(unit: Ifma, slope: [Self::Lanes; 2], x: Self::Lanes, difference: Self::Lanes) -> Self::Lanes {
        unit.reduced::<3, 1, 3, _>([unit.mul(slope[0], slope[1])], [x, x, difference])
    }
    #[inline(always)]
    fn reduced_difference(unit: Ifma, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        unit.reduced::<1, 1, 1, _>([a], [b])
    }
}

/// c0 + c1 u with u^2 = -1.
impl Coordinate for Fq2 {
    type Lanes = [Lanes<FqConfig>; 2];

    #[inline(always)]
    fn gather(unit: Ifma, at: [&Self; 8]) -> Self::Lanes {
        [unit.gather(at.map(|x| &x.c0)), unit.gather(at.map(|x| &x.c1))]
    }
    #[inline(always)]
    fn scatter(unit: Ifma, a: Self::Lanes) -> [Self; 8] {
        let [c0, c1] = a.map(|c| Fq::scatter(unit, c));
        from_fn(|k| Fq2::new(c0[k], c1[k]))
    }
    #[inline(always)]
    fn multiply(unit: Ifma, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        let negative = unit.sub::<2, _>(unit.splat(&Fq::ZERO), a[1]);
        [unit.mul_two(a[0], b[0], negative, b[1]), unit.mul_two(a[0], b[1], a[1], b[0])]
    }
    #[inline(always)]
    fn difference(unit: Ifma, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        from_fn(|c| Fq::difference(unit, a[c], b[c]))
    }
    #[inline(always)]
    fn negate_where(unit: Ifma, mask: u8, a: Self::Lanes) -> Self::Lanes {
        a.map(|c| unit.negate_where(mask, c))
    }
    #[inline(always)]
    fn times_16(unit: Ifma, a: Self::Lanes) -> Self::Lanes {
        a.map(|c| unit.times_16(c))
    }
    /// (s0 + s1 u)^2 = (s0 + s1)(s0 - s1) + 2 s0 s1 u; the factors are below 2.2 p and 35.6 p.
    #[inline(always)]
    fn third_x(unit: Ifma, [s, scaled]: [Self::Lanes; 2], x: Self::Lanes, difference: Self::Lanes) -> Self::Lanes {
        let square = [
            unit.mul(unit.add(s[0], s[1]), unit.sub::<18, _>(scaled[0], scaled[1])),
            unit.mul(unit.add(s[0], s[0]), scaled[1]),
        ];
        from_fn(|c| unit.reduced::<3, 1, 3, _>([square[c]], [x[c], x[c], difference[c]]))
    }
    #[inline(always)]
    fn reduced_difference(unit: Ifma, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        from_fn(|c| Fq::reduced_difference(unit, a[c], b[c]))
    }
}

/// Where a round finds its points.
trait Source<F> {
    /// Whether the lowest bit of a place is a sign.
    const SIGNED: bool;
    fn point<'a>(&'a self, arena: &'a [Point<F>], place: u32) -> (&'a F, &'a F);
    fn prefetch(&self, unit: Ifma, place: u32);
}

/// Points of a key, in the first round.
struct Given<'a, S: ?Sized>(&'a S);

impl<F: Field, S: SignedPoints<F> + ?Sized> Source<F> for Given<'_, S> {
    const SIGNED: bool = true;

    #[inline(always)]
    fn point<'a>(&'a self, _: &'a [Point<F>], place: u32) -> (&'a F, &'a F) {
        self.0.coordinates((place >> 1) as usize)
    }
    #[inline(always)]
    fn prefetch(&self, unit: Ifma, place: u32) {
        let (x, y) = self.0.coordinates((place >> 1) as usize);
        unit.prefetch(x);
        unit.prefetch(y);
    }
}

/// Sums of earlier rounds.
struct Earlier;

impl<F> Source<F> for Earlier {
    const SIGNED: bool = false;

    #[inline(always)]
    fn point<'a>(&'a self, arena: &'a [Point<F>], place: u32) -> (&'a F, &'a F) {
        let point = &arena[place as usize];
        (&point.x, &point.y)
    }
    #[inline(always)]
    fn prefetch(&self, _: Ifma, _: u32) {}
}

/// The sum of each group; none when two points that meet have the same x.
pub fn sum_groups<F: Coordinate, S: SignedPoints<F> + ?Sized>(
    unit: Ifma,
    points: &S,
    groups: &Groups,
) -> Option<Vec<Option<Point<F>>>> {
    let count = groups.places.len();
    let mut adder = Adder {
        unit,
        // each addition takes a point away; each round fills its last step of eight
        arena: Vec::with_capacity(count + 8 * ROUNDS),
        pairs: Vec::with_capacity(count / 2 + 8),
        steps: Vec::with_capacity(count / 16 + 1),
    };
    let mut round = groups.clone();
    // sums come after the points that have no partner
    let alone = groups.lengths.iter().filter(|length| *length % 2 == 1).count();
    let Adder { arena, pairs, .. } = &mut adder;
    round.pair_up(pairs, alone, |place| {
        arena.push(points.signed(place));
        arena.len() as u32 - 1
    });
    adder.add(&Given(points))?;
    while round.lengths.iter().any(|length| *length > 1) {
        let base = adder.arena.len();
        round.pair_up(&mut adder.pairs, base, |place| place);
        adder.add(&Earlier)?;
    }
    let mut places = round.places.iter();
    let sum = |length: &u32| if *length > 0 { places.next().map(|place| adder.arena[*place as usize]) } else { None };
    Some(round.lengths.iter().map(sum).collect())
}

impl Groups {
    /// Takes the points of each group in pairs: their sums will have the places from `base` on. A point without a
    /// partner goes where `keep` says.
    fn pair_up(&mut self, pairs: &mut Vec<[u32; 2]>, base: usize, mut keep: impl FnMut(u32) -> u32) {
        pairs.clear();
        let (mut read, mut write) = (0, 0);
        for length in &mut self.lengths {
            let end = read + *length as usize;
            while read + 1 < end {
                pairs.push([self.places[read], self.places[read + 1]]);
                self.places[write] = (base + pairs.len() - 1) as u32;
                (read, write) = (read + 2, write + 1);
            }
            if read < end {
                self.places[write] = keep(self.places[read]);
                (read, write) = (read + 1, write + 1);
            }
            *length = length.div_ceil(2);
        }
        self.places.truncate(write);
    }
}

/// The additions of a round, and space for them.
struct Adder<F: Coordinate> {
    unit: Ifma,
    arena: Vec<Point<F>>,
    pairs: Vec<[u32; 2]>,
    /// For each step of eight pairs, the differences of x and the product of the chain's differences before.
    steps: Vec<[F::Lanes; 2]>,
}

impl<F: Coordinate> Adder<F> {
    /// Appends the sums of the pairs to the arena, and some more to make the last step full.
    fn add<S: Source<F>>(&mut self, source: &S) -> Option<()> {
        let Some(last) = self.pairs.last().copied() else { return Some(()) };
        self.pairs.resize(self.pairs.len().next_multiple_of(8), last);
        let unit = self.unit;
        let products = unit.run(
            #[inline(always)]
            || self.multiply_up(source),
        );
        let mut ends: Vec<F> = products.into_iter().flatten().collect();
        if ends.iter().any(|product| product.is_zero()) {
            return None;
        }
        invert(&mut ends, &mut Vec::new());
        // the products lack as many factors of 16 as the steps below take away, but one
        ends.iter_mut().for_each(|inverse| *inverse *= F::from(16u64));
        let base = self.arena.len();
        self.arena.resize(base + self.pairs.len(), Point { x: F::ZERO, y: F::ZERO });
        unit.run(
            #[inline(always)]
            || self.add_up(source, &ends, base),
        );
        Some(())
    }

    #[inline(always)]
    fn step(&self, k: usize) -> [[u32; 2]; 8] {
        self.pairs.as_chunks::<8>().0[k]
    }

    /// x, and y with its sign, of the points `side` of eight pairs.
    #[inline(always)]
    fn gather_x<S: Source<F>>(&self, source: &S, pairs: [[u32; 2]; 8], side: usize) -> F::Lanes {
        F::gather(
            self.unit,
            from_fn(
                #[inline(always)]
                |k| source.point(&self.arena, pairs[k][side]).0,
            ),
        )
    }

    #[inline(always)]
    fn gather_y<S: Source<F>>(&self, source: &S, pairs: [[u32; 2]; 8], side: usize) -> F::Lanes {
        let y = F::gather(
            self.unit,
            from_fn(
                #[inline(always)]
                |k| source.point(&self.arena, pairs[k][side]).1,
            ),
        );
        if !S::SIGNED {
            return y;
        }
        let mask = (0..8).fold(0, |mask, k| mask | ((pairs[k][side] & 1) as u8) << k);
        F::negate_where(self.unit, mask, y)
    }

    /// The product of all differences of x, chain by chain and lane by lane.
    #[inline(always)]
    fn multiply_up<S: Source<F>>(&mut self, source: &S) -> [[F; 8]; CHAINS] {
        let unit = self.unit;
        let one = F::ONE;
        let mut running = [F::gather(unit, [&one; 8]); CHAINS];
        self.steps.clear();
        for k in 0..self.pairs.len() / 8 {
            let pairs = self.step(k);
            for place in self.pairs.as_chunks::<8>().0.get(k + AHEAD).into_iter().flatten().flatten() {
                source.prefetch(unit, *place);
            }
            let x = self.gather_x(source, pairs, 0);
            let difference = F::difference(unit, self.gather_x(source, pairs, 1), x);
            let chain = &mut running[k % CHAINS];
            self.steps.push([difference, *chain]);
            *chain = F::multiply(unit, *chain, difference);
        }
        let zero = F::gather(unit, [&F::ZERO; 8]);
        running.map(|product| F::scatter(unit, F::reduced_difference(unit, product, zero)))
    }

    /// The sums, from the last step to the first; `inverses` are those of the chains' and lanes' products, times 16.
    #[inline(always)]
    fn add_up<S: Source<F>>(&mut self, source: &S, inverses: &[F], base: usize) {
        let unit = self.unit;
        let mut running: [F::Lanes; CHAINS] = from_fn(|c| F::gather(unit, from_fn(|k| &inverses[8 * c + k])));
        for k in (0..self.pairs.len() / 8).rev() {
            let pairs = self.step(k);
            let [difference, before] = self.steps[k];
            let chain = &mut running[k % CHAINS];
            let inverse = F::multiply(unit, before, *chain);
            *chain = F::multiply(unit, difference, *chain);
            let (x, y) = (self.gather_x(source, pairs, 0), self.gather_y(source, pairs, 0));
            let rise = F::difference(unit, self.gather_y(source, pairs, 1), y);
            let slope = F::multiply(unit, rise, inverse);
            let scaled = F::times_16(unit, slope);
            let third_x = F::third_x(unit, [slope, scaled], x, difference);
            let fall = F::multiply(unit, F::difference(unit, x, third_x), scaled);
            let third_y = F::reduced_difference(unit, fall, y);
            let (xs, ys) = (F::scatter(unit, third_x), F::scatter(unit, third_y));
            for (sum, (x, y)) in self.arena[base + 8 * k..][..8].iter_mut().zip(xs.into_iter().zip(ys)) {
                *sum = Point { x, y };
            }
        }
    }
}
