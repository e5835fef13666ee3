//! Proofs and the keys that make and verify them.

use crate::circuit::{Circuit, Witness};
use crate::conversion::{curve_point, element, natural, NaturalWords, Words};
use crate::errors::Raises;
use crate::field_vector::FieldVector;
use num_bigint::{BigInt, BigUint};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;
use std::time::Instant;
use zkmargin_core::error::{Error, Result};
use zkmargin_core::{field, groth16, proof, vkey};

#[pyclass(frozen, eq, module = "zkmargin.prover._native")]
#[derive(PartialEq)]
pub struct Proof {
    inner: proof::Proof,
}

#[pymethods]
impl Proof {
    /// Eight integers in the order of the EVM's pairing precompile; every check on fields, curves and subgroup.
    #[staticmethod]
    fn from_words(words: Vec<BigInt>) -> Raises<Self> {
        let words = words.iter().map(|w| natural("proof", w)).collect::<Result<Vec<_>>>()?;
        Ok(Proof { inner: proof::Proof::from_words(&words)? })
    }
    /// A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y.
    fn words(&self) -> Vec<BigUint> {
        self.inner.words().to_vec()
    }
}

#[pyclass(frozen, eq, module = "zkmargin.prover._native")]
#[derive(PartialEq)]
pub struct VerifyingKey {
    inner: Arc<vkey::VerifyingKey>,
}

#[pymethods]
impl VerifyingKey {
    /// The canonical bytes, see `to_bytes`; every check of a key.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> Raises<Self> {
        let inner = py.detach(|| vkey::VerifyingKey::from_bytes(data))?;
        Ok(VerifyingKey { inner: Arc::new(inner) })
    }

    /// alpha, beta, gamma, delta, IC as 32-byte big-endian words, G2 in the precompile's order.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.to_bytes())
    }

    #[getter]
    fn n_public(&self) -> usize {
        self.inner.n_public()
    }

    /// IC[index] as integers; IC[0] is the constant, IC[1 + i] belongs to public input i.
    fn ic(&self, index: usize) -> Raises<NaturalWords> {
        let last = self.inner.n_public();
        let p = self.inner.ic.get(index).ok_or_else(|| Error::argument("IC index", index, 0, last))?;
        Ok(field::g1_words(p))
    }

    /// sum_i scalars[i] IC[1 + first + i]; the identity is (0, 0).
    fn ic_sum(&self, py: Python<'_>, first: usize, scalars: PyRef<'_, FieldVector>) -> Raises<NaturalWords> {
        let scalars = &scalars.values;
        Ok(field::g1_words(&py.detach(|| self.inner.ic_sum(first, scalars))?))
    }

    fn verify(&self, py: Python<'_>, proof: PyRef<'_, Proof>, public: PyRef<'_, FieldVector>) -> Raises<bool> {
        let (proof, public) = (&proof.inner, &public.values);
        Ok(py.detach(|| self.inner.verify(proof, public))?)
    }

    /// Verifies with the inputs (index, value) given here and the sums of all other inputs in `points`.
    fn verify_with_points(
        &self,
        py: Python<'_>,
        proof: PyRef<'_, Proof>,
        inputs: Vec<(usize, BigInt)>,
        points: Vec<Words>,
    ) -> Raises<bool> {
        let inputs =
            inputs.iter().map(|(i, v)| Ok((*i, element(&format!("public[{i}]"), v)?))).collect::<Result<Vec<_>>>()?;
        let points = points.iter().map(|p| curve_point("point", p)).collect::<Result<Vec<_>>>()?;
        let proof = &proof.inner;
        Ok(py.detach(|| self.inner.verify_with_points(proof, &inputs, &points))?)
    }
}

#[pyclass(frozen, module = "zkmargin.prover._native")]
pub struct ProvingKey {
    inner: groth16::ProvingKey,
}

#[pymethods]
impl ProvingKey {
    /// Reads a zkey, with every check, as a key of `circuit` whose public inputs from `policy` on are a policy's.
    #[staticmethod]
    #[pyo3(signature = (zkey, circuit, policy = None))]
    fn load(py: Python<'_>, zkey: &[u8], circuit: PyRef<'_, Circuit>, policy: Option<usize>) -> Raises<Self> {
        let r1cs = circuit.solver.r1cs.clone();
        Ok(ProvingKey { inner: py.detach(|| groth16::ProvingKey::load(zkey, r1cs, policy))? })
    }

    /// A key that `load` took before with this circuit; `digest` is the SHA-256 of its bytes.
    #[staticmethod]
    #[pyo3(signature = (zkey, digest, circuit, policy = None))]
    fn load_known(
        py: Python<'_>,
        zkey: &[u8],
        digest: [u8; 32],
        circuit: PyRef<'_, Circuit>,
        policy: Option<usize>,
    ) -> Raises<Self> {
        let r1cs = circuit.solver.r1cs.clone();
        Ok(ProvingKey { inner: py.detach(|| groth16::ProvingKey::load_known(zkey, &digest, r1cs, policy))? })
    }

    fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey { inner: self.inner.vk.clone() }
    }

    /// Seconds of each stage of one proof, which is dropped.
    fn time_stages(&self, py: Python<'_>, witness: PyRef<'_, Witness>) -> Raises<Vec<(&'static str, f64)>> {
        let (wires, mut seconds, mut last) = (&witness.wires, Vec::new(), Instant::now());
        let mut note = |stage| {
            let now = Instant::now();
            seconds.push((stage, (now - last).as_secs_f64()));
            last = now;
        };
        py.detach(|| self.inner.prove_noting(wires, true, &mut note))?;
        Ok(seconds)
    }

    #[pyo3(signature = (witness, check_constraints = true))]
    fn prove(&self, py: Python<'_>, witness: PyRef<'_, Witness>, check_constraints: bool) -> Raises<Proof> {
        let wires = &witness.wires;
        Ok(Proof { inner: py.detach(|| self.inner.prove(wires, check_constraints))? })
    }
}
