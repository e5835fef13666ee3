//! A circuit's inputs and steps as bytes, so that the search for them is made once.
//!
//! A SHA-256 of all that follows, then sections: sizes, the distinct coefficients, the three matrices, the steps, the
//! ends of their levels, and the inputs by name. Coefficients are named by their place. A changed byte is found. No
//! schedule makes a false proof: the prover checks every constraint on what the steps give. Whoever can write there
//! can make proofs fail, and learn of a secret by which of them do.

use crate::binary::{write_file, Reader, Sections};
use crate::bits::BitGroup;
use crate::error::{Error, Result};
use crate::field::{limbs_le, write_limbs_le};
use crate::plan::{Plan, Step};
use crate::r1cs::{Form, Matrix, R1cs};
use crate::solver::Inputs;
use ark_bn254::Fr;
use ark_ff::PrimeField;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::Range;

const WHAT: &str = "schedule";
/// Of the form and of the search: whoever changes what either gives raises it.
pub const VERSION: u32 = 1;
const MAGIC: &[u8; 4] = b"zkms";
const DIGEST_BYTES: usize = 32;
const SIZES: u32 = 1;
const VALUES: u32 = 2;
/// Of A; those of B and C follow.
const MATRIX: u32 = 3;
const STEPS: u32 = 6;
const ENDS: u32 = 7;
const INPUTS: u32 = 8;
const LINEAR: u32 = 0;
const DIVIDE: u32 = 1;
const BITS: u32 = 2;
const COMBINE: u32 = 3;

pub fn write(inputs: &Inputs, plan: &Plan, r1cs: &R1cs) -> Vec<u8> {
    let mut writer = Writer::default();
    let matrices = [0, 1, 2].map(|side| writer.matrix(&plan.rows[side]));
    let steps = writer.steps(&plan.steps);
    let mut ends = Vec::new();
    put(&mut ends, plan.ends.iter().copied());
    let [a, b, c] = matrices;
    let mut sizes = Vec::new();
    put(&mut sizes, [r1cs.n_wires as u32, r1cs.n_constraints as u32, plan.n_auxiliary as u32]);
    let sections = [
        (SIZES, sizes),
        (VALUES, writer.values),
        (MATRIX, a),
        (MATRIX + 1, b),
        (MATRIX + 2, c),
        (STEPS, steps),
        (ENDS, ends),
        (INPUTS, write_inputs(inputs)),
    ];
    let body = write_file(MAGIC, VERSION, &sections);
    [&Sha256::digest(&body)[..], &body].concat()
}

/// The inputs and steps of a circuit.
///
/// # Errors
/// `FormatError` for bytes that `write` did not give, or gave for a circuit of another size.
pub fn read(bytes: &[u8], r1cs: &R1cs) -> Result<(Inputs, Plan)> {
    let (digest, body) = bytes.split_at_checked(DIGEST_BYTES).ok_or_else(|| Error::format(WHAT, "truncated"))?;
    if Sha256::digest(body).as_slice() != digest {
        return Err(Error::format(WHAT, "its bytes do not have its digest"));
    }
    let sections = Sections::parse(WHAT, body, MAGIC, &[VERSION])?;
    let mut sizes = sections.reader(SIZES)?;
    let [wires, constraints, auxiliary] = [sizes.u32()?, sizes.u32()?, sizes.u32()?].map(|size| size as usize);
    if (wires, constraints) != (r1cs.n_wires, r1cs.n_constraints) {
        return Err(Error::format(WHAT, format!("{wires} wires and {constraints} constraints are another circuit's")));
    }
    let values = read_values(sections.get(VALUES)?)?;
    let parser = Parser { n_wires: wires + auxiliary, n_rows: constraints, inputs: r1cs.inputs(), values };
    let matrix = |side| parser.matrix(sections.reader(MATRIX + side)?);
    let rows = [matrix(0)?, matrix(1)?, matrix(2)?];
    let steps = parser.steps(sections.reader(STEPS)?)?;
    if auxiliary > steps.len() {
        return Err(Error::format(WHAT, format!("{auxiliary} auxiliary wires of {} steps", steps.len())));
    }
    let mut ends = sections.reader(ENDS)?;
    let ends = (0..ends.left() / 4).map(|_| ends.u32()).collect::<Result<Vec<_>>>()?;
    if !ends.is_sorted() || ends.last().map_or(0, |end| *end as usize) != steps.len() {
        return Err(Error::format(WHAT, "levels that are not the steps"));
    }
    let inputs = Parser { n_wires: wires, ..parser }.inputs(sections.reader(INPUTS)?)?;
    Ok((inputs, Plan { n_auxiliary: auxiliary, rows, steps, ends }))
}

