//! circom's .r1cs: rank-1 constraints (A w)(B w) = C w over BN254's scalar field.

use crate::binary::Sections;
use crate::error::{Error, Result};
use crate::field::{element_le, limbs_le};
use ark_bn254::Fr;
use ark_ff::{Field, MontFp, One, PrimeField, Zero};
use rayon::prelude::*;
use std::ops::Range;

const WHAT: &str = "r1cs";
const MINUS_ONE: Fr = MontFp!("-1");

/// A linear form over wires.
pub type Form = Vec<(u32, Fr)>;

pub fn value_of(form: &[(u32, Fr)], wires: &[Fr]) -> Fr {
    sum_products(form.iter().map(|(wire, value)| (wires[*wire as usize], value)))
}

/// x v, where most v are 1 or -1.
#[inline]
pub fn times(x: Fr, v: &Fr) -> Fr {
    match v {
        v if v.is_one() => x,
        v if *v == MINUS_ONE => -x,
        v => x * v,
    }
}

/// Products that are added before their sum is reduced.
const TOGETHER: usize = 4;

/// The sum of x v; most x are 0 or 1, and most v are 1 or -1.
#[inline(always)]
fn sum_products<'a>(terms: impl Iterator<Item = (Fr, &'a Fr)>) -> Fr {
    let (mut sum, mut waiting) = (Fr::zero(), 0);
    let (mut xs, mut vs) = ([Fr::zero(); TOGETHER], [Fr::zero(); TOGETHER]);
    for (x, v) in terms {
        if x.is_zero() {
            continue;
        } else if v.is_one() {
            sum += x;
        } else if *v == MINUS_ONE {
            sum -= x;
        } else if x.is_one() {
            sum += v;
        } else {
            (xs[waiting], vs[waiting]) = (x, *v);
            waiting += 1;
            if waiting == TOGETHER {
                sum += Fr::sum_of_products(&xs, &vs);
                waiting = 0;
            }
        }
    }
    xs.iter().zip(&vs).take(waiting).fold(sum, |sum, (x, v)| sum + *x * v)
}

/// A sparse matrix by rows.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    offsets: Vec<u32>,
    wires: Vec<u32>,
    values: Vec<Fr>,
}

impl Matrix {
    pub fn with_capacity(rows: usize, terms: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Matrix { offsets, wires: Vec::with_capacity(terms), values: Vec::with_capacity(terms) }
    }
    pub fn from_forms<'a>(forms: impl Iterator<Item = &'a [(u32, Fr)]>) -> Self {
        let mut matrix = Matrix::with_capacity(0, 0);
        for form in forms {
            form.iter().for_each(|(wire, value)| matrix.push(*wire, *value));
            matrix.end_row();
        }
        matrix
    }
    pub fn push(&mut self, wire: u32, value: Fr) {
        self.wires.push(wire);
        self.values.push(value);
    }
    pub fn end_row(&mut self) {
        self.offsets.push(self.wires.len() as u32);
    }
    /// Ends of the rows among the terms, after a 0; the wire of each term; its coefficient.
    pub fn parts(&self) -> (&[u32], &[u32], &[Fr]) {
        (&self.offsets, &self.wires, &self.values)
    }
    /// Inverse of `parts`; none where the parts are no matrix over `n_wires` wires.
    pub fn from_parts(offsets: Vec<u32>, wires: Vec<u32>, values: Vec<Fr>, n_wires: usize) -> Option<Self> {
        let is_matrix = offsets.first() == Some(&0)
            && offsets.is_sorted()
            && offsets.last().map(|end| *end as usize) == Some(wires.len())
            && wires.len() == values.len()
            && wires.iter().all(|wire| (*wire as usize) < n_wires);
        is_matrix.then_some(Matrix { offsets, wires, values })
    }
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }
    pub fn terms(&self) -> usize {
        self.wires.len()
    }
    pub fn row(&self, i: usize) -> impl Iterator<Item = (u32, Fr)> + '_ {
        let range = self.offsets[i] as usize..self.offsets[i + 1] as usize;
        self.wires[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }
    /// The term of row i when it has one alone.
    pub fn only_term(&self, i: usize) -> Option<(u32, Fr)> {
        let mut row = self.row(i);
        row.next().filter(|_| row.next().is_none())
    }
    pub fn is_empty_row(&self, i: usize) -> bool {
        self.offsets[i] == self.offsets[i + 1]
    }
    /// Row i times the wire vector.
    #[inline]
    pub fn dot(&self, i: usize, wires: &[Fr]) -> Fr {
        let range = self.offsets[i] as usize..self.offsets[i + 1] as usize;
        let terms = self.wires[range.clone()].iter().zip(&self.values[range]);
        sum_products(terms.map(|(wire, value)| (wires[*wire as usize], value)))
    }
    pub fn times(&self, wires: &[Fr]) -> Vec<Fr> {
        (0..self.rows()).into_par_iter().with_min_len(256).map(|i| self.dot(i, wires)).collect()
    }
}

