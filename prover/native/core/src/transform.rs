//! The quotient's transforms, eight columns or eight rows at a time.
//!
//! The n = n1 n2 values are a matrix of n1 rows, row by row. An inverse transform is one over the columns, a
//! multiplication by powers of the root, and one over the rows; a forward transform is the same backwards. Columns and
//! rows come out of the inverse transform in bit-reversed order and go so into the forward one, whose result is in
//! order: nothing is ever reversed. Between the two, each row stays in the cache: multiplied, transformed, moved to the
//! coset, transformed back, multiplied.
//!
//! The same code runs on the vector unit and on scalars, eight of them one after the other.

use crate::field::Limbs;
use ark_bn254::Fr;
use ark_ff::{Field, One, PrimeField};
use rayon::prelude::*;
use std::array::from_fn;

/// What works on eight elements of the scalar field at a time.
pub trait Eight: Copy + Send + Sync {
    /// Eight numbers mod p.
    type Vector: Copy + Send + Sync;
    /// A product of x and y is x y / `LOSS`; the tables make up for it.
    const LOSS: u64;

    /// Runs a kernel; it should be `#[inline(always)]`.
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R;
    fn gather(self, at: [&Fr; 8]) -> Self::Vector;
    fn splat(self, element: &Fr) -> Self::Vector;
    fn sum(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    fn difference(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    fn product(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    /// The product of x - y and a factor.
    fn scaled_difference(self, x: Self::Vector, y: Self::Vector, factor: Self::Vector) -> Self::Vector;
    /// Number k of vector i becomes number i of vector k.
    fn transpose(self, rows: [Self::Vector; 8]) -> [Self::Vector; 8];
    /// a b - c
    fn quotient(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> [Limbs; 8];
}

/// Eight scalars, one after the other.
#[derive(Clone, Copy)]
pub struct Scalar;

impl Eight for Scalar {
    type Vector = [Fr; 8];
    const LOSS: u64 = 1;

    #[inline(always)]
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        kernel()
    }
    #[inline(always)]
    fn gather(self, at: [&Fr; 8]) -> [Fr; 8] {
        at.map(|x| *x)
    }
    #[inline(always)]
    fn splat(self, element: &Fr) -> [Fr; 8] {
        [*element; 8]
    }
    #[inline(always)]
    fn sum(self, x: [Fr; 8], y: [Fr; 8]) -> [Fr; 8] {
        from_fn(|k| x[k] + y[k])
    }
    #[inline(always)]
    fn difference(self, x: [Fr; 8], y: [Fr; 8]) -> [Fr; 8] {
        from_fn(|k| x[k] - y[k])
    }
    #[inline(always)]
    fn product(self, x: [Fr; 8], y: [Fr; 8]) -> [Fr; 8] {
        from_fn(|k| x[k] * y[k])
    }
    #[inline(always)]
    fn scaled_difference(self, x: [Fr; 8], y: [Fr; 8], factor: [Fr; 8]) -> [Fr; 8] {
        from_fn(|k| (x[k] - y[k]) * factor[k])
    }
    #[inline(always)]
    fn transpose(self, rows: [[Fr; 8]; 8]) -> [[Fr; 8]; 8] {
        from_fn(|i| from_fn(|k| rows[k][i]))
    }
    #[inline(always)]
    fn quotient(self, a: [Fr; 8], b: [Fr; 8], c: [Fr; 8]) -> [Limbs; 8] {
        from_fn(|k| (a[k] * b[k] - c[k]).into_bigint())
    }
}

/// The tables for one size.
pub struct Transform<U: Eight> {
    unit: U,
    rows: usize,
    columns: usize,
    /// Powers of the roots of columns and of rows: inverse, then forward.
    inverse: [Vec<Fr>; 2],
    forward: [Vec<Fr>; 2],
    /// For eight rows at a time: factors after the inverse transform of the columns, on the way to the coset, and
    /// before the forward transform of the columns.
    after_columns: Vec<Vec<U::Vector>>,
    to_coset: Vec<Vec<U::Vector>>,
    before_columns: Vec<Vec<U::Vector>>,
}

/// The least size: eight rows and eight columns.
pub const LEAST: usize = 64;

impl<U: Eight> Transform<U> {
    /// For `size` values, a power of two from `LEAST` on; `root` and `doubled` are roots of unity of orders `size` and
    /// 2 `size`.
    pub fn new(unit: U, size: usize, root: Fr, doubled: Fr) -> Self {
        let rows = 1 << (size.ilog2() / 2);
        let columns = size / rows;
        let loss = Fr::from(U::LOSS);
        let powers = |root: Fr| std::iter::successors(Some(Fr::one()), move |x| Some(*x * root)).take(size);
        let forward: Vec<Fr> = powers(root).map(|x| x * loss).collect();
        let inverse: Vec<Fr> = powers(root.inverse().unwrap_or_default()).map(|x| x * loss).collect();
        let scale = loss * Fr::from(size as u64).inverse().unwrap_or_default();
        let coset: Vec<Fr> = powers(doubled).map(|x| x * scale).collect();
        let step = |powers: &[Fr], step: usize| powers.iter().step_by(step).copied().collect::<Vec<Fr>>();
        let table = |powers: &[Fr], place: &dyn Fn(usize, usize) -> usize| -> Vec<Vec<U::Vector>> {
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
        let columns: Vec<Vec<U::Vector>> = each(column_blocks)
            .map(|task| {
                unit.run(
                    #[inline(always)]
                    || self.columns_down(values[task / column_blocks], task % column_blocks),
                )
            })
            .collect();
        let rows: Vec<Vec<U::Vector>> = each(row_blocks)
            .map(|task| {
                let of_value = &columns[task / row_blocks * column_blocks..][..column_blocks];
                unit.run(
                    #[inline(always)]
                    || self.rows(of_value, task % row_blocks),
                )
            })
            .collect();
        let blocks: Vec<Vec<[Limbs; 8]>> = (0..column_blocks)
            .into_par_iter()
            .with_max_len(1)
            .map(|block| {
                unit.run(
                    #[inline(always)]
                    || self.columns_up(&rows, block),
                )
            })
            .collect();
        let row = |i: usize| blocks.iter().flat_map(move |block| block[i]);
        (0..self.rows).into_par_iter().with_min_len(8).flat_map_iter(row).collect()
    }

    /// The inverse transform of eight columns; vector i holds their values in row i.
    #[inline(always)]
    fn columns_down(&self, values: &[Fr], block: usize) -> Vec<U::Vector> {
        let row = |row: &[Fr]| {
            self.unit.gather(from_fn(
                #[inline(always)]
                |k| &row[8 * block + k],
            ))
        };
        let mut column: Vec<U::Vector> = values.chunks_exact(self.columns).map(row).collect();
        invert(self.unit, &mut column, &self.inverse[0]);
        column
    }

    /// What happens to eight rows between the transforms of columns.
    #[inline(always)]
    fn rows(&self, columns: &[Vec<U::Vector>], block: usize) -> Vec<U::Vector> {
        let unit = self.unit;
        let mut row: Vec<U::Vector> = Vec::with_capacity(self.columns);
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
    fn columns_up(&self, rows: &[Vec<U::Vector>], block: usize) -> Vec<[Limbs; 8]> {
        let unit = self.unit;
        let [a, b, c] = from_fn(
            #[inline(always)]
            |value| {
                let of_value = &rows[value * self.rows / 8..][..self.rows / 8];
                let mut column: Vec<U::Vector> =
                    of_value.iter().flat_map(|row| row[8 * block..][..8].iter().copied()).collect();
                evaluate(unit, &mut column, &self.forward[0]);
                column
            },
        );
        (0..self.rows).map(|i| unit.quotient(a[i], b[i], c[i])).collect()
    }
}

/// `index` with its bits in the other order.
fn reversed(index: usize, size: usize) -> usize {
    index.reverse_bits() >> (usize::BITS - size.ilog2())
}

#[inline(always)]
fn multiply<U: Eight>(unit: U, values: &mut [U::Vector], factors: &[U::Vector]) {
    values.iter_mut().zip(factors).for_each(
        #[inline(always)]
        |(value, factor)| *value = unit.product(*value, *factor),
    );
}

/// The inverse transform without its factor 1 / n, in order to bit-reversed order.
#[inline(always)]
fn invert<U: Eight>(unit: U, values: &mut [U::Vector], powers: &[Fr]) {
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
fn butterfly_down<U: Eight>(unit: U, values: &mut [U::Vector], first: usize, half: usize, power: Option<U::Vector>) {
    let (x, y) = (values[first], values[first + half]);
    values[first] = unit.sum(x, y);
    values[first + half] = match power {
        Some(power) => unit.scaled_difference(x, y, power),
        None => unit.difference(x, y),
    };
}

/// The forward transform, bit-reversed order to in order.
#[inline(always)]
fn evaluate<U: Eight>(unit: U, values: &mut [U::Vector], powers: &[Fr]) {
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
fn butterfly_up<U: Eight>(unit: U, values: &mut [U::Vector], first: usize, half: usize, power: Option<U::Vector>) {
    let (x, y) = (values[first], values[first + half]);
    let y = power.map_or(y, |power| unit.product(y, power));
    values[first] = unit.sum(x, y);
    values[first + half] = unit.difference(x, y);
}
