//! The verifying key, its checks, and Groth16's verification equation.

use crate::error::{Error, Result};
use crate::field::{checked_g1, checked_g2, element_be, write_be, Limbs};
use crate::msm::msm;
use crate::proof::Proof;
use ark_bn254::{Bn254, Fq, Fq2, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{PrimeField, Zero};
use rayon::prelude::*;

/// Groth16's verifying key: e(A, B) = e(alpha, beta) e(IC_0 + sum a_i IC_i, gamma) e(C, delta).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    pub alpha: G1Affine,
    pub beta: G2Affine,
    pub gamma: G2Affine,
    pub delta: G2Affine,
    pub ic: Vec<G1Affine>,
}

const WORD: usize = 32;
/// Words before IC: alpha, then beta, gamma, delta.
const HEAD: usize = 2 + 3 * 4;

impl VerifyingKey {
    pub fn n_public(&self) -> usize {
        self.ic.len() - 1
    }

    /// What any key must fulfil before it is used; the points are on their curves and in their subgroups already.
    ///
    /// # Errors
    /// `KeyRefused` when a point is the identity, when two of beta, gamma and delta are equal up to sign, or when
    /// alpha, beta or delta is a generator up to sign. Of two equal ones anybody forges proofs without a witness; a
    /// generator is what a key has before the first contribution of its ceremony. gamma is the generator in snarkjs's
    /// keys.
    pub fn check(&self) -> Result<()> {
        if self.ic.is_empty() {
            return Err(Error::key("IC is empty"));
        }
        if self.alpha.is_zero() {
            return Err(Error::key("alpha is the identity"));
        }
        for (name, p) in [("beta", &self.beta), ("gamma", &self.gamma), ("delta", &self.delta)] {
            if p.is_zero() {
                return Err(Error::key(format!("{name} is the identity")));
            }
        }
        let (beta, gamma, delta) = (("beta", self.beta.x), ("gamma", self.gamma.x), ("delta", self.delta.x));
        for ((name, x), (other, other_x)) in [(delta, gamma), (beta, gamma), (delta, beta)] {
            if x == other_x {
                return Err(Error::key(format!("{name} equals {other} up to sign: proofs can be forged")));
            }
        }
        for (name, x) in [beta, delta] {
            if x == G2Affine::generator().x {
                return Err(Error::key(format!("{name} is the generator up to sign: its set-up had no contribution")));
            }
        }
        if self.alpha.x == G1Affine::generator().x {
            return Err(Error::key("alpha is the generator up to sign: its set-up had no contribution"));
        }
        if let Some(i) = self.ic.iter().position(|p| p.is_zero()) {
            return Err(Error::key(format!("IC[{i}] is the identity: that public input is not bound")));
        }
        Ok(())
    }

    /// alpha, beta, gamma, delta, IC as 32-byte big-endian words; G2 as the EVM's precompile takes it (x.c1, x.c0,
    /// y.c1, y.c0). Its keccak256 is the key's hash.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(WORD * (HEAD + 2 * self.ic.len()));
        write_g1(&mut out, &self.alpha);
        for p in [&self.beta, &self.gamma, &self.delta] {
            write_g2(&mut out, p);
        }
        self.ic.iter().for_each(|p| write_g1(&mut out, p));
        out
    }

    /// # Errors
    /// `FormatError` for a wrong length, `PointRefused` for a coordinate or point that is not valid, `KeyRefused` as
    /// `check`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let points = bytes.len().checked_sub(WORD * HEAD);
        if !points.is_some_and(|n| n > 0 && n.is_multiple_of(2 * WORD)) {
            return Err(Error::format("verifying key", format!("{} bytes are not a whole key", bytes.len())));
        }
        let (head, ic) = bytes.split_at(WORD * HEAD);
        let key = VerifyingKey {
            alpha: read_g1("alpha", head)?,
            beta: read_g2("beta", &head[2 * WORD..])?,
            gamma: read_g2("gamma", &head[6 * WORD..])?,
            delta: read_g2("delta", &head[10 * WORD..])?,
            ic: ic
                .par_chunks_exact(2 * WORD)
                .enumerate()
                .map(|(i, b)| read_g1(&format!("IC[{i}]"), b))
                .collect::<Result<_>>()?,
        };
        key.check()?;
        Ok(key)
    }

    /// sum_i scalars[i] IC[1 + first + i]: what the public inputs first .. first + len add to the verifier's sum.
    pub fn ic_sum(&self, first: usize, scalars: &[Fr]) -> Result<G1Affine> {
        let end = first.checked_add(scalars.len()).filter(|end| *end <= self.n_public());
        let Some(end) = end else {
            return Err(Error::argument("public input", first.saturating_add(scalars.len()), 0, self.n_public()));
        };
        let plain: Vec<Limbs> = scalars.par_iter().with_min_len(1024).map(|s| s.into_bigint()).collect();
        Ok(msm(&self.ic[1 + first..1 + end], &plain).into_affine())
    }

    pub fn verify(&self, proof: &Proof, public: &[Fr]) -> Result<bool> {
        if public.len() != self.n_public() {
            return Err(Error::InputShape {
                name: "public inputs".into(),
                given: public.len(),
                expected: self.n_public(),
            });
        }
        Ok(self.verify_sum(proof, self.ic_sum(0, public)?.into()))
    }

    /// Verifies with only some inputs given; `points` carry the sums of all others, as the contract does.
    pub fn verify_with_points(&self, proof: &Proof, inputs: &[(usize, Fr)], points: &[G1Affine]) -> Result<bool> {
        let mut sum = G1Projective::zero();
        for (index, value) in inputs {
            if *index >= self.n_public() {
                return Err(Error::argument("public input", *index, 0, self.n_public() - 1));
            }
            sum += self.ic[1 + index] * value;
        }
        points.iter().for_each(|p| sum += p);
        Ok(self.verify_sum(proof, sum))
    }

    /// The equation, `sum` being that over all public inputs.
    pub fn verify_sum(&self, proof: &Proof, sum: G1Projective) -> bool {
        let inputs = (sum + self.ic[0]).into_affine();
        let left = [proof.a, -self.alpha, -inputs, -proof.c];
        let right = [proof.b, self.beta, self.gamma, self.delta];
        Bn254::multi_pairing(left, right).is_zero()
    }
}

fn write_g1(out: &mut Vec<u8>, p: &G1Affine) {
    write_be(out, p.x);
    write_be(out, p.y);
}

fn write_g2(out: &mut Vec<u8>, p: &G2Affine) {
    [p.x.c1, p.x.c0, p.y.c1, p.y.c0].into_iter().for_each(|c| write_be(out, c));
}

fn coordinate(name: &str, bytes: &[u8], index: usize) -> Result<Fq> {
    element_be(&bytes[index * WORD..(index + 1) * WORD])
        .ok_or_else(|| Error::point(name, "has a coordinate that is not below the field's modulus"))
}

fn read_g1(name: &str, bytes: &[u8]) -> Result<G1Affine> {
    let (x, y) = (coordinate(name, bytes, 0)?, coordinate(name, bytes, 1)?);
    if x.is_zero() && y.is_zero() {
        return Ok(G1Affine::zero());
    }
    checked_g1(name, x, y)
}

fn read_g2(name: &str, bytes: &[u8]) -> Result<G2Affine> {
    let c = |i| coordinate(name, bytes, i);
    let (x, y) = (Fq2::new(c(1)?, c(0)?), Fq2::new(c(3)?, c(2)?));
    if x.is_zero() && y.is_zero() {
        return Ok(G2Affine::zero());
    }
    checked_g2(name, x, y)
}
