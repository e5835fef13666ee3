//! Groth16's prover: quotient in coset form, five multi-scalar multiplications, and a check of the result.

use crate::error::{Error, Result};
use crate::field::Limbs;
use crate::msm::msm;
use crate::products::{Policies, Products};
use crate::proof::Proof;
use crate::public_sum::PublicSums;
use crate::quotient::Quotient;
use crate::r1cs::R1cs;
use crate::random;
use crate::vkey::VerifyingKey;
use crate::zkey::Zkey;
use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{One, PrimeField, Zero};
use rayon::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;

/// A part of a proof's time.
pub type Stage = &'static str;

/// The stages of a proof, in order.
pub const STAGES: [Stage; 11] =
    ["constraints", "quotient", "public", "scalars", "sum_a", "sum_b1", "sum_b2", "sum_c", "sum_h", "blind", "verify"];

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
    /// Private wires and their points of C; those that are products of a policy come last, in the order of `products`.
    c: (Vec<u32>, Vec<G1Affine>),
    h: Vec<G1Affine>,
    quotient: Quotient,
    products: Products,
    policies: Policies,
    /// The last proof's sums in the check, and in A.
    public_sums: PublicSums,
}

impl ProvingKey {
    /// A key of a circuit whose public inputs from `policy` on, counted from 0, are a policy's.
    ///
    /// # Errors
    /// As `Zkey::parse`.
    pub fn load(zkey: &[u8], circuit: Arc<R1cs>, policy: Option<usize>) -> Result<Self> {
        Self::new(Zkey::parse(zkey, &circuit)?, circuit, policy)
    }

    /// A key that `load` took before with this circuit, by the SHA-256 of its bytes.
    ///
    /// # Errors
    /// As `Zkey::parse_known`.
    pub fn load_known(zkey: &[u8], digest: &[u8; 32], circuit: Arc<R1cs>, policy: Option<usize>) -> Result<Self> {
        Self::new(Zkey::parse_known(zkey, digest, &circuit)?, circuit, policy)
    }

    /// # Errors
    /// As `Zkey::parse_trusted`.
    pub fn load_trusted(zkey: &[u8], circuit: Arc<R1cs>, policy: Option<usize>) -> Result<Self> {
        Self::new(Zkey::parse_trusted(zkey, &circuit)?, circuit, policy)
    }

