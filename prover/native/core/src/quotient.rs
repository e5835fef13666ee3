//! The quotient (A B - C) / Z, as snarkjs's keys take it: A B - C at the odd points of the doubled domain, where the
//! vanishing polynomial Z is constant.

use crate::error::{Error, Result};
use crate::field::Limbs;
use crate::transform::{self, Scalar, Transform};
use crate::vector::{self, Ifma};
use ark_bn254::Fr;
use ark_ff::PrimeField;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use rayon::prelude::*;

pub fn domain(size: usize) -> Result<Radix2EvaluationDomain<Fr>> {
    Radix2EvaluationDomain::new(size)
        .filter(|d| d.size() == size)
        .ok_or_else(|| Error::argument("domain", size, 1, 1 << 28))
}

/// What the transforms of one size need.
pub enum Quotient {
    Vector(Transform<Ifma>),
    Scalar(Transform<Scalar>),
    /// Too small for rows and columns of eight: the domain, and the doubled domain's root.
    Small(Radix2EvaluationDomain<Fr>, Fr),
}

impl Quotient {
    /// # Errors
    /// `OutOfRange` when the field has no domain of twice this size.
    pub fn new(size: usize) -> Result<Self> {
        Self::on(vector::unit(), size)
    }

    fn on(unit: Option<Ifma>, size: usize) -> Result<Self> {
        let (domain, doubled) = (domain(size)?, domain(2 * size)?.group_gen());
        let root = domain.group_gen();
        Ok(match unit {
            _ if size < transform::LEAST => Quotient::Small(domain, doubled),
            Some(unit) => Quotient::Vector(Transform::new(unit, size, root, doubled)),
            None => Quotient::Scalar(Transform::new(Scalar, size, root, doubled)),
        })
    }

    /// A B - C at the odd points, from the values of A and B on the domain; C's are their products.
    pub fn evaluate(&self, a: &[Fr], b: &[Fr]) -> Vec<Limbs> {
        let c: Vec<Fr> = a.par_iter().zip(b).with_min_len(1024).map(|(x, y)| *x * y).collect();
        match self {
            Quotient::Vector(transform) => transform.quotient([a, b, &c]),
            Quotient::Scalar(transform) => transform.quotient([a, b, &c]),
            Quotient::Small(domain, doubled) => {
                let [a, b, c] = [a, b, &c].map(|values| at_odd_points(domain, *doubled, values));
                (0..a.len()).map(|i| (a[i] * b[i] - c[i]).into_bigint()).collect()
            }
        }
    }
}

/// The values at the odd points of the doubled domain of the polynomial with `values` on the domain.
fn at_odd_points(domain: &Radix2EvaluationDomain<Fr>, doubled: Fr, values: &[Fr]) -> Vec<Fr> {
    let mut coefficients = domain.ifft(values);
    Radix2EvaluationDomain::<Fr>::distribute_powers(&mut coefficients, doubled);
    domain.fft(&coefficients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::seeded;
    use ark_ff::{One, UniformRand, Zero};
    use ark_poly::univariate::DensePolynomial;
    use ark_poly::{DenseUVPolynomial, Polynomial};

    fn check(a: &[Fr], b: &[Fr]) {
        let size = a.len();
        let product: Vec<Fr> = a.iter().zip(b).map(|(x, y)| *x * y).collect();
        let small = domain(size).unwrap();
        let polynomial = |values: &[Fr]| DensePolynomial::from_coefficients_vec(small.ifft(values));
        let [p, q, r] = [a, b, &product].map(polynomial);
        let doubled = domain(2 * size).unwrap();
        let expected = |i: usize| {
            let x = doubled.element(2 * i + 1);
            (p.evaluate(&x) * q.evaluate(&x) - r.evaluate(&x)).into_bigint()
        };
        for unit in [None, Ifma::detect()] {
            let found = Quotient::on(unit, size).unwrap().evaluate(a, b);
            assert_eq!(found.len(), size);
            for i in (0..size).step_by(1 + size / 64) {
                assert_eq!(found[i], expected(i), "{unit:?}, point {i} of {size}");
            }
        }
    }

    #[test]
    fn quotients_are_those_of_the_polynomials() {
        let mut rng = seeded();
        for size in [1, 2, 4, 32, 64, 128, 256, 512, 2048, 8192] {
            let mut random = || (0..size).map(|_| Fr::rand(&mut rng)).collect::<Vec<_>>();
            check(&random(), &random());
        }
    }

    #[test]
    fn quotients_of_edges() {
        for size in [64, 128] {
            let (zero, one, last) = (vec![Fr::zero(); size], vec![Fr::one(); size], vec![-Fr::one(); size]);
            let mixed: Vec<Fr> = (0..size).map(|i| if i % 3 == 0 { -Fr::one() } else { Fr::zero() }).collect();
            for a in [&zero, &one, &last, &mixed] {
                for b in [&zero, &one, &last, &mixed] {
                    check(a, b);
                }
            }
        }
    }

    /// Every value of the paths, not a sample.
    #[test]
    fn both_paths_agree_everywhere() {
        let mut rng = seeded();
        for size in [64, 1024, 16384] {
            let mut random = || (0..size).map(|_| Fr::rand(&mut rng)).collect::<Vec<_>>();
            let (a, b) = (random(), random());
            let [scalar, vector] =
                [None, Ifma::detect()].map(|unit| Quotient::on(unit, size).unwrap().evaluate(&a, &b));
            assert!(scalar == vector, "size {size}");
        }
    }
}
