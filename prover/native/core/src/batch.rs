//! Many sums of affine points at once.
//!
//! An addition of two affine points takes one division. Montgomery's trick shares one inversion among thousands of
//! them, which leaves 5 multiplications and a square, where a mixed projective addition takes 10. So the points of a
//! group are added in pairs, round by round, all groups at once.

use crate::inverse::Invertible;
use crate::vector::{self, Coordinate, Ifma};
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::{AdditiveGroup, Field, Zero};

/// An affine point that is not the identity.
#[derive(Clone, Copy)]
pub struct Point<F> {
    pub x: F,
    pub y: F,
}

/// Points that are found by a signed place: twice the index, plus 1 for the negative. None of those asked for is the
/// identity.
pub trait SignedPoints<F: Field>: Sync {
    fn coordinates(&self, index: usize) -> (&F, &F);

    fn signed(&self, place: u32) -> Point<F> {
        let (x, y) = self.coordinates((place >> 1) as usize);
        Point { x: *x, y: if place & 1 == 0 { *y } else { -*y } }
    }
}

impl<P: SWCurveConfig> SignedPoints<P::BaseField> for [Affine<P>] {
    fn coordinates(&self, index: usize) -> (&P::BaseField, &P::BaseField) {
        (&self[index].x, &self[index].y)
    }
}

impl<F: Field> SignedPoints<F> for [Point<F>] {
    fn coordinates(&self, index: usize) -> (&F, &F) {
        (&self[index].x, &self[index].y)
    }
}

/// Signed places of points, group after group.
#[derive(Clone, Default)]
pub struct Groups {
    pub places: Vec<u32>,
    pub lengths: Vec<u32>,
}

impl Groups {
    pub fn new<G: Iterator<Item = u32>>(groups: impl Iterator<Item = G>) -> Self {
        let mut all = Groups::default();
        for group in groups {
            let before = all.places.len();
            all.places.extend(group);
            all.lengths.push((all.places.len() - before) as u32);
        }
        all
    }
}

/// The sum of each group, none for the identity.
pub fn sum_groups<P>(
    unit: Option<Ifma>,
    points: &(impl SignedPoints<P::BaseField> + ?Sized),
    groups: Groups,
) -> Vec<Option<Point<P::BaseField>>>
where
    P: SWCurveConfig<BaseField: Coordinate>,
{
    unit.and_then(|unit| vector::sum_groups(unit, points, &groups)).unwrap_or_else(|| {
        let points = groups.places.iter().map(|place| points.signed(*place)).collect();
        Batch::<P>::new(points, groups.lengths).reduce()
    })
}

/// Groups of points, one after the other, each to be summed.
struct Batch<P: SWCurveConfig> {
    points: Vec<Point<P::BaseField>>,
    lengths: Vec<u32>,
    /// Working space of a round.
    inverses: Vec<P::BaseField>,
    products: Vec<P::BaseField>,
}

impl<P: SWCurveConfig<BaseField: Invertible>> Batch<P> {
    /// `lengths` are those of the groups, in the order of the points.
    fn new(points: Vec<Point<P::BaseField>>, lengths: Vec<u32>) -> Self {
        let half = points.len() / 2;
        Batch { points, lengths, inverses: Vec::with_capacity(half), products: Vec::with_capacity(half) }
    }

    /// The sum of each group, none for the identity.
    fn reduce(mut self) -> Vec<Option<Point<P::BaseField>>> {
        while self.halve() {}
        let mut points = self.points.into_iter();
        self.lengths.iter().map(|length| if *length > 0 { points.next() } else { None }).collect()
    }