fn put(out: &mut Vec<u8>, words: impl IntoIterator<Item = u32>) {
    words.into_iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, [text.len() as u32]);
    out.extend_from_slice(text.as_bytes());
}

fn write_inputs(inputs: &Inputs) -> Vec<u8> {
    let mut sorted: Vec<_> = inputs.iter().collect();
    sorted.sort_unstable();
    let mut out = Vec::new();
    put(&mut out, [inputs.len() as u32]);
    for (name, wires) in sorted {
        put_text(&mut out, name);
        put(&mut out, [wires.len() as u32].into_iter().chain(wires.iter().copied()));
    }
    out
}

/// Coefficients as they come, each once, as limbs in Montgomery form.
#[derive(Default)]
struct Writer {
    places: HashMap<Fr, u32>,
    values: Vec<u8>,
}

impl Writer {
    fn place(&mut self, value: Fr) -> u32 {
        let next = self.places.len() as u32;
        *self.places.entry(value).or_insert_with(|| {
            write_limbs_le(&mut self.values, &value.0);
            next
        })
    }

    fn matrix(&mut self, matrix: &Matrix) -> Vec<u8> {
        let (offsets, wires, values) = matrix.parts();
        let mut out = Vec::with_capacity(8 + 4 * (offsets.len() + 2 * wires.len()));
        put(&mut out, [offsets.len() as u32, wires.len() as u32]);
        put(&mut out, offsets.iter().chain(wires).copied());
        put(&mut out, values.iter().map(|value| self.place(*value)));
        out
    }

    fn form(&mut self, out: &mut Vec<u8>, form: &Form) {
        put(out, [form.len() as u32]);
        form.iter().for_each(|(wire, value)| put(out, [*wire, self.place(*value)]));
    }

    fn steps(&mut self, steps: &[Step]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, [steps.len() as u32]);
        for step in steps {
            match step {
                Step::Linear { constraint, wire, inverse } => {
                    put(&mut out, [LINEAR, *constraint, *wire, self.place(*inverse)]);
                }
                Step::Divide { constraint, wire, a, b, c, selector } => {
                    let [a, b, c] = [a, b, c].map(|value| self.place(*value));
                    put(&mut out, [DIVIDE, *constraint, *wire, a, b, c, u32::from(*selector)]);
                }
                Step::Bits(group) => {
                    put(&mut out, [BITS, group.width as u32]);
                    put_text(&mut out, &group.name);
                    self.form(&mut out, &group.number);
                    put(&mut out, [group.bits.len() as u32]);
                    group.bits.iter().for_each(|(bit, wire)| put(&mut out, [*bit, *wire]));
                }
                Step::Combine { wire, form } => {
                    put(&mut out, [COMBINE, *wire]);
                    self.form(&mut out, form);
                }
            }
        }
        out
    }
}

fn read_values(bytes: &[u8]) -> Result<Vec<Fr>> {
    let value = |bytes: &[u8]| {
        let limbs = limbs_le(bytes);
        (limbs < Fr::MODULUS).then(|| Fr::new_unchecked(limbs))
    };
    let values: Option<Vec<Fr>> = bytes.chunks_exact(32).map(value).collect();
    values.ok_or_else(|| Error::format(WHAT, "coefficient not reduced"))
}

/// What the parts of a schedule may name.
struct Parser {
    n_wires: usize,
    n_rows: usize,
    inputs: Range<u32>,
    values: Vec<Fr>,
}

impl Parser {
    /// A number that says how many records of at least `size` bytes follow.
    fn count(&self, reader: &mut Reader, size: usize) -> Result<usize> {
        let count = reader.u32()? as usize;
        if count > reader.left() / size {
            return Err(Error::format(WHAT, format!("truncated: {count} records of {size} bytes")));
        }
        Ok(count)
    }

    fn below(&self, what: &str, number: u32, limit: usize) -> Result<u32> {
        if (number as usize) < limit {
            return Ok(number);
        }
        Err(Error::format(WHAT, format!("{what} {number} of {limit}")))
    }

    fn wire(&self, reader: &mut Reader) -> Result<u32> {
        self.below("wire", reader.u32()?, self.n_wires)
    }

    /// A wire that a step gives: neither the constant one nor an input.
    fn target(&self, reader: &mut Reader) -> Result<u32> {
        let wire = self.wire(reader)?;
        if wire == 0 || self.inputs.contains(&wire) {
            return Err(Error::format(WHAT, format!("a step for wire {wire}, which is given")));
        }
        Ok(wire)
    }

