//! A circuit and the values of its wires.

use crate::errors::Raises;
use crate::field_vector::FieldVector;
use ark_bn254::Fr;
use num_bigint::{BigInt, BigUint};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::HashMap;
use zkmargin_core::error::Error;
use zkmargin_core::solver::Solver;
use zkmargin_core::{field, setup, wtns};

/// Values of all wires of a circuit.
#[pyclass(frozen, module = "zkmargin.prover._native")]
pub struct Witness {
    pub wires: Vec<Fr>,
    n_public: usize,
}

#[pymethods]
impl Witness {
    /// From snarkjs's .wtns.
    #[staticmethod]
    fn from_wtns(data: &[u8], circuit: PyRef<'_, Circuit>) -> Raises<Self> {
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
    fn with_wire(&self, wire: usize, value: BigInt) -> Raises<Self> {
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
pub struct Circuit {
    pub solver: Solver,
    sym: String,
}

#[pymethods]
impl Circuit {
    #[new]
    fn new(py: Python<'_>, r1cs: &[u8], sym: String) -> Raises<Self> {
        let solver = py.detach(|| Solver::new(r1cs, &sym))?;
        Ok(Circuit { solver, sym })
    }

    /// A circuit whose steps were found before: `schedule` are the bytes of then.
    #[staticmethod]
    fn with_schedule(py: Python<'_>, r1cs: &[u8], sym: String, schedule: &[u8]) -> Raises<Self> {
        let solver = py.detach(|| Solver::with_schedule(r1cs, schedule))?;
        Ok(Circuit { solver, sym })
    }

    /// The steps that compute the wires, for `with_schedule`.
    fn schedule<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.solver.schedule()))
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
    fn wire_of(&self, signal: &str) -> Raises<Option<usize>> {
        for line in self.sym.lines() {
            let fields: Vec<&str> = line.splitn(4, ',').collect();
            if fields.get(3) == Some(&signal) {
                return Ok(fields[1].parse().ok());
            }
        }
        Err(Error::UnknownInput { name: signal.into() }.into())
    }

    #[pyo3(signature = (inputs, force = false))]
    fn solve(&self, py: Python<'_>, inputs: HashMap<String, PyRef<'_, FieldVector>>, force: bool) -> Raises<Witness> {
        let inputs = inputs.into_iter().map(|(name, v)| (name, v.values.clone())).collect();
        let wires = py.detach(|| self.solver.solve(&inputs, force))?;
        Ok(Witness { wires, n_public: self.solver.r1cs.n_public() })
    }

    /// The first constraint that the witness breaks, or none.
    fn first_unsatisfied(&self, py: Python<'_>, witness: PyRef<'_, Witness>) -> Raises<Option<usize>> {
        let expected = self.solver.r1cs.n_wires;
        if witness.wires.len() != expected {
            let given = witness.wires.len();
            return Err(Error::InputShape { name: "witness".into(), given, expected }.into());
        }
        let wires = &witness.wires;
        Ok(py.detach(|| self.solver.r1cs.first_unsatisfied(wires)))
    }

    /// A development key for this circuit as a zkey: one party, fresh randomness, secrets wiped.
    fn set_up<'py>(&self, py: Python<'py>) -> Raises<Bound<'py, PyBytes>> {
        let circuit = &self.solver.r1cs;
        let bytes = py.detach(|| setup::set_up(circuit).map(|key| key.to_bytes(circuit)))?;
        Ok(PyBytes::new(py, &bytes))
    }
}
