//! The native part of the prover: BN254 and BabyJubJub, Poseidon, witness generation, Groth16.
//!
//! This file is the Python face, `prover._native`, and nothing else. Errors are the classes of `prover.errors`.

mod babyjub;
mod batch;
mod binary;
mod bits;
mod error;
mod field;
mod groth16;
mod lanes;
mod msm;
mod poseidon;
mod proof;
mod r1cs;
mod schedule;
mod setup;
mod solver;
mod sym;
mod vkey;
mod wtns;
mod zkey;

use ark_bn254::{Fq, Fr};
use ark_ec::CurveGroup;
use ark_ff::PrimeField;
use error::{Error, Result};
use num_bigint::{BigInt, BigUint, Sign};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::HashMap;
use std::sync::Arc;

/// A point as two integers.
type Words = (BigInt, BigInt);

type Rows = Vec<Vec<BigUint>>;

/// The element of an integer in 0 .. p-1.
fn element(name: &str, value: &BigInt) -> Result<Fr> {
    match value.sign() {
        Sign::Minus => Err(Error::NotInField { name: name.into(), value: value.clone() }),
        _ => field::from_biguint(name, value.magnitude()),
    }
}

fn elements(name: &str, values: &[BigInt]) -> Result<Vec<Fr>> {
    values.iter().enumerate().map(|(i, v)| element(&format!("{name}[{i}]"), v)).collect()
}

fn natural(name: &'static str, value: &BigInt) -> Result<BigUint> {
    value.to_biguint().ok_or_else(|| Error::NotInField { name: name.into(), value: value.clone() })
}

fn edwards(name: &str, p: &Words) -> Result<babyjub::Point> {
    Ok(babyjub::Point { x: element(&format!("{name}.x"), &p.0)?, y: element(&format!("{name}.y"), &p.1)? })
}

fn curve_point(name: &'static str, p: &Words) -> Result<ark_bn254::G1Affine> {
    field::g1_from_words(name, &natural(name, &p.0)?, &natural(name, &p.1)?)
}

fn edwards_words(p: babyjub::Point) -> (BigUint, BigUint) {
    (field::to_biguint(p.x), field::to_biguint(p.y))
}

/// Elements of BN254's scalar field, kept as such: thousands of public inputs without a Python integer for each.
#[pyclass(frozen, module = "zkmargin.prover._native")]
struct FieldVector {
    values: Vec<Fr>,
}

#[pymethods]
impl FieldVector {
    /// Integers in 0 .. p-1; anything else raises NotInField.
    #[staticmethod]
    #[pyo3(signature = (values, name = "value"))]
    fn from_canonical(values: Vec<BigInt>, name: &str) -> PyResult<Self> {
        Ok(FieldVector { values: elements(name, &values)? })
    }

    /// Integers with |v| < p, each taken mod p.
    #[staticmethod]
    #[pyo3(signature = (values, name = "value"))]
    fn from_signed(values: Vec<BigInt>, name: &str) -> PyResult<Self> {
        let values = values.iter().enumerate().map(|(i, v)| field::from_signed(&format!("{name}[{i}]"), v));
        Ok(FieldVector { values: values.collect::<Result<_>>()? })
    }

    /// An int64 array's bytes, row-major: packed[g][i] = sum_k values[lanes g + k][i] 2^(lane_bits k).
    #[staticmethod]
    #[pyo3(signature = (data, columns, lanes = 1, lane_bits = 0))]
    fn pack(data: &[u8], columns: usize, lanes: usize, lane_bits: usize) -> PyResult<Self> {
        Ok(FieldVector { values: lanes::pack(&lanes::int64s(data)?, columns, lanes, lane_bits)? })
    }

    #[staticmethod]
    fn zeros(length: usize) -> Self {
        FieldVector { values: vec![Fr::default(); length] }
    }

