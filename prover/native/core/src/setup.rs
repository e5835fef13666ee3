//! A development set-up: one party, fresh randomness, no ceremony. Whoever could read its memory could forge.

use crate::error::Result;
use crate::quotient::domain;
use crate::r1cs::R1cs;
use crate::random;
use crate::vkey::VerifyingKey;
use crate::zkey::Zkey;
use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::scalar_mul::BatchMulPreprocessing;
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::{Field, Zero};
use ark_poly::EvaluationDomain;
use zeroize::{Zeroize, Zeroizing};

/// The secrets of a set-up, wiped when dropped. gamma is 1, as in snarkjs's keys.
struct ToxicWaste {
    tau: Fr,
    alpha: Fr,
    beta: Fr,
    delta: Fr,
}

impl ToxicWaste {
    fn fresh() -> Result<Self> {
        use random::element;
        Ok(ToxicWaste { tau: element()?, alpha: element()?, beta: element()?, delta: element()? })
    }
}

impl Drop for ToxicWaste {
    fn drop(&mut self) {
        [&mut self.tau, &mut self.alpha, &mut self.beta, &mut self.delta].into_iter().for_each(Zeroize::zeroize);
    }
}

/// The circuit's matrices at tau, by wire.
struct AtTau {
    a: Zeroizing<Vec<Fr>>,
    b: Zeroizing<Vec<Fr>>,
    c: Zeroizing<Vec<Fr>>,
}

impl AtTau {
    fn new(circuit: &R1cs, lagrange: &[Fr]) -> Self {
        let column = |matrix: &crate::r1cs::Matrix| {
            let mut sums = Zeroizing::new(vec![Fr::zero(); circuit.n_wires]);
            for (i, l) in lagrange.iter().enumerate().take(circuit.n_constraints) {
                for (wire, value) in matrix.row(i) {
                    sums[wire as usize] += value * l;
                }
            }
            sums
        };
        let (mut a, b, c) = (column(&circuit.a), column(&circuit.b), column(&circuit.c));
        // One consistency row w_i * 0 = 0 for each public wire keeps its polynomial independent of all others.
        for wire in 0..=circuit.n_public() {
            a[wire] += lagrange[circuit.n_constraints + wire];
        }
        AtTau { a, b, c }
    }
}

/// A fresh key for `circuit`, in the form that snarkjs reads. H is on the odd points of the doubled domain.
pub fn set_up(circuit: &R1cs) -> Result<Zkey> {
    let size = circuit.domain_size();
    let (once, twice) = (domain(size)?, domain(2 * size)?);
    let waste = ToxicWaste::fresh()?;
    let delta_inverse = Zeroizing::new(waste.delta.inverse().unwrap_or_default());
    let lagrange = Zeroizing::new(once.evaluate_all_lagrange_coefficients(waste.tau));
    let at = AtTau::new(circuit, &lagrange);
    let doubled = Zeroizing::new(twice.evaluate_all_lagrange_coefficients(waste.tau));
    let h: Zeroizing<Vec<Fr>> =
        Zeroizing::new(doubled.iter().skip(1).step_by(2).map(|l| *l * *delta_inverse).collect());
    let n_public = circuit.n_public();
    let combined: Zeroizing<Vec<Fr>> = Zeroizing::new(
        (0..circuit.n_wires)
            .map(|i| {
                let sum = waste.beta * at.a[i] + waste.alpha * at.b[i] + at.c[i];
                if i <= n_public {
                    sum
                } else {
                    sum * *delta_inverse
                }
            })
            .collect(),
    );
    let (g1, g2) = (G1Projective::generator(), G2Projective::generator());
    let table1 = BatchMulPreprocessing::new(g1, 4 * circuit.n_wires + size);
    let table2 = BatchMulPreprocessing::new(g2, circuit.n_wires);
    let mut ic = table1.batch_mul(&combined);
    let c = ic.split_off(n_public + 1);
    let key = Zkey {
        vk: VerifyingKey {
            alpha: (g1 * waste.alpha).into_affine(),
            beta: (g2 * waste.beta).into_affine(),
            gamma: g2.into_affine(),
            delta: (g2 * waste.delta).into_affine(),
            ic,
        },
        beta1: (g1 * waste.beta).into_affine(),
        delta1: (g1 * waste.delta).into_affine(),
        a: table1.batch_mul(&at.a),
        b1: table1.batch_mul(&at.b),
        b2: table2.batch_mul(&at.b),
        c,
        h: table1.batch_mul(&h),
    };
    key.vk.check()?;
    Ok(key)
}