    fn new(key: Zkey, circuit: Arc<R1cs>, policy: Option<usize>) -> Result<Self> {
        let first_private = circuit.n_public() as u32 + 1;
        let a_wires: Vec<u32> = nonzero(&key.a).into_iter().filter(|w| *w == 0 || *w >= first_private).collect();
        let public_a = key.a[1..first_private as usize].to_vec();
        let a = a_wires.iter().map(|w| key.a[*w as usize]).collect();
        let b_wires: Vec<u32> = nonzero(&key.b1);
        let products = Products::find(&circuit, policy);
        let collected: HashSet<u32> = products.wires().collect();
        let others = (first_private..circuit.n_wires as u32).filter(|wire| !collected.contains(wire));
        let c_wires: Vec<u32> = others.chain(products.wires()).collect();
        let c = c_wires.iter().map(|wire| key.c[(wire - first_private) as usize]).collect();
        Ok(ProvingKey {
            b1: b_wires.iter().map(|w| key.b1[*w as usize]).collect(),
            b2: b_wires.iter().map(|w| key.b2[*w as usize]).collect(),
            a: (a_wires, a),
            public_a,
            b_wires,
            vk: Arc::new(key.vk),
            beta1: key.beta1,
            delta1: key.delta1,
            c: (c_wires, c),
            h: key.h,
            quotient: Quotient::new(circuit.domain_size())?,
            products,
            policies: Policies::default(),
            public_sums: PublicSums::default(),
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
        // one of the kept sums or points may be at fault: once more, with sums from nothing
        self.public_sums.clear();
        self.policies.clear();
        let rejected = || Error::ProofRejected { reason: "the finished proof does not verify".into() };
        self.finish(wires, &h, &mut |_| ())?.ok_or_else(rejected)
    }

    /// The proof, if it verifies.
    fn finish(&self, wires: &[Fr], h: &[Limbs], note: &mut dyn FnMut(Stage)) -> Result<Option<Proof>> {
        let public = &wires[1..=self.circuit.n_public()];
        let [ic_sum, a_sum] = self.public_sums.compute([&self.vk.ic[1..], &self.public_a], public);
        note("public");
        let proof = self.assemble(wires, h, a_sum, note)?;
        let Ok(proof) = Proof::checked(proof.a, proof.b, proof.c) else { return Ok(None) };
        Ok(self.vk.verify_sum(&proof, ic_sum).then_some(proof))
    }

    /// `public_a` is A's sum over the public inputs.
    fn assemble(
        &self,
        wires: &[Fr],
        h: &[Limbs],
        public_a: G1Projective,
        note: &mut dyn FnMut(Stage),
    ) -> Result<Proof> {
        let plain: Vec<Limbs> = wires.par_iter().with_min_len(1024).map(|x| x.into_bigint()).collect();
        let pick = |indices: &[u32]| indices.iter().map(|w| plain[*w as usize]).collect::<Vec<_>>();
        let a_scalars = pick(&self.a.0);
        let b_scalars = pick(&self.b_wires);
        note("scalars");
        let a_sum = msm(&self.a.1, &a_scalars) + public_a;
        note("sum_a");
        let b1_sum = msm(&self.b1, &b_scalars);
        note("sum_b1");
        let b2_sum = msm(&self.b2, &b_scalars);
        note("sum_b2");
        let c_sum = self.sum_c(wires, &plain);
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

    /// C's sum over the private wires, whose integers are `plain`.
    fn sum_c(&self, wires: &[Fr], plain: &[Limbs]) -> G1Projective {
        let (c_wires, points) = &self.c;
        let pick = |indices: &[u32]| indices.iter().map(|w| plain[*w as usize]).collect::<Vec<_>>();
        let others = c_wires.len() - self.products.wires().count();
        match self.policies.collect(&self.products, wires, &points[others..]) {
            Some(policy) => {
                msm(&points[..others], &pick(&c_wires[..others])) + msm(policy.points(), &self.products.values(wires))
            }
            None => msm(points, &pick(c_wires)),
        }
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
    use crate::testing::{assert_refused, form, Circuit};

    fn make_key() -> ProvingKey {
        let circuit = Arc::new(R1cs::parse(&Circuit::product().r1cs()).unwrap());
        ProvingKey::load(&set_up(&circuit).unwrap().to_bytes(&circuit), circuit, None).unwrap()
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
        let right = key.public_sums.compute([&key.vk.ic[1..], &key.public_a], &wires[1..3]);
        for wrong in [[right[0] + key.vk.alpha, right[1]], [right[0], right[1] + key.vk.alpha]] {
            key.public_sums.keep(&wires[1..3], wrong);
            let proof = key.prove(&wires, true).unwrap();
            assert!(key.vk.verify(&proof, &wires[1..3]).unwrap());
        }
        let broken = [1, 19, 3, 5].map(Fr::from);
        let rejected = key.prove(&broken, false);
        assert_refused(rejected, "the finished proof does not verify");
    }

    /// t1 = u x and t2 = u y with u public, and out = t1 t2: a policy of one number, two products.
    fn make_policy_key() -> ProvingKey {
        let row = |a: u32, b: u32, c: u32| [a, b, c].map(|wire| form(&[(wire, 1)]));
        let rows = vec![row(2, 3, 5), row(4, 2, 6), row(5, 6, 1)];
        let circuit =
            Circuit { n_wires: 7, n_outputs: 1, n_public_inputs: 1, n_private_inputs: 2, rows, names: Vec::new() };
        let circuit = Arc::new(R1cs::parse(&circuit.r1cs()).unwrap());
        ProvingKey::load(&set_up(&circuit).unwrap().to_bytes(&circuit), circuit, Some(1)).unwrap()
    }

    fn policy_wires(u: i64, x: i64, y: i64) -> Vec<Fr> {
        [1, u * x * u * y, u, x, y, u * x, u * y].map(Fr::from).to_vec()
    }

    #[test]
    fn proofs_verify_with_the_points_of_their_policy() {
        let key = make_policy_key();
        for (u, x, y) in [(3, 5, 7), (3, 5, 7), (3, -5, 0), (4, 5, 7), (3, 1, 1), (4, 0, 0), (0, 5, 7), (0, 1, 1)] {
            let wires = policy_wires(u, x, y);
            let proof = key.prove(&wires, true).unwrap();
            assert!(key.vk.verify(&proof, &wires[1..3]).unwrap(), "{u} {x} {y}");
        }
    }

    #[test]
    fn points_of_a_policy_at_fault_cost_a_second_try() {
        let key = make_policy_key();
        let wires = policy_wires(3, 5, 7);
        key.policies.keep(&key.products, &wires, vec![key.vk.alpha; 2]);
        let (_, points) = &key.c;
        let wrong = key.policies.collect(&key.products, &wires, &points[points.len() - 2..]).unwrap();
        assert_eq!(wrong.points(), [key.vk.alpha; 2]);
        let proof = key.prove(&wires, true).unwrap();
        assert!(key.vk.verify(&proof, &wires[1..3]).unwrap());
    }

    /// Products that break their constraint are found, also where their own value is not used.
    #[test]
    fn a_broken_product_is_refused() {
        let key = make_policy_key();
        let mut wires = policy_wires(3, 5, 7);
        (0..2).for_each(|_| assert!(key.prove(&wires, true).is_ok()));
        wires[6] += Fr::one();
        assert_refused(key.prove(&wires, true), "Unsatisfied { constraint: 1 }");
        assert_refused(key.prove(&wires, false), "the finished proof does not verify");
    }
}