    fn input(&self, reader: &mut Reader) -> Result<u32> {
        let wire = self.wire(reader)?;
        if !self.inputs.contains(&wire) {
            return Err(Error::format(WHAT, format!("wire {wire} is no input")));
        }
        Ok(wire)
    }

    fn row(&self, reader: &mut Reader) -> Result<u32> {
        self.below("row", reader.u32()?, self.n_rows)
    }

    fn value(&self, reader: &mut Reader) -> Result<Fr> {
        Ok(self.values[self.below("coefficient", reader.u32()?, self.values.len())? as usize])
    }

    fn text(&self, reader: &mut Reader) -> Result<String> {
        let length = self.count(reader, 1)?;
        let text = String::from_utf8(reader.take(length)?.to_vec());
        text.map_err(|_| Error::format(WHAT, "a name is not UTF-8"))
    }

    fn form(&self, reader: &mut Reader) -> Result<Form> {
        let count = self.count(reader, 8)?;
        (0..count).map(|_| Ok((self.wire(reader)?, self.value(reader)?))).collect()
    }

    fn matrix(&self, mut reader: Reader) -> Result<Matrix> {
        let (rows, terms) = (reader.u32()? as usize, reader.u32()? as usize);
        if reader.left() as u64 != 4 * (rows as u64 + 2 * terms as u64) {
            return Err(Error::format(WHAT, format!("{} bytes for {rows} rows, {terms} terms", reader.left())));
        }
        let offsets = (0..rows).map(|_| reader.u32()).collect::<Result<Vec<_>>>()?;
        let wires = (0..terms).map(|_| reader.u32()).collect::<Result<Vec<_>>>()?;
        let values = (0..terms).map(|_| self.value(&mut reader)).collect::<Result<Vec<_>>>()?;
        Matrix::from_parts(offsets, wires, values, self.n_wires)
            .filter(|matrix| matrix.rows() == self.n_rows)
            .ok_or_else(|| Error::format(WHAT, "rows that are no matrix of the circuit's"))
    }

    fn steps(&self, mut reader: Reader) -> Result<Vec<Step>> {
        let count = self.count(&mut reader, 12)?;
        let steps = (0..count).map(|_| self.step(&mut reader)).collect::<Result<Vec<_>>>()?;
        reader.end()?;
        Ok(steps)
    }

    fn step(&self, reader: &mut Reader) -> Result<Step> {
        match reader.u32()? {
            LINEAR => Ok(Step::Linear {
                constraint: self.row(reader)?,
                wire: self.target(reader)?,
                inverse: self.value(reader)?,
            }),
            DIVIDE => Ok(Step::Divide {
                constraint: self.row(reader)?,
                wire: self.target(reader)?,
                a: self.value(reader)?,
                b: self.value(reader)?,
                c: self.value(reader)?,
                selector: reader.u32()? == 1,
            }),
            BITS => {
                let width = reader.u32()? as usize;
                let (name, number) = (self.text(reader)?, self.form(reader)?);
                let count = self.count(reader, 8)?;
                let bits = (0..count).map(|_| Ok((reader.u32()?, self.target(reader)?))).collect::<Result<_>>()?;
                Ok(Step::Bits(BitGroup { name, number, bits, width }))
            }
            COMBINE => Ok(Step::Combine { wire: self.target(reader)?, form: self.form(reader)? }),
            kind => Err(Error::format(WHAT, format!("a step of kind {kind}"))),
        }
    }