    /// Adds the points of each group in pairs. False when no group holds two.
    fn halve(&mut self) -> bool {
        self.inverses.clear();
        let mut rest = &self.points[..];
        for length in &self.lengths {
            let (own, others) = rest.split_at(*length as usize);
            self.inverses.extend(own.chunks_exact(2).map(|pair| divisor(&pair[0], &pair[1])));
            rest = others;
        }
        if self.inverses.is_empty() {
            return false;
        }
        invert(&mut self.inverses, &mut self.products);
        let mut inverses = self.inverses.iter();
        // sums go to the front of the points: there is one sum for two points read
        let (mut read, mut write) = (0, 0);
        for length in &mut self.lengths {
            let (first, end) = (write, read + *length as usize);
            while read + 1 < end {
                let inverse = inverses.next().copied().unwrap_or_default();
                if let Some(sum) = add::<P>(&self.points[read], &self.points[read + 1], inverse) {
                    self.points[write] = sum;
                    write += 1;
                }
                read += 2;
            }
            if read < end {
                self.points[write] = self.points[read];
                (read, write) = (read + 1, write + 1);
            }
            *length = (write - first) as u32;
        }
        self.points.truncate(write);
        true
    }
}

/// What the slope of the line through two points is divided by; 1 where their sum is the identity.
#[inline]
fn divisor<F: Field>(p: &Point<F>, q: &Point<F>) -> F {
    let difference = q.x - p.x;
    if !difference.is_zero() {
        difference
    } else if p.y == q.y && !p.y.is_zero() {
        p.y.double()
    } else {
        F::one()
    }
}

/// p + q with the inverse of their divisor; none for the identity.
#[inline]
fn add<P: SWCurveConfig>(
    p: &Point<P::BaseField>,
    q: &Point<P::BaseField>,
    inverse: P::BaseField,
) -> Option<Point<P::BaseField>> {
    let rise = if p.x != q.x {
        q.y - p.y
    } else if p.y == q.y && !p.y.is_zero() {
        let square = p.x.square();
        square.double() + square + P::COEFF_A
    } else {
        return None;
    };
    let slope = rise * inverse;
    let x = slope.square() - p.x - q.x;
    Some(Point { x, y: slope * (p.x - x) - p.y })
}

/// Each value becomes its inverse; none may be zero. `products` is working space.
pub fn invert<F: Invertible>(values: &mut [F], products: &mut Vec<F>) {
    products.clear();
    if values.is_empty() {
        return;
    }
    let mut running = F::one();
    for value in values.iter() {
        products.push(running);
        running *= value;
    }
    let mut inverse = running.invert();
    for (value, product) in values.iter_mut().zip(products.iter()).rev() {
        let own = inverse * product;
        inverse *= *value;
        *value = own;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{g1, Fr, G1Affine};
    use ark_ec::{AffineRepr, CurveGroup};

    #[test]
    fn groups_are_summed_each_for_itself() {
        let groups: [&[i64]; 10] = [
            &[],
            &[5],
            &[-5],
            &[1, 1],           // a doubling
            &[1, -1],          // to the identity
            &[1, -1, 7],       // with a point left over
            &[2, 2, 2, 2, -4], // doublings of two rounds
            &[1, 2, 4, 8, 16, 32, 64],
            &[3, -3, 3, -3], // the identity twice
            &[9, 10, -11],
        ];
        let points: Vec<G1Affine> =
            (0..65i64).map(|multiple| (G1Affine::generator() * Fr::from(multiple)).into_affine()).collect();
        let place = |multiple: &i64| 2 * multiple.unsigned_abs() as u32 + u32::from(*multiple < 0);
        let check = |unit, groups: &[&[i64]]| {
            let places = Groups::new(groups.iter().map(|group| group.iter().map(place)));
            let sums = sum_groups::<g1::Config>(unit, &points[..], places);
            assert_eq!(sums.len(), groups.len());
            for (group, sum) in groups.iter().zip(&sums) {
                let sum = sum.map_or(G1Affine::zero(), |p| G1Affine::new(p.x, p.y));
                assert_eq!(
                    sum,
                    (G1Affine::generator() * Fr::from(group.iter().sum::<i64>())).into_affine(),
                    "{group:?}"
                );
            }
        };
        for unit in [None, Ifma::detect()] {
            check(unit, &groups);
            check(unit, &[groups[7], groups[9]]);
            groups.iter().for_each(|group| check(unit, &[group]));
        }
    }
}