    /// 32-byte little-endian canonical elements.
    #[staticmethod]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        if !data.len().is_multiple_of(32) {
            return Err(Error::format("field vector", format!("{} bytes are not whole elements", data.len())).into());
        }
        let value =
            |b: &[u8]| field::element_le(b).ok_or_else(|| Error::not_in_field("element", &BigUint::from_bytes_le(b)));
        Ok(FieldVector { values: data.chunks_exact(32).map(value).collect::<Result<_>>()? })
    }

    #[staticmethod]
    fn concatenate(parts: Vec<PyRef<'_, FieldVector>>) -> Self {
        FieldVector { values: parts.iter().flat_map(|p| p.values.iter().copied()).collect() }
    }

    fn slice(&self, first: usize, end: usize) -> PyResult<Self> {
        let n = self.values.len();
        let part = self.values.get(first..end).ok_or_else(|| Error::argument("slice end", end, first.min(n), n))?;
        Ok(FieldVector { values: part.to_vec() })
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut out = Vec::with_capacity(32 * self.values.len());
        self.values.iter().for_each(|v| field::write_limbs_le(&mut out, &v.into_bigint()));
        PyBytes::new(py, &out)
    }

    fn to_list(&self) -> Vec<BigUint> {
        self.values.iter().map(|v| field::to_biguint(*v)).collect()
    }

    fn __len__(&self) -> usize {
        self.values.len()
    }

    fn __getitem__(&self, index: usize) -> PyResult<BigUint> {
        let value = self.values.get(index).ok_or_else(|| pyo3::exceptions::PyIndexError::new_err(index))?;
        Ok(field::to_biguint(*value))
    }

    fn __eq__(&self, other: PyRef<'_, FieldVector>) -> bool {
        self.values == other.values
    }
}

/// Values of all wires of a circuit.
#[pyclass(frozen, module = "zkmargin.prover._native")]
struct Witness {
    wires: Vec<Fr>,
    n_public: usize,
}

#[pymethods]
impl Witness {
    /// From snarkjs's .wtns.
    #[staticmethod]
    fn from_wtns(data: &[u8], circuit: PyRef<'_, Circuit>) -> PyResult<Self> {
        let (wires, expected) = (wtns::read(data)?, circuit.solver.r1cs.n_wires);
        if wires.len() != expected {
            let given = wires.len();
            return Err(Error::InputShape { name: "witness".into(), given, expected }.into());
        }
        Ok(Witness { wires, n_public: circuit.solver.r1cs.n_public() })
    }

    fn to_wtns<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &wtns::write(&self.wires))
    }

    fn public_inputs(&self) -> FieldVector {
        FieldVector { values: self.wires[1..=self.n_public].to_vec() }
    }

    /// A copy with one wire changed: for tests of what the constraints refuse.
    fn with_wire(&self, wire: usize, value: BigInt) -> PyResult<Self> {
        let mut wires = self.wires.clone();
        let last = wires.len() - 1;
        *wires.get_mut(wire).ok_or_else(|| Error::argument("wire", wire, 0, last))? =
            field::from_signed("value", &value)?;
        Ok(Witness { wires, n_public: self.n_public })
    }

    fn __getitem__(&self, wire: usize) -> PyResult<BigUint> {
        let value = self.wires.get(wire).ok_or_else(|| pyo3::exceptions::PyIndexError::new_err(wire))?;
        Ok(field::to_biguint(*value))
    }

    fn __len__(&self) -> usize {
        self.wires.len()
    }
}

/// A circuit: its constraints and the schedule that computes its wires.
#[pyclass(frozen, module = "zkmargin.prover._native")]
struct Circuit {
    solver: solver::Solver,
    sym: String,
}

#[pymethods]
impl Circuit {
    #[new]
    fn new(py: Python<'_>, r1cs: &[u8], sym: String) -> PyResult<Self> {
        let solver = py.detach(|| solver::Solver::new(r1cs, &sym))?;
        Ok(Circuit { solver, sym })
    }