    fn inputs(&self, mut reader: Reader) -> Result<Inputs> {
        let count = self.count(&mut reader, 8)?;
        let mut inputs = Inputs::new();
        for _ in 0..count {
            let name = self.text(&mut reader)?;
            let size = self.count(&mut reader, 4)?;
            let wires = (0..size).map(|_| self.input(&mut reader)).collect::<Result<_>>()?;
            inputs.insert(name, wires);
        }
        reader.end()?;
        Ok(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solver::Solver;
    use crate::testing::{assert_refused, form, Circuit, Row};

    fn row(a: &[(u32, i64)], b: &[(u32, i64)], c: &[(u32, i64)]) -> Row {
        [form(a), form(b), form(c)]
    }

    /// One step of each kind: z = y / x, the bits of x, and u, v of x x = u + v, x y = u - v.
    fn circuit() -> Circuit {
        let zeroth = [(1, 1), (3, -2), (4, -4)];
        let rows = vec![
            row(&[(1, 1)], &[(7, 1)], &[(2, 1)]),
            row(&[(3, 1)], &[(3, 1), (0, -1)], &[]),
            row(&[(4, 1)], &[(4, 1), (0, -1)], &[]),
            row(&zeroth, &[(1, 1), (3, -2), (4, -4), (0, -1)], &[]),
            row(&[(1, 1)], &[(1, 1)], &[(5, 1), (6, 1)]),
            row(&[(1, 1)], &[(2, 1)], &[(5, 1), (6, -1)]),
        ];
        let bits = [("main.n.out[0]", -1), ("main.n.out[1]", 3), ("main.n.out[2]", 4)];
        let others = [("main.u", 5), ("main.v", 6), ("main.z", 7)];
        let names = [("main.x", 1), ("main.y", 2)].into_iter().chain(bits).chain(others).collect();
        Circuit::private(2, 8, rows, names)
    }

    fn schedule() -> (Solver, Vec<u8>) {
        let solver = Solver::new(&circuit().r1cs(), &circuit().sym()).unwrap();
        let bytes = solver.schedule();
        (solver, bytes)
    }

    /// The same bytes under a digest of their own after `change`.
    fn changed(bytes: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut body = bytes[DIGEST_BYTES..].to_vec();
        change(&mut body);
        [&Sha256::digest(&body)[..], &body].concat()
    }

    #[test]
    fn a_schedule_is_read_as_written() {
        let (solver, bytes) = schedule();
        let again = Solver::with_schedule(&circuit().r1cs(), &bytes).unwrap();
        let (inputs, plan) = read(&bytes, &solver.r1cs).unwrap();
        let kind = |step: &Step| match step {
            Step::Linear { .. } => LINEAR,
            Step::Divide { .. } => DIVIDE,
            Step::Bits(_) => BITS,
            Step::Combine { .. } => COMBINE,
        };
        let mut kinds: Vec<u32> = plan.steps.iter().map(kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds, [LINEAR, DIVIDE, BITS, COMBINE]);
        assert_eq!(write(&inputs, &plan, &solver.r1cs), bytes);
        let given = [("x", 6), ("y", 18)].map(|(name, value)| (name.to_string(), vec![Fr::from(value)])).into();
        let wires = solver.solve(&given, false).unwrap();
        assert_eq!(wires, [1, 6, 18, 1, 1, 72, -36, 3].map(Fr::from));
        assert_eq!(again.solve(&given, false).unwrap(), wires);
    }

    #[test]
    fn a_changed_byte_is_found() {
        let (solver, bytes) = schedule();
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert_refused(read(&damaged, &solver.r1cs), "its bytes do not have its digest");
        }
        assert_refused(read(&bytes[..31], &solver.r1cs), "truncated");
    }

    /// Bytes with a digest of their own never panic, wherever they are changed, and give a schedule or a refusal.
    #[test]
    fn what_is_no_schedule_is_refused() {
        let (solver, bytes) = schedule();
        let mut refused = 0;
        for place in 0..bytes.len() - DIGEST_BYTES {
            for value in [0, 1, 0xff] {
                let other = changed(&bytes, |body| body[place] = value);
                match read(&other, &solver.r1cs) {
                    Ok((inputs, plan)) => {
                        let solver = Solver::with_schedule(&circuit().r1cs(), &other).unwrap();
                        let given =
                            inputs.iter().map(|(n, wires)| (n.clone(), vec![Fr::from(6); wires.len()])).collect();
                        drop((solver.solve(&given, true), plan));
                    }
                    Err(error) => {
                        assert!(matches!(error, Error::Format { .. }), "{error:?}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused > bytes.len(), "{refused}");
        for end in 0..bytes.len() - DIGEST_BYTES {
            assert!(read(&changed(&bytes, |body| body.truncate(end)), &solver.r1cs).is_err());
        }
    }

    #[test]
    fn no_step_gives_what_is_given() {
        let (solver, bytes) = schedule();
        for given in 0..3 {
            let (inputs, mut plan) = read(&bytes, &solver.r1cs).unwrap();
            plan.steps[0] = Step::Combine { wire: given, form: Vec::new() };
            assert_refused(read(&write(&inputs, &plan, &solver.r1cs), &solver.r1cs), "which is given");
        }
        let (mut inputs, plan) = read(&bytes, &solver.r1cs).unwrap();
        inputs.insert("x".into(), vec![0]);
        assert_refused(read(&write(&inputs, &plan, &solver.r1cs), &solver.r1cs), "is no input");
    }

    #[test]
    fn a_schedule_of_another_circuit_is_refused() {
        let (_, bytes) = schedule();
        assert_refused(Solver::with_schedule(&Circuit::product().r1cs(), &bytes), "are another circuit's");
    }
}
