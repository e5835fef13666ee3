//! The quotient's transforms, eight columns or eight rows at a time.
//!
//! The n = n1 n2 values are a matrix of n1 rows, row by row. An inverse transform is one over the columns, a
//! multiplication by powers of the root, and one over the rows; a forward transform is the same backwards. Columns and
//! rows come out of the inverse transform in bit-reversed order and go so into the forward one, whose result is in
//! order: nothing is ever reversed. Between the two, each row stays in the cache: multiplied, transformed, moved to the
//! coset, transformed back, multiplied.
//!
//! Tables hold 16 times each factor, which takes the sixteenths of the products away.

use super::ifma::{Element, Ifma, Lanes};
use crate::field::Limbs;
use ark_bn254::{Fr, FrConfig};
use ark_ff::{BigInt, Field, One};
use rayon::prelude::*;
use std::array::from_fn;

type Vector = Lanes<FrConfig>;

/// The tables for one size.
pub struct Transform {
    unit: Ifma,
    rows: usize,
    columns: usize,
    /// Powers of the roots of columns and of rows: inverse, then forward.
    inverse: [Vec<Fr>; 2],
    forward: [Vec<Fr>; 2],
    /// For eight rows at a time: factors after the inverse transform of the columns, on the way to the coset, and
    /// before the forward transform of the columns.
    after_columns: Vec<Vec<Vector>>,
    to_coset: Vec<Vec<Vector>>,
    before_columns: Vec<Vec<Vector>>,
}

impl Transform {
    /// The least size: eight rows and eight columns.
    pub const LEAST: usize = 64;

    /// For `size` values, a power of two, `root` and `doubled` being roots of unity of orders size and 2 size.
    pub fn new(unit: Ifma, size: usize, root: Fr, doubled: Fr) -> Self {
        let rows = 1 << (size.ilog2() / 2);
        let columns = size / rows;
        let sixteen = Fr::from(16u64);
        let powers = |root: Fr| std::iter::successors(Some(Fr::one()), move |x| Some(*x * root)).take(size);
        let forward: Vec<Fr> = powers(root).map(|x| x * sixteen).collect();
        let inverse: Vec<Fr> = powers(root.inverse().unwrap_or_default()).map(|x| x * sixteen).collect();
        let scale = sixteen * Fr::from(size as u64).inverse().unwrap_or_default();
        let coset: Vec<Fr> = powers(doubled).map(|x| x * scale).collect();
        let step = |powers: &[Fr], step: usize| powers.iter().step_by(step).copied().collect::<Vec<Fr>>();
        let table = |powers: &[Fr], place: &dyn Fn(usize, usize) -> usize| -> Vec<Vec<Vector>> {
            let eight = |row: usize, column: usize| unit.gather(from_fn(|k| &powers[place(row + k, column)]));
            (0..rows).step_by(8).map(|row| (0..columns).map(|column| eight(row, column)).collect()).collect()
        };
        let twiddle = |row: usize, column: usize| column * reversed(row, rows);
        Transform {
            unit,
            rows,
            columns,
            inverse: [step(&inverse, columns), step(&inverse, rows)],
            forward: [step(&forward, columns), step(&forward, rows)],
            after_columns: table(&inverse, &twiddle),
            to_coset: table(&coset, &|row, column| reversed(row, rows) + rows * reversed(column, columns)),
            before_columns: table(&forward, &twiddle),
        }
    }

    /// a b - c, as numbers, at the odd points of the doubled domain, from the values of a, b and c on the domain.
    pub fn quotient(&self, values: [&[Fr]; 3]) -> Vec<Limbs> {
        let (row_blocks, column_blocks) = (self.rows / 8, self.columns / 8);
        let unit = self.unit;
        let each = |blocks: usize| (0..3 * blocks).into_par_iter().with_max_len(1);
        let columns: Vec<Vec<Vector>> = each(column_blocks)
            .map(|task| {
                unit.run(
                    #[inline(always)]
                    || self.columns_down(values[task / column_blocks], task % column_blocks),
                )
            })
            .collect();
        let rows: Vec<Vec<Vector>> = each(row_blocks)
            .map(|task| {
                let of_value = &columns[task / row_blocks * column_blocks..][..column_blocks];
                unit.run(
                    #[inline(always)]
                    || self.rows(of_value, task % row_blocks),
                )
            })
            .collect();
        let blocks: Vec<Vec<[Fr; 8]>> = (0..column_blocks)
            .into_par_iter()
            .with_max_len(1)
            .map(|block| {
                unit.run(
                    #[inline(always)]
                    || self.columns_up(&rows, block),
                )
            })
            .collect();
        let row = |i: usize| blocks.iter().flat_map(move |block| block[i].map(|x| x.0));
        (0..self.rows).into_par_iter().with_min_len(8).flat_map_iter(row).collect()
    }