    #[getter]
    fn n_constraints(&self) -> usize {
        self.solver.r1cs.n_constraints
    }
    #[getter]
    fn n_wires(&self) -> usize {
        self.solver.r1cs.n_wires
    }
    #[getter]
    fn n_public(&self) -> usize {
        self.solver.r1cs.n_public()
    }
    #[getter]
    fn domain_size(&self) -> usize {
        self.solver.r1cs.domain_size()
    }

    /// Number of elements of each input, by name.
    fn input_sizes(&self) -> HashMap<String, usize> {
        self.solver.input_sizes().map(|(name, size)| (name.to_string(), size)).collect()
    }

    /// The wire of a signal, by its full name in the .sym; none when it was simplified away.
    fn wire_of(&self, signal: &str) -> PyResult<Option<usize>> {
        for line in self.sym.lines() {
            let fields: Vec<&str> = line.splitn(4, ',').collect();
            if fields.get(3) == Some(&signal) {
                return Ok(fields[1].parse().ok());
            }
        }
        Err(Error::UnknownInput { name: signal.into() }.into())
    }

    #[pyo3(signature = (inputs, force = false))]
    fn solve(&self, py: Python<'_>, inputs: HashMap<String, PyRef<'_, FieldVector>>, force: bool) -> PyResult<Witness> {
        let inputs = inputs.into_iter().map(|(name, v)| (name, v.values.clone())).collect();
        let wires = py.detach(|| self.solver.solve(&inputs, force))?;
        Ok(Witness { wires, n_public: self.solver.r1cs.n_public() })
    }

    /// The first constraint that the witness breaks, or none.
    fn first_unsatisfied(&self, py: Python<'_>, witness: PyRef<'_, Witness>) -> PyResult<Option<usize>> {
        let expected = self.solver.r1cs.n_wires;
        if witness.wires.len() != expected {
            let given = witness.wires.len();
            return Err(Error::InputShape { name: "witness".into(), given, expected }.into());
        }
        let wires = &witness.wires;
        Ok(py.detach(|| self.solver.r1cs.first_unsatisfied(wires)))
    }

    /// A development key for this circuit as a zkey: one party, fresh randomness, secrets wiped.
    fn set_up<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let circuit = &self.solver.r1cs;
        let bytes = py.detach(|| setup::set_up(circuit).map(|key| key.to_bytes(circuit)))?;
        Ok(PyBytes::new(py, &bytes))
    }
}

#[pyclass(frozen, eq, module = "zkmargin.prover._native")]
#[derive(PartialEq)]
struct Proof {
    inner: proof::Proof,
}