pub struct R1cs {
    pub n_wires: usize,
    pub n_outputs: usize,
    pub n_public_inputs: usize,
    pub n_private_inputs: usize,
    pub n_constraints: usize,
    pub a: Matrix,
    pub b: Matrix,
    pub c: Matrix,
}

impl R1cs {
    /// Outputs and public inputs: the wires 1 ..= n_public.
    pub fn n_public(&self) -> usize {
        self.n_outputs + self.n_public_inputs
    }

    /// Public and private inputs: the wires after the outputs.
    pub fn inputs(&self) -> Range<u32> {
        let first = 1 + self.n_outputs as u32;
        first..first + (self.n_public_inputs + self.n_private_inputs) as u32
    }

    /// The domain of the quotient: constraints and one consistency row for wire 0 and each public one.
    pub fn domain_size(&self) -> usize {
        (self.n_constraints + self.n_public() + 1).next_power_of_two()
    }

    /// # Errors
    /// `FormatError` when the bytes are not version 1 of the format over this field, when a wire is out of range, or
    /// when the file uses custom gates.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let sections = Sections::parse(WHAT, bytes, b"r1cs", &[1])?;
        let mut header = sections.reader(1)?;
        if header.u32()? != 32 {
            return Err(Error::format(WHAT, "field size is not 32 bytes"));
        }
        if limbs_le(header.take(32)?) != Fr::MODULUS {
            return Err(Error::format(WHAT, "not BN254's scalar field"));
        }
        let n_wires = header.u32()? as usize;
        let n_outputs = header.u32()? as usize;
        let n_public_inputs = header.u32()? as usize;
        let n_private_inputs = header.u32()? as usize;
        header.u64()?; // number of labels, not needed
        let n_constraints = header.u32()? as usize;
        header.end()?;
        let named = 1 + n_outputs as u64 + n_public_inputs as u64 + n_private_inputs as u64;
        if named > n_wires as u64 {
            return Err(Error::format(WHAT, format!("{named} named wires of {n_wires}")));
        }
        if [4, 5].iter().any(|k| sections.optional(*k).is_some_and(|s| s.iter().any(|b| *b != 0))) {
            return Err(Error::format(WHAT, "custom gates are not supported"));
        }
        // the label of each wire: not needed, but it bounds the number of wires by the size of the file
        sections.records(3, n_wires, 8)?;
        let mut body = sections.reader(2)?;
        if n_constraints > body.left() / 12 {
            return Err(Error::format(WHAT, format!("{n_constraints} constraints do not fit their section")));
        }
        let terms = body.left() / 36 / 3;
        let mut matrices = [(); 3].map(|_| Matrix::with_capacity(n_constraints, terms));
        for _ in 0..n_constraints {
            for matrix in matrices.iter_mut() {
                let count = body.u32()?;
                for _ in 0..count {
                    let wire = body.u32()?;
                    if wire as usize >= n_wires {
                        return Err(Error::format(WHAT, format!("wire {wire} of {n_wires}")));
                    }
                    let value =
                        element_le(body.take(32)?).ok_or_else(|| Error::format(WHAT, "coefficient not reduced"))?;
                    matrix.push(wire, value);
                }
                matrix.end_row();
            }
        }
        body.end()?;
        let [a, b, c] = matrices;
        Ok(R1cs { n_wires, n_outputs, n_public_inputs, n_private_inputs, n_constraints, a, b, c })
    }

    /// The first constraint that the wires break, if any.
    pub fn first_unsatisfied(&self, wires: &[Fr]) -> Option<usize> {
        (0..self.n_constraints)
            .into_par_iter()
            .with_min_len(256)
            .find_first(|&i| self.a.dot(i, wires) * self.b.dot(i, wires) != self.c.dot(i, wires))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::write_file;
    use crate::field::write_limbs_le;
    use crate::testing::{assert_refused, seeded, Circuit};
    use ark_ff::UniformRand;
    use ark_std::rand::Rng;

    /// The product's file with byte `place` of section `kind` on replaced.
    fn damaged(kind: u32, place: usize, bytes: &[u8]) -> Vec<u8> {
        let mut sections = Circuit::product().sections();
        let (_, body) = sections.iter_mut().find(|(k, _)| *k == kind).unwrap();
        body[place..place + bytes.len()].copy_from_slice(bytes);
        write_file(b"r1cs", 1, &sections)
    }

    #[test]
    fn a_circuit_is_read_as_written() {
        let r1cs = R1cs::parse(&Circuit::product().r1cs()).unwrap();
        assert_eq!((r1cs.n_wires, r1cs.n_public(), r1cs.n_constraints, r1cs.domain_size()), (4, 2, 1, 4));
        assert_eq!(r1cs.c.row(0).collect::<Form>(), [(1, Fr::one()), (0, -Fr::from(3))]);
        let wires = |out: u64| [1, out, 5, 6].map(Fr::from);
        assert_eq!(r1cs.first_unsatisfied(&wires(33)), None);
        assert_eq!(r1cs.first_unsatisfied(&wires(32)), Some(0));
    }

    /// Every length, with the numbers that are not multiplied and those that are in every place.
    #[test]
    fn forms_are_sums_of_products() {
        let mut rng = seeded();
        for length in 0..40 {
            let mut any = || match rng.gen_range(0..6) {
                0 => Fr::zero(),
                1 => Fr::one(),
                2 => -Fr::one(),
                _ => Fr::rand(&mut rng),
            };
            let wires: Vec<Fr> = (0..length).map(|_| any()).collect();
            let form: Form = (0..length as u32).map(|wire| (wire, any())).collect();
            let expected = form.iter().zip(&wires).fold(Fr::zero(), |sum, ((_, v), x)| sum + *v * x);
            assert_eq!(value_of(&form, &wires), expected);
            assert_eq!(Matrix::from_forms([&form[..]].into_iter()).dot(0, &wires), expected);
        }
        let last = vec![-Fr::from(2); 9];
        let form: Form = (0..9).map(|wire| (wire, -Fr::from(3))).collect();
        assert_eq!(value_of(&form, &last), Fr::from(54));
    }

    #[test]
    fn damaged_files_are_refused() {
        let mut modulus = Vec::new();
        write_limbs_le(&mut modulus, &Fr::MODULUS);
        let four = |n: u32| n.to_le_bytes();
        for (kind, place, bytes, words) in [
            (1, 0, &four(33)[..], "field size is not 32 bytes"),
            (1, 4, &[0], "not BN254's scalar field"),
            (1, 36, &four(2), "4 named wires of 2"),
            (1, 36, &four(5), "section 3 has 32 bytes, expected 5 records of 8"),
            (1, 60, &four(u32::MAX), "constraints do not fit their section"),
            (2, 80, &four(u32::MAX), "truncated"),
            (2, 80, &four(1), "36 bytes too many"),
            (2, 4, &four(4), "wire 4 of 4"),
            (2, 8, &modulus, "coefficient not reduced"),
        ] {
            assert_refused(R1cs::parse(&damaged(kind, place, bytes)), words);
        }
        let with = |kind, body: &[u8]| {
            let sections = [Circuit::product().sections(), vec![(kind, body.to_vec())]].concat();
            write_file(b"r1cs", 1, &sections)
        };
        assert!(R1cs::parse(&with(4, &[0; 4])).is_ok());
        assert_refused(R1cs::parse(&with(4, &[1, 0, 0, 0])), "custom gates are not supported");
        assert_refused(R1cs::parse(&with(5, &[1])), "custom gates are not supported");
    }
}
