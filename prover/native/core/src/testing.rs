//! What several tests need: seeded randomness, small circuits in circom's formats, the words of a refusal.

use crate::binary::write_file;
use crate::error::Result;
use crate::field::write_limbs_le;
use crate::r1cs::Form;
use ark_bn254::Fr;
use ark_ff::PrimeField;
use ark_std::rand::{rngs::StdRng, SeedableRng};

/// The same numbers in every run.
pub fn seeded() -> StdRng {
    StdRng::seed_from_u64(20_261_130)
}

/// Asserts that `result` is refused with `words` in its reason.
#[track_caller]
pub fn assert_refused<T>(result: Result<T>, words: &str) {
    let refusal = result.err().map(|error| format!("{error:?}"));
    assert!(refusal.as_ref().is_some_and(|r| r.contains(words)), "expected a refusal with {words}, got {refusal:?}");
}

/// A form from wires and small coefficients.
pub fn form(terms: &[(u32, i64)]) -> Form {
    terms.iter().map(|(wire, value)| (*wire, Fr::from(*value))).collect()
}

/// One constraint: `form`s of A, B and C.
pub type Row = [Form; 3];

/// A circuit as circom writes it.
pub struct Circuit {
    pub n_wires: u32,
    pub n_outputs: u32,
    pub n_public_inputs: u32,
    pub n_private_inputs: u32,
    pub rows: Vec<Row>,
    /// Names of the signals with their wires.
    pub names: Vec<(&'static str, i64)>,
}

impl Circuit {
    /// out = x y + 3, with x public and y private.
    pub fn product() -> Self {
        Circuit {
            n_wires: 4,
            n_outputs: 1,
            n_public_inputs: 1,
            n_private_inputs: 1,
            rows: vec![[form(&[(2, 1)]), form(&[(3, 1)]), form(&[(1, 1), (0, -3)])]],
            names: vec![("main.out", 1), ("main.x", 2), ("main.y", 3)],
        }
    }

    /// A circuit of private inputs, the first wires after 0, and of wires that follow from them.
    pub fn private(n_inputs: u32, n_wires: u32, rows: Vec<Row>, names: Vec<(&'static str, i64)>) -> Self {
        Circuit { n_wires, n_outputs: 0, n_public_inputs: 0, n_private_inputs: n_inputs, rows, names }
    }

    pub fn r1cs(&self) -> Vec<u8> {
        write_file(b"r1cs", 1, &self.sections())
    }

    /// Header, constraints, labels.
    pub fn sections(&self) -> Vec<(u32, Vec<u8>)> {
        let mut header = 32u32.to_le_bytes().to_vec();
        write_limbs_le(&mut header, &Fr::MODULUS);
        for size in [self.n_wires, self.n_outputs, self.n_public_inputs, self.n_private_inputs] {
            header.extend_from_slice(&size.to_le_bytes());
        }
        header.extend_from_slice(&u64::from(self.n_wires).to_le_bytes());
        header.extend_from_slice(&(self.rows.len() as u32).to_le_bytes());
        let mut constraints = Vec::new();
        for form in self.rows.iter().flatten() {
            constraints.extend_from_slice(&(form.len() as u32).to_le_bytes());
            for (wire, value) in form {
                constraints.extend_from_slice(&wire.to_le_bytes());
                write_limbs_le(&mut constraints, &value.into_bigint());
            }
        }
        let labels = (0..u64::from(self.n_wires)).flat_map(u64::to_le_bytes).collect();
        vec![(1, header), (2, constraints), (3, labels)]
    }

    pub fn sym(&self) -> String {
        self.names.iter().enumerate().map(|(label, (name, wire))| format!("{label},{wire},0,{name}\n")).collect()
    }
}
