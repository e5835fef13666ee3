//! The quotient (A B - C) / Z, as snarkjs's keys take it: A B - C at the odd points of the doubled domain, where the
//! vanishing polynomial Z is constant.

use crate::error::{Error, Result};
use crate::field::Limbs;
use crate::vector::{self, Ifma, Transform};
use ark_bn254::Fr;
use ark_ff::{One, PrimeField};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use rayon::prelude::*;

pub fn domain(size: usize) -> Result<Radix2EvaluationDomain<Fr>> {
    Radix2EvaluationDomain::new(size)
        .filter(|d| d.size() == size)
        .ok_or_else(|| Error::argument("domain", size, 1, 1 << 28))
}

/// What the transforms of one size need.
pub struct Quotient {
    domain: Radix2EvaluationDomain<Fr>,
    /// Powers of the root of the doubled domain: they move a polynomial to its odd points.
    coset: Vec<Fr>,
    vector: Option<Transform>,
}

impl Quotient {
    /// # Errors
    /// `OutOfRange` when the field has no domain of twice this size.
    pub fn new(size: usize) -> Result<Self> {
        Self::on(vector::unit(), size)
    }

    fn on(unit: Option<Ifma>, size: usize) -> Result<Self> {
        let (domain, doubled) = (domain(size)?, domain(2 * size)?.group_gen());
        let coset = std::iter::successors(Some(Fr::one()), |x| Some(*x * doubled)).take(size).collect();
        let vector = unit
            .filter(|_| size >= Transform::LEAST)
            .map(|unit| Transform::new(unit, size, domain.group_gen(), doubled));
        Ok(Quotient { domain, coset, vector })
    }

    pub fn size(&self) -> usize {
        self.domain.size()
    }

    /// A B - C at the odd points, from the values of A and B on the domain; C's are their products.
    pub fn evaluate(&self, mut a: Vec<Fr>, mut b: Vec<Fr>) -> Vec<Limbs> {
        let mut c: Vec<Fr> = a.par_iter().zip(&b).with_min_len(1024).map(|(x, y)| *x * y).collect();
        if let Some(vector) = &self.vector {
            return vector.quotient([&a, &b, &c]);
        }
        for values in [&mut a, &mut b, &mut c] {
            self.domain.ifft_in_place(values);
            values.par_iter_mut().zip(&self.coset).with_min_len(1024).for_each(|(x, s)| *x *= s);
            self.domain.fft_in_place(values);
        }
        let quotient = |((x, y), z): ((&Fr, &Fr), &Fr)| (*x * y - z).into_bigint();
        a.par_iter().zip(&b).zip(&c).with_min_len(1024).map(quotient).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::seeded;
    use ark_ff::{UniformRand, Zero};
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
            let found = Quotient::on(unit, size).unwrap().evaluate(a.to_vec(), b.to_vec());
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
                [None, Ifma::detect()].map(|unit| Quotient::on(unit, size).unwrap().evaluate(a.clone(), b.clone()));
            assert!(scalar == vector, "size {size}");
        }
    }
}
