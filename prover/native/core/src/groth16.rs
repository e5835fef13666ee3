//! Groth16's prover: quotient in coset form, five multi-scalar multiplications, and a check of the result.

use crate::error::{Error, Result};
use crate::field::Limbs;
use crate::msm::msm;
use crate::proof::Proof;
use crate::public_sum::PublicSum;
use crate::quotient::Quotient;
use crate::r1cs::R1cs;
use crate::random;
use crate::vkey::VerifyingKey;
use crate::zkey::Zkey;
use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{One, PrimeField, Zero};
use rayon::prelude::*;
use std::sync::Arc;

/// A part of a proof's time.
pub type Stage = &'static str;

/// The stages of a proof, in order.
pub const STAGES: [Stage; 10] =
    ["constraints", "quotient", "scalars", "sum_a", "sum_b1", "sum_b2", "sum_c", "sum_h", "blind", "verify"];

/// A proving key in memory, bound to its circuit.
pub struct ProvingKey {
    pub circuit: Arc<R1cs>,
    pub vk: Arc<VerifyingKey>,
    beta1: G1Affine,
    delta1: G1Affine,
    /// Private wires whose point of A is not the identity, and those points; in `b_wires` all such wires of B.
    a: (Vec<u32>, Vec<G1Affine>),
    /// Points of A of the public inputs.
    public_a: Vec<G1Affine>,
    b_wires: Vec<u32>,
    b1: Vec<G1Affine>,
    b2: Vec<G2Affine>,
    c: Vec<G1Affine>,
    h: Vec<G1Affine>,
    quotient: Quotient,
    /// The last proof's sum in the check, and in A.
    ic_sum: PublicSum,
    a_sum: PublicSum,
}

impl ProvingKey {
    /// # Errors
    /// As `Zkey::parse`.
    pub fn load(zkey: &[u8], circuit: Arc<R1cs>) -> Result<Self> {
        Self::new(Zkey::parse(zkey, &circuit)?, circuit)
    }

    /// A key that `load` took before with this circuit, by the SHA-256 of its bytes.
    ///
    /// # Errors
    /// As `Zkey::parse_known`.
    pub fn load_known(zkey: &[u8], digest: &[u8; 32], circuit: Arc<R1cs>) -> Result<Self> {
        Self::new(Zkey::parse_known(zkey, digest, &circuit)?, circuit)
    }

    fn new(key: Zkey, circuit: Arc<R1cs>) -> Result<Self> {
        let first_private = circuit.n_public() as u32 + 1;
        let a_wires: Vec<u32> = nonzero(&key.a).into_iter().filter(|w| *w == 0 || *w >= first_private).collect();
        let public_a = key.a[1..first_private as usize].to_vec();
        let a = a_wires.iter().map(|w| key.a[*w as usize]).collect();
        let b_wires: Vec<u32> = nonzero(&key.b1);
        Ok(ProvingKey {
            b1: b_wires.iter().map(|w| key.b1[*w as usize]).collect(),
            b2: b_wires.iter().map(|w| key.b2[*w as usize]).collect(),
            a: (a_wires, a),
            public_a,
            b_wires,
            vk: Arc::new(key.vk),
            beta1: key.beta1,
            delta1: key.delta1,
            c: key.c,
            h: key.h,
            quotient: Quotient::new(circuit.domain_size())?,
            ic_sum: PublicSum::default(),
            a_sum: PublicSum::default(),
            circuit,
        })
    }

    /// A proof for the wire values, verified before it is returned.
    ///
    /// # Errors
    /// `InputShape`: not the circuit's number of wires. `UnsatisfiedConstraint`: the first constraint that is broken
    /// (not looked for when `check_constraints` is false). `ProofRejected`: the finished proof does not verify.
    pub fn prove(&self, wires: &[Fr], check_constraints: bool) -> Result<Proof> {
        self.prove_noting(wires, check_constraints, &mut |_| ())
    }

    /// As `prove`; `note` hears the name of each of `STAGES` when it ends.
    pub fn prove_noting(&self, wires: &[Fr], check_constraints: bool, note: &mut dyn FnMut(Stage)) -> Result<Proof> {
        if wires.len() != self.circuit.n_wires {
            let (given, expected) = (wires.len(), self.circuit.n_wires);
            return Err(Error::InputShape { name: "witness".into(), given, expected });
        }
        if !wires[0].is_one() {
            return Err(Error::mismatch("wire 0 of the witness is not 1"));
        }
        let h = self.quotient(wires, check_constraints, note)?;
        if let Some(proof) = self.finish(wires, &h, note)? {
            note("verify");
            return Ok(proof);
        }
        // one of the kept sums may be at fault: once more, with sums from nothing
        self.ic_sum.clear();
        self.a_sum.clear();
        let rejected = || Error::ProofRejected { reason: "the finished proof does not verify".into() };
        self.finish(wires, &h, &mut |_| ())?.ok_or_else(rejected)
    }