#[pymethods]
impl Proof {
    /// Eight integers in the order of the EVM's pairing precompile; every check on fields, curves and subgroup.
    #[staticmethod]
    fn from_words(words: Vec<BigInt>) -> PyResult<Self> {
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
struct VerifyingKey {
    inner: Arc<vkey::VerifyingKey>,
}

#[pymethods]
impl VerifyingKey {
    /// The canonical bytes, see `to_bytes`; every check of a key.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
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
    fn ic(&self, index: usize) -> PyResult<(BigUint, BigUint)> {
        let last = self.inner.n_public();
        let p = self.inner.ic.get(index).ok_or_else(|| Error::argument("IC index", index, 0, last))?;
        Ok(field::g1_words(p))
    }

    /// sum_i scalars[i] IC[1 + first + i]; the identity is (0, 0).
    fn ic_sum(&self, py: Python<'_>, first: usize, scalars: PyRef<'_, FieldVector>) -> PyResult<(BigUint, BigUint)> {
        let scalars = &scalars.values;
        Ok(field::g1_words(&py.detach(|| self.inner.ic_sum(first, scalars))?))
    }

    fn verify(&self, py: Python<'_>, proof: PyRef<'_, Proof>, public: PyRef<'_, FieldVector>) -> PyResult<bool> {
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
    ) -> PyResult<bool> {
        let inputs =
            inputs.iter().map(|(i, v)| Ok((*i, element(&format!("public[{i}]"), v)?))).collect::<Result<Vec<_>>>()?;
        let points = points.iter().map(|p| curve_point("point", p)).collect::<Result<Vec<_>>>()?;
        let proof = &proof.inner;
        Ok(py.detach(|| self.inner.verify_with_points(proof, &inputs, &points))?)
    }
}

#[pyclass(frozen, module = "zkmargin.prover._native")]
struct ProvingKey {
    inner: groth16::ProvingKey,
}

#[pymethods]
impl ProvingKey {
    /// Reads a zkey, with every check, as a key of `circuit`.
    #[staticmethod]
    fn load(py: Python<'_>, zkey: &[u8], circuit: PyRef<'_, Circuit>) -> PyResult<Self> {
        let r1cs = circuit.solver.r1cs.clone();
        Ok(ProvingKey { inner: py.detach(|| groth16::ProvingKey::load(zkey, r1cs))? })
    }

    fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey { inner: self.inner.vk.clone() }
    }

    #[pyo3(signature = (witness, check_constraints = true))]
    fn prove(&self, py: Python<'_>, witness: PyRef<'_, Witness>, check_constraints: bool) -> PyResult<Proof> {
        let wires = &witness.wires;
        Ok(Proof { inner: py.detach(|| self.inner.prove(wires, check_constraints))? })
    }
}

#[pymodule]
mod _native {
    use super::*;

    #[pymodule_export]
    use super::{Circuit, FieldVector, Proof, ProvingKey, VerifyingKey, Witness};

    #[pymodule_init]
    fn init(m: &Bound<'_, PyModule>) -> PyResult<()> {
        m.add("SCALAR_MODULUS", BigUint::from(Fr::MODULUS))?;
        m.add("BASE_MODULUS", BigUint::from(Fq::MODULUS))?;
        m.add("BABYJUB_ORDER", BigUint::from(babyjub::ORDER))?;
        m.add("BASE8", edwards_words(babyjub::Point::BASE8))
    }

    /// Poseidon of 1 to 16 elements.
    #[pyfunction]
    fn poseidon(inputs: Vec<BigInt>) -> PyResult<BigUint> {
        Ok(field::to_biguint(crate::poseidon::hash(&elements("input", &inputs)?)?))
    }

    /// The chained hash of one or more elements: the first 16, then the result with up to 15 more at a time.
    #[pyfunction]
    fn poseidon_chain(inputs: Vec<BigInt>) -> PyResult<BigUint> {
        Ok(field::to_biguint(crate::poseidon::chain(&elements("input", &inputs)?)?))
    }

    /// Round constants (rounds by t) and matrix (t by t) for a state of t words.
    #[pyfunction]
    fn poseidon_parameters(t: usize) -> PyResult<(Rows, Rows)> {
        let p = crate::poseidon::Parameters::get(t)?;
        let plain = |rows: &[Vec<Fr>]| rows.iter().map(|r| r.iter().map(|x| field::to_biguint(*x)).collect()).collect();
        Ok((plain(&p.constants), plain(&p.matrix)))
    }

    /// D: the chained hash of tag, cash (mod p) and the packed positions (int64 bytes in slot order).
    #[pyfunction]
    fn state_digest(tag: BigInt, cash: BigInt, positions: &[u8]) -> PyResult<BigUint> {
        let mut inputs = vec![element("tag", &tag)?, field::from_signed("cash", &cash)?];
        inputs.extend(crate::poseidon::state_words(&lanes::int64s(positions)?)?);
        Ok(field::to_biguint(crate::poseidon::chain(&inputs)?))
    }

    /// A uniform element of BN254's scalar field from the operating system.
    #[pyfunction]
    fn random_element() -> BigUint {
        field::to_biguint(babyjub::random_element())
    }

