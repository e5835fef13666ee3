//! The Python face of the prover's native part, `zkmargin.prover._native`, and nothing else.

mod circuit;
mod conversion;
mod curves;
mod errors;
mod field_vector;
mod keys;
mod poseidon;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    use super::*;
    use crate::conversion::edwards_words;
    use ark_bn254::{Fq, Fr};
    use ark_ff::PrimeField;
    use num_bigint::BigUint;
    use pyo3::exceptions::PyValueError;
    use zkmargin_core::{babyjub, solver, vector, zkey};

    #[pymodule_export]
    use crate::circuit::{Circuit, Witness};
    #[pymodule_export]
    use crate::curves::{
        babyjubjub_add, babyjubjub_is_in_subgroup, babyjubjub_is_on_curve, babyjubjub_mul, babyjubjub_mul_base8,
        escrow_decrypt, escrow_encrypt, g1_add, random_element, random_scalar,
    };
    #[pymodule_export]
    use crate::field_vector::FieldVector;
    #[pymodule_export]
    use crate::keys::{Proof, ProvingKey, VerifyingKey};
    #[pymodule_export]
    use crate::poseidon::{poseidon, poseidon_chain, poseidon_parameters, state_digest};

    #[pymodule_init]
    fn init(m: &Bound<'_, PyModule>) -> PyResult<()> {
        if let Some(value) = vector::unknown_switch() {
            let reason = format!("{} is {value:?}, allowed are \"scalar\" and nothing", vector::SWITCH);
            return Err(PyValueError::new_err(reason));
        }
        m.add("VECTOR_UNIT", vector::unit().is_some())?;
        m.add("KEY_CHECKS", zkey::CHECKS)?;
        m.add("SCHEDULE_VERSION", solver::SCHEDULE_VERSION)?;
        m.add("SCALAR_MODULUS", BigUint::from(Fr::MODULUS))?;
        m.add("BASE_MODULUS", BigUint::from(Fq::MODULUS))?;
        m.add("BABYJUB_ORDER", BigUint::from(babyjub::ORDER))?;
        m.add("BASE8", edwards_words(babyjub::Point::BASE8))
    }
}
