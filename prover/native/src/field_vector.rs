//! Vectors of field elements.

use crate::conversion::elements;
use crate::errors::Raises;
use ark_bn254::Fr;
use ark_ff::PrimeField;
use num_bigint::{BigInt, BigUint};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zkmargin_core::error::{Error, Result};
use zkmargin_core::{field, lanes};

/// Elements of BN254's scalar field, kept as such: thousands of public inputs without a Python integer for each.
#[pyclass(frozen, module = "zkmargin.prover._native")]
pub struct FieldVector {
    pub values: Vec<Fr>,
}

#[pymethods]
impl FieldVector {
    /// Integers in 0 .. p-1; anything else raises NotInField.
    #[staticmethod]
    #[pyo3(signature = (values, name = "value"))]
    fn from_canonical(values: Vec<BigInt>, name: &str) -> Raises<Self> {
        Ok(FieldVector { values: elements(name, &values)? })
    }

    /// Integers with |v| < p, each taken mod p.
    #[staticmethod]
    #[pyo3(signature = (values, name = "value"))]
    fn from_signed(values: Vec<BigInt>, name: &str) -> Raises<Self> {
        let values = values.iter().enumerate().map(|(i, v)| field::from_signed(&format!("{name}[{i}]"), v));
        Ok(FieldVector { values: values.collect::<Result<_>>()? })
    }

    /// An int64 array's bytes, row-major: packed[g][i] = sum_k values[lanes g + k][i] 2^(lane_bits k).
    #[staticmethod]
    #[pyo3(signature = (data, columns, lanes = 1, lane_bits = 0))]
    fn pack(data: &[u8], columns: usize, lanes: usize, lane_bits: usize) -> Raises<Self> {
        Ok(FieldVector { values: lanes::pack(&lanes::int64s(data)?, columns, lanes, lane_bits)? })
    }

    #[staticmethod]
    fn zeros(length: usize) -> Self {
        FieldVector { values: vec![Fr::default(); length] }
    }

    /// 32-byte little-endian canonical elements.
    #[staticmethod]
    fn from_bytes(data: &[u8]) -> Raises<Self> {
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

    fn slice(&self, first: usize, end: usize) -> Raises<Self> {
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