    /// The proof, if it verifies.
    fn finish(&self, wires: &[Fr], h: &[Limbs], note: &mut dyn FnMut(Stage)) -> Result<Option<Proof>> {
        let proof = self.assemble(wires, h, note)?;
        let Ok(proof) = Proof::checked(proof.a, proof.b, proof.c) else { return Ok(None) };
        let sum = self.ic_sum.compute(&self.vk.ic[1..], &wires[1..=self.circuit.n_public()]);
        Ok(self.vk.verify_sum(&proof, sum).then_some(proof))
    }

    fn assemble(&self, wires: &[Fr], h: &[Limbs], note: &mut dyn FnMut(Stage)) -> Result<Proof> {
        let plain: Vec<Limbs> = wires.par_iter().with_min_len(1024).map(|x| x.into_bigint()).collect();
        let pick = |indices: &[u32]| indices.iter().map(|w| plain[*w as usize]).collect::<Vec<_>>();
        let a_scalars = pick(&self.a.0);
        let b_scalars = pick(&self.b_wires);
        note("scalars");
        let public = &wires[1..=self.circuit.n_public()];
        let a_sum = msm(&self.a.1, &a_scalars) + self.a_sum.compute(&self.public_a, public);
        note("sum_a");
        let b1_sum = msm(&self.b1, &b_scalars);
        note("sum_b1");
        let b2_sum = msm(&self.b2, &b_scalars);
        note("sum_b2");
        let c_sum = msm(&self.c, &plain[self.circuit.n_public() + 1..]);
        note("sum_c");
        let h_sum = msm(&self.h, h);
        note("sum_h");
        let (r, s) = (random::element()?, random::element()?);
        let a = a_sum + self.vk.alpha + self.delta1 * r;
        let b1 = b1_sum + self.beta1 + self.delta1 * s;
        let b2 = b2_sum + self.vk.beta + self.vk.delta * s;
        let c = c_sum + h_sum + a * s + b1 * r - self.delta1 * (r * s);
        let proof = Proof { a: a.into_affine(), b: b2.into_affine(), c: c.into_affine() };
        note("blind");
        Ok(proof)
    }

    /// See `Quotient`.
    fn quotient(&self, wires: &[Fr], check_constraints: bool, note: &mut dyn FnMut(Stage)) -> Result<Vec<Limbs>> {
        let circuit = &self.circuit;
        let size = circuit.domain_size();
        let mut a = circuit.a.times(wires);
        let mut b = circuit.b.times(wires);
        if check_constraints {
            let broken = (0..circuit.n_constraints)
                .into_par_iter()
                .with_min_len(256)
                .find_first(|&i| a[i] * b[i] != circuit.c.dot(i, wires));
            if let Some(constraint) = broken {
                return Err(Error::Unsatisfied { constraint });
            }
        }
        note("constraints");
        a.extend_from_slice(&wires[..=circuit.n_public()]);
        a.resize(size, Fr::zero());
        b.resize(size, Fr::zero());
        let h = self.quotient.evaluate(&a, &b);
        note("quotient");
        Ok(h)
    }
}

fn nonzero(points: &[G1Affine]) -> Vec<u32> {
    (0..points.len() as u32).filter(|i| !points[*i as usize].is_zero()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::set_up;
    use crate::testing::{assert_refused, Circuit};

    fn make_key() -> ProvingKey {
        let circuit = Arc::new(R1cs::parse(&Circuit::product().r1cs()).unwrap());
        ProvingKey::load(&set_up(&circuit).unwrap().to_bytes(&circuit), circuit).unwrap()
    }

    #[test]
    fn a_proof_goes_through_its_stages_in_order() {
        let key = make_key();
        let wires: Vec<Fr> = [1, 18, 3, 5].map(Fr::from).to_vec();
        let mut stages = Vec::new();
        let proof = key.prove_noting(&wires, true, &mut |stage| stages.push(stage)).unwrap();
        assert_eq!(stages, STAGES);
        assert!(key.vk.verify(&proof, &wires[1..3]).unwrap());
    }

    /// Proofs of one key: the same public inputs again, others, and the first ones again.
    #[test]
    fn proofs_verify_whatever_was_proved_before() {
        let key = make_key();
        for (x, y) in [(3, 5), (3, 5), (4, 5), (0, 0), (3, 5)] {
            let wires: Vec<Fr> = [1, x * y + 3, x, y].map(Fr::from).to_vec();
            let proof = key.prove(&wires, true).unwrap();
            assert!(key.vk.verify(&proof, &wires[1..3]).unwrap());
        }
    }

    #[test]
    fn a_kept_sum_at_fault_costs_a_second_try() {
        let key = make_key();
        let wires: Vec<Fr> = [1, 18, 3, 5].map(Fr::from).to_vec();
        for kept in [&key.a_sum, &key.ic_sum] {
            kept.keep(&wires[1..3], key.vk.alpha.into());
            let proof = key.prove(&wires, true).unwrap();
            assert!(key.vk.verify(&proof, &wires[1..3]).unwrap());
        }
        let broken = [1, 19, 3, 5].map(Fr::from);
        let rejected = key.prove(&broken, false);
        assert_refused(rejected, "the finished proof does not verify");
    }
}
