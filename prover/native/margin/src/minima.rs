//! Minima of convex, piecewise linear functions, as `zkmargin.engine.policy.batch.convex_minima` finds them.
//!
//! Both searches hold a supporting line on each side of the minimum; their crossing is the next point, until the
//! function does not rise above the two lines there.

use crate::eight::Eight;
use crate::product::Line;

/// Where the tail's search begins, as a share of the tail mean that would bind.
const FIRST_QUANTILE: f64 = 0.5;

/// factor * max_k (value_k + slope_k n); the values are the account's.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Rising.
    pub slopes: Vec<f64>,
    pub factor: f64,
}

/// A line by its height at zero and its slope.
#[derive(Clone, Copy)]
struct Support {
    at_zero: f64,
    slope: f64,
}

#[inline(always)]
pub fn larger(x: f64, y: f64) -> f64 {
    if x > y {
        x
    } else {
        y
    }
}

#[inline(always)]
pub fn largest(of: &[f64]) -> f64 {
    of.iter().fold(f64::NEG_INFINITY, |top, x| larger(*x, top))
}

/// min over n of sum_g envelope_g(n) + charge |n|; `values` holds the envelopes' values one after the other.
pub fn minimise_transfer(envelopes: &[Envelope], values: &[f64], charge: f64) -> f64 {
    let (mut best, mut left, mut right) = (0.0, -charge, charge);
    let mut lines = 0;
    for (envelope, own) in split(envelopes, values) {
        let top = largest(own);
        let (mut falls, mut rises) = (f64::INFINITY, f64::NEG_INFINITY);
        for (value, slope) in own.iter().zip(&envelope.slopes) {
            if *value == top {
                (falls, rises) = (if *slope < falls { *slope } else { falls }, larger(*slope, rises));
            }
        }
        best += envelope.factor * top;
        left += envelope.factor * falls;
        right += envelope.factor * rises;
        lines += own.len();
    }
    let ahead = right < 0.0;
    if !ahead && left <= 0.0 {
        return best;
    }
    let toll = if ahead { charge } else { -charge };
    let mut outer = Support { at_zero: 0.0, slope: 0.0 };
    for (envelope, own) in split(envelopes, values) {
        let end = if ahead { own.len() - 1 } else { 0 };
        outer.at_zero += envelope.factor * own[end];
        outer.slope += envelope.factor * envelope.slopes[end];
    }
    outer.slope += toll;
    let inner = Support { at_zero: best, slope: if ahead { right } else { left } };
    let (low, high) = if ahead { (inner, outer) } else { (outer, inner) };
    let height = |n: f64| {
        let (mut total, mut slope) = (toll * n, toll);
        for (envelope, own) in split(envelopes, values) {
            let (mut top, mut steepest) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
            for (value, slope) in own.iter().zip(&envelope.slopes) {
                let line = slope * n + value;
                if line >= top {
                    (top, steepest) = (line, *slope);
                }
            }
            total += envelope.factor * top;
            slope += envelope.factor * steepest;
        }
        (total, slope)
    };
    let least = close_in(height, low, high, cross(low, high), lines);
    if least < best {
        least
    } else {
        best
    }
}

/// Each envelope with its values.
#[inline(always)]
fn split<'a>(envelopes: &'a [Envelope], values: &'a [f64]) -> impl Iterator<Item = (&'a Envelope, &'a [f64])> {
    envelopes.iter().scan(values, |rest, envelope| {
        let (own, others) = rest.split_at(envelope.slopes.len());
        *rest = others;
        Some((envelope, own))
    })
}

/// The expected shortfall of a policy.
#[derive(Clone, Debug)]
pub struct Tail {
    /// Place of the first scenario among an account's losses.
    pub first: usize,
    /// w per scenario, in whole lines; what the last one has too many is zero.
    pub weights: Vec<Line>,
    /// Sum of the w.
    pub whole: f64,
    /// m.
    pub weight: f64,
}

impl Tail {
    /// max(least, min over t of m t + sum_h w_h max(0, loss_h - t)).
    #[inline(always)]
    pub fn raise<E: Eight>(&self, unit: E, losses: &[f64], least: f64) -> f64 {
        let losses = &losses[self.first..][..8 * self.weights.len()];
        let t = least * (FIRST_QUANTILE / self.weight);
        let (total, slope) = self.height(unit, losses, t);
        if total <= least {
            return least;
        }
        let all = losses.iter().zip(self.weights.iter().flat_map(|line| &line.0)).map(|(loss, w)| w * loss).sum();
        let low = Support { at_zero: all, slope: self.weight - self.whole };
        let high = Support { at_zero: 0.0, slope: self.weight };
        let (low, high) = cut(low, high, t, total, slope);
        let found = close_in(
            #[inline(always)]
            |t| self.height(unit, losses, t),
            low,
            high,
            cross(low, high),
            losses.len(),
        );
        larger(if total < found { total } else { found }, least)
    }

    /// m t + sum_h w_h max(0, loss_h - t), and its slope.
    #[inline(always)]
    fn height<E: Eight>(&self, unit: E, losses: &[f64], t: f64) -> (f64, f64) {
        let (mut excess, mut above, point) = (unit.splat(0.0), unit.splat(0.0), unit.splat(t));
        for (loss, weight) in losses.as_chunks().0.iter().zip(&self.weights) {
            let over = unit.difference(unit.load(loss), point);
            (excess, above) = unit.add_positive(over, unit.load(&weight.0), excess, above);
        }
        let [excess, above] = [unit.store(excess), unit.store(above)].map(|sum| sum.iter().sum::<f64>());
        (excess + self.weight * t, self.weight - above)
    }
}

#[inline(always)]
fn cross(low: Support, high: Support) -> f64 {
    (high.at_zero - low.at_zero) / (low.slope - high.slope)
}

/// The lines left and right of the minimum after an evaluation at `point`.
#[inline(always)]
fn cut(low: Support, high: Support, point: f64, total: f64, slope: f64) -> (Support, Support) {
    let line = Support { at_zero: total - slope * point, slope };
    (if slope < 0.0 { line } else { low }, if slope > 0.0 { line } else { high })
}

/// The least value found from the crossing `point` on, which is the minimum; a function has at most `pieces` pieces,
/// and each step finds another one.
#[inline(always)]
fn close_in(
    height: impl Fn(f64) -> (f64, f64),
    mut low: Support,
    mut high: Support,
    mut point: f64,
    pieces: usize,
) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..=pieces {
        let (total, slope) = height(point);
        best = if total < best { total } else { best };
        if !(low.slope < slope && slope < high.slope && slope != 0.0) {
            break;
        }
        (low, high) = cut(low, high, point, total, slope);
        point = cross(low, high);
    }
    best
}