    /// A uniform scalar in 1 .. BABYJUB_ORDER - 1 from the operating system.
    #[pyfunction]
    fn random_scalar() -> BigUint {
        BigUint::from(babyjub::random_scalar())
    }

    #[pyfunction]
    fn babyjubjub_add(p: Words, q: Words) -> PyResult<(BigUint, BigUint)> {
        let (p, q) = (edwards("p", &p)?, edwards("q", &q)?);
        for (name, point) in [("p", &p), ("q", &q)] {
            if !point.is_on_curve() {
                return Err(Error::point(name, "is not on BabyJubJub").into());
            }
        }
        Ok(edwards_words(p.plus(&q)))
    }

    /// scalar * Base8 for 0 <= scalar < 2^256.
    #[pyfunction]
    fn babyjubjub_mul_base8(scalar: BigInt) -> PyResult<(BigUint, BigUint)> {
        let limbs = ark_ff::BigInt::<4>::try_from(natural("scalar", &scalar)?)
            .map_err(|_| Error::NotInField { name: "scalar".into(), value: scalar })?;
        Ok(edwards_words(crate::babyjub::Point::BASE8.times(&limbs)))
    }

    /// scalar * p for 0 <= scalar < 2^256 on any point of the curve.
    #[pyfunction]
    fn babyjubjub_mul(p: Words, scalar: BigInt) -> PyResult<(BigUint, BigUint)> {
        let p = edwards("p", &p)?;
        if !p.is_on_curve() {
            return Err(Error::point("p", "is not on BabyJubJub").into());
        }
        let limbs = ark_ff::BigInt::<4>::try_from(natural("scalar", &scalar)?)
            .map_err(|_| Error::NotInField { name: "scalar".into(), value: scalar })?;
        Ok(edwards_words(p.times(&limbs)))
    }

    #[pyfunction]
    fn babyjubjub_is_on_curve(p: Words) -> PyResult<bool> {
        Ok(edwards("p", &p)?.is_on_curve())
    }

    #[pyfunction]
    fn babyjubjub_is_in_subgroup(p: Words) -> PyResult<bool> {
        Ok(edwards("p", &p)?.is_in_subgroup())
    }

    /// (R, c) with R = rho Base8 and c = key + Poseidon(tag, rho PK); PK in the subgroup and not the identity.
    #[pyfunction]
    fn escrow_encrypt(
        tag: BigInt,
        key: BigInt,
        rho: BigInt,
        committee: Words,
    ) -> PyResult<((BigUint, BigUint), BigUint)> {
        let scalar = babyjub::checked_scalar("rho", &natural("rho", &rho)?)?;
        let committee = edwards("committee key", &committee)?;
        let (ephemeral, c) =
            babyjub::escrow_encrypt(element("tag", &tag)?, element("key", &key)?, &scalar, &committee)?;
        Ok((edwards_words(ephemeral), field::to_biguint(c)))
    }

    /// key = c - Poseidon(tag, secret R).
    #[pyfunction]
    fn escrow_decrypt(tag: BigInt, secret: BigInt, ephemeral: Words, escrowed: BigInt) -> PyResult<BigUint> {
        let secret = babyjub::checked_scalar("secret", &natural("secret", &secret)?)?;
        let ephemeral = edwards("ephemeral key", &ephemeral)?;
        let (tag, escrowed) = (element("tag", &tag)?, element("escrowed key", &escrowed)?);
        Ok(field::to_biguint(babyjub::escrow_decrypt(tag, &secret, &ephemeral, escrowed)?))
    }

    /// p + q on BN254's G1, (0, 0) being the identity: what the EVM's precompile returns.
    #[pyfunction]
    fn g1_add(p: Words, q: Words) -> PyResult<(BigUint, BigUint)> {
        let sum = curve_point("p", &p)? + curve_point("q", &q)?;
        Ok(field::g1_words(&sum.into_affine()))
    }
}