    /// The inverse transform of eight columns; vector i holds their values in row i.
    #[inline(always)]
    fn columns_down(&self, values: &[Fr], block: usize) -> Vec<Vector> {
        let row = |row: &[Fr]| {
            self.unit.gather(from_fn(
                #[inline(always)]
                |k| &row[8 * block + k],
            ))
        };
        let mut column: Vec<Vector> = values.chunks_exact(self.columns).map(row).collect();
        invert(self.unit, &mut column, &self.inverse[0]);
        column
    }

    /// What happens to eight rows between the transforms of columns.
    #[inline(always)]
    fn rows(&self, columns: &[Vec<Vector>], block: usize) -> Vec<Vector> {
        let unit = self.unit;
        let mut row: Vec<Vector> = Vec::with_capacity(self.columns);
        columns.iter().for_each(|column| row.extend(unit.transpose(from_fn(|k| column[8 * block + k]))));
        multiply(unit, &mut row, &self.after_columns[block]);
        invert(unit, &mut row, &self.inverse[1]);
        multiply(unit, &mut row, &self.to_coset[block]);
        evaluate(unit, &mut row, &self.forward[1]);
        multiply(unit, &mut row, &self.before_columns[block]);
        for eight in row.as_chunks_mut::<8>().0 {
            *eight = unit.transpose(*eight);
        }
        row
    }

    /// The forward transform of eight columns of each of a, b and c, and the quotient there.
    #[inline(always)]
    fn columns_up(&self, rows: &[Vec<Vector>], block: usize) -> Vec<[Fr; 8]> {
        let unit = self.unit;
        let [a, b, c] = from_fn(
            #[inline(always)]
            |value| {
                let of_value = &rows[value * self.rows / 8..][..self.rows / 8];
                let mut column: Vec<Vector> =
                    of_value.iter().flat_map(|row| row[8 * block..][..8].iter().copied()).collect();
                evaluate(unit, &mut column, &self.forward[0]);
                column
            },
        );
        // a product takes 2^260 away: these numbers leave a b and c without the 2^256 that each element carries
        let number = |n: u64| unit.splat(&Element::<FrConfig>::new_unchecked(BigInt::from(n)));
        let (for_product, for_single) = (number(256), number(16));
        let quotient = |i: usize| {
            let product = unit.mul(unit.mul(a[i], b[i]), for_product);
            unit.scatter(unit.reduced::<2, 1, 1, _>([product], [unit.mul(c[i], for_single)]))
        };
        (0..self.rows).map(quotient).collect()
    }
}

/// `index` with its bits in the other order.
fn reversed(index: usize, size: usize) -> usize {
    index.reverse_bits() >> (usize::BITS - size.ilog2())
}

#[inline(always)]
fn multiply(unit: Ifma, values: &mut [Vector], factors: &[Vector]) {
    values.iter_mut().zip(factors).for_each(
        #[inline(always)]
        |(value, factor)| *value = unit.mul(*value, *factor),
    );
}

/// The inverse transform without its factor 1 / n, in order to bit-reversed order.
#[inline(always)]
fn invert(unit: Ifma, values: &mut [Vector], powers: &[Fr]) {
    let mut length = values.len();
    while length > 1 {
        let half = length / 2;
        for first in (0..values.len()).step_by(length) {
            butterfly_down(unit, values, first, half, None);
        }
        for j in 1..half {
            let power = unit.splat(&powers[j * (values.len() / length)]);
            for first in (j..values.len()).step_by(length) {
                butterfly_down(unit, values, first, half, Some(power));
            }
        }
        length = half;
    }
}

/// (x, y) to (x + y, (x - y) power).
#[inline(always)]
fn butterfly_down(unit: Ifma, values: &mut [Vector], first: usize, half: usize, power: Option<Vector>) {
    let (x, y) = (values[first], values[first + half]);
    values[first] = unit.halved::<0, 2, 0, _>([x, y], []);
    values[first + half] = match power {
        Some(power) => unit.mul(unit.sub::<2, _>(x, y), power),
        None => unit.halved::<2, 1, 1, _>([x], [y]),
    };
}

/// The forward transform, bit-reversed order to in order.
#[inline(always)]
fn evaluate(unit: Ifma, values: &mut [Vector], powers: &[Fr]) {
    let mut length = 2;
    while length <= values.len() {
        let half = length / 2;
        for first in (0..values.len()).step_by(length) {
            butterfly_up(unit, values, first, half, None);
        }
        for j in 1..half {
            let power = unit.splat(&powers[j * (values.len() / length)]);
            for first in (j..values.len()).step_by(length) {
                butterfly_up(unit, values, first, half, Some(power));
            }
        }
        length *= 2;
    }
}

/// (x, y) to (x + y power, x - y power).
#[inline(always)]
fn butterfly_up(unit: Ifma, values: &mut [Vector], first: usize, half: usize, power: Option<Vector>) {
    let (x, y) = (values[first], values[first + half]);
    let y = power.map_or(y, |power| unit.mul(y, power));
    values[first] = unit.halved::<0, 2, 0, _>([x, y], []);
    values[first + half] = unit.halved::<2, 1, 1, _>([x], [y]);
}
