//! Witness generation from the constraints themselves.
//!
//! circom simplifies linear constraints away, so each wire that is not an input is fixed by one of four kinds of step:
//! * the only unknown of a constraint: solve for it (linear, or by one division);
//! * several unknowns of several constraints, all in C: a linear system, inverted once (Poseidon's linear layers);
//! * the bits of a number, see `bits`;
//! * a selector s (x - i) = 0, and `IsZero`'s result: 1 when the other factor is zero, else 0.
//!
//! Nothing here is trusted: the prover checks every constraint on the result, and tests compare it with circom's own
//! generator byte for byte.

use crate::batch::invert;
use crate::bits::BitGroup;
use crate::error::{Error, Result};
use crate::field::to_signed;
use crate::plan::{Plan, Step};
use crate::plan_file;
pub use crate::plan_file::VERSION as SCHEDULE_VERSION;
use crate::r1cs::{times, value_of, R1cs};
use crate::schedule::find_plan;
use crate::sym::Symbols;
use ark_bn254::Fr;
use ark_ff::{BigInteger, One, PrimeField, Zero};
use std::collections::HashMap;
use std::sync::Arc;

/// Wires of each input, row-major, by its name.
pub type Inputs = HashMap<String, Vec<u32>>;

/// What the steps of a level give.
#[derive(Default)]
struct Level {
    values: Vec<(u32, Fr)>,
    /// Places of values that are still to be divided, with their divisors, none of which is zero.
    divisors: Vec<(usize, Fr)>,
}

impl Level {
    /// All divisions at once, by one inversion.
    fn divide(&mut self) {
        let mut inverses: Vec<Fr> = self.divisors.iter().map(|(_, divisor)| *divisor).collect();
        invert(&mut inverses, &mut Vec::new());
        for ((place, _), inverse) in self.divisors.drain(..).zip(inverses) {
            self.values[place].1 *= inverse;
        }
    }
}

/// A circuit with the steps that compute its wires.
pub struct Solver {
    pub r1cs: Arc<R1cs>,
    inputs: Inputs,
    plan: Plan,
}

impl Solver {
    /// # Errors
    /// `FormatError` for files that are not r1cs and sym; `NotSolvable`, with their names, when wires are left over.
    pub fn new(r1cs: &[u8], sym: &str) -> Result<Self> {
        let r1cs = Arc::new(R1cs::parse(r1cs)?);
        let symbols = Symbols::parse(sym, r1cs.n_wires)?;
        let inputs = find_inputs(&r1cs, &symbols)?;
        let plan = find_plan(&r1cs, &symbols, inputs.values().flatten().copied()).map_err(|left| {
            let names = symbols.wire_names(r1cs.n_wires);
            Error::NotSolvable { wires: left.iter().map(|w| names[*w as usize].to_string()).collect() }
        })?;
        Ok(Solver { inputs, plan, r1cs })
    }

    /// A circuit whose steps were found before, see `schedule`.
    ///
    /// # Errors
    /// `FormatError` for an r1cs or a schedule that is none, or one of a circuit of another size.
    pub fn with_schedule(r1cs: &[u8], schedule: &[u8]) -> Result<Self> {
        let r1cs = Arc::new(R1cs::parse(r1cs)?);
        let (inputs, plan) = plan_file::read(schedule, &r1cs)?;
        Ok(Solver { inputs, plan, r1cs })
    }

    /// The inputs and the steps as bytes, for `with_schedule`.
    pub fn schedule(&self) -> Vec<u8> {
        plan_file::write(&self.inputs, &self.plan, &self.r1cs)
    }

    /// Names of the inputs with the number of elements of each.
    pub fn input_sizes(&self) -> impl Iterator<Item = (&str, usize)> {
        self.inputs.iter().map(|(name, wires)| (name.as_str(), wires.len()))
    }

    /// All wires from the inputs, given row-major by name.
    ///
    /// With `force`, numbers that do not fit their bits are cut and broken divisions give zero: what a cheating prover
    /// would do. Such wires break a constraint.
    ///
    /// # Errors
    /// `MissingInput`, `UnknownInput`, `InputShape`; `RangeCheckFailed` with the number and its bits;
    /// `UnsatisfiedConstraint` when a step has no solution.
    pub fn solve(&self, inputs: &HashMap<String, Vec<Fr>>, force: bool) -> Result<Vec<Fr>> {
        let mut wires = vec![Fr::zero(); self.r1cs.n_wires + self.plan.n_auxiliary];
        wires[0] = Fr::one();
        if let Some(name) = inputs.keys().find(|name| !self.inputs.contains_key(*name)) {
            return Err(Error::UnknownInput { name: name.clone() });
        }
        for (name, targets) in &self.inputs {
            let values = inputs.get(name).ok_or_else(|| Error::MissingInput { name: name.clone() })?;
            if values.len() != targets.len() {
                let (given, expected) = (values.len(), targets.len());
                return Err(Error::InputShape { name: name.clone(), given, expected });
            }
            targets.iter().zip(values).for_each(|(wire, value)| wires[*wire as usize] = *value);
        }
        let mut level = Level::default();
        for steps in self.plan.levels() {
            self.plan.steps[steps].iter().try_for_each(|step| self.apply(step, &wires, force, &mut level))?;
            level.divide();
            level.values.drain(..).for_each(|(wire, value)| wires[wire as usize] = value);
        }
        wires.truncate(self.r1cs.n_wires);
        Ok(wires)
    }

    fn apply(&self, step: &Step, wires: &[Fr], force: bool, level: &mut Level) -> Result<()> {
        let [a, b, c] = &self.plan.rows;
        match step {
            Step::Linear { constraint, wire, inverse } => {
                let i = *constraint as usize;
                let (row_a, row_b) = (a.dot(i, wires), b.dot(i, wires));
                let product = if row_a.is_zero() || row_b.is_zero() { Fr::zero() } else { row_a * row_b };
                level.values.push((*wire, times(product - c.dot(i, wires), inverse)));
            }
            Step::Divide { constraint, wire, a: in_a, b: in_b, c: in_c, selector } => {
                let i = *constraint as usize;
                let (row_a, row_b, row_c) = (a.dot(i, wires), b.dot(i, wires), c.dot(i, wires));
                let above = row_c - row_a * row_b;
                let below = *in_a * row_b + *in_b * row_a - in_c;
                let value = match (above.is_zero(), below.is_zero()) {
                    (true, true) => Fr::from(*selector),
                    (true, false) => Fr::zero(),
                    (false, true) if force => Fr::zero(),
                    (false, true) => return Err(Error::Unsatisfied { constraint: i }),
                    (false, false) => {
                        level.divisors.push((level.values.len(), below));
                        above
                    }
                };
                level.values.push((*wire, value));
            }
            Step::Combine { wire, form } => level.values.push((*wire, value_of(form, wires))),
            Step::Bits(group) => level.values.extend(compute_bits(group, wires, force)?),
        }
        Ok(())
    }
}

/// The wires of the number's bits, with their values.
fn compute_bits<'a>(group: &'a BitGroup, wires: &[Fr], force: bool) -> Result<impl Iterator<Item = (u32, Fr)> + 'a> {
    let number = value_of(&group.number, wires);
    let plain = number.into_bigint();
    if plain.num_bits() as usize > group.width && !force {
        let (component, value) = (group.name.clone(), to_signed(number));
        return Err(Error::RangeCheck { component, value, bits: group.width });
    }
    let bit_of = move |bit: u32| if plain.get_bit(bit as usize) { Fr::one() } else { Fr::zero() };
    Ok(group.bits.iter().map(move |(bit, wire)| (*wire, bit_of(*bit))))
}

fn find_inputs(r1cs: &R1cs, symbols: &Symbols) -> Result<Inputs> {
    let range = r1cs.inputs();
    let mut inputs = HashMap::new();
    let mut count = 0;
    for (name, wires) in symbols.main_signals() {
        let inside: Vec<u32> = wires.iter().flatten().copied().filter(|w| range.contains(w)).collect();
        if inside.is_empty() {
            continue;
        }
        if inside.len() != wires.len() {
            return Err(Error::format("sym", format!("input {name} has elements without a wire of their own")));
        }
        count += inside.len();
        inputs.insert(name.to_string(), inside);
    }
    if count != range.len() {
        return Err(Error::format("sym", format!("{count} named inputs, the constraints have {}", range.len())));
    }
    Ok(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, form, Circuit, Row};

    fn solver(circuit: &Circuit) -> Solver {
        Solver::new(&circuit.r1cs(), &circuit.sym()).unwrap()
    }

    fn inputs(values: &[(&str, &[i64])]) -> HashMap<String, Vec<Fr>> {
        values.iter().map(|(name, v)| (name.to_string(), v.iter().map(|x| Fr::from(*x)).collect())).collect()
    }

    /// Solves, checks every constraint, and gives the wires.
    #[track_caller]
    fn solve(circuit: &Circuit, values: &[(&str, &[i64])]) -> Vec<Fr> {
        let solver = solver(circuit);
        let wires = solver.solve(&inputs(values), false).unwrap();
        assert_eq!(solver.r1cs.first_unsatisfied(&wires), None);
        wires
    }

    fn row(a: &[(u32, i64)], b: &[(u32, i64)], c: &[(u32, i64)]) -> Row {
        [form(a), form(b), form(c)]
    }

    /// number = b0 + 2 b1 + 4 b2; circom drops b0 and keeps b1 (wire 2) and b2 (wire 3).
    fn three_bits() -> Circuit {
        let zeroth = [(1, 1), (2, -2), (3, -4)];
        let rows = vec![
            row(&[(2, 1)], &[(2, 1), (0, -1)], &[]),
            row(&[(3, 1)], &[(3, 1), (0, -1)], &[]),
            row(&zeroth, &[(1, 1), (2, -2), (3, -4), (0, -1)], &[]),
        ];
        let names = vec![("main.x", 1), ("main.n.out[0]", -1), ("main.n.out[1]", 2), ("main.n.out[2]", 3)];
        Circuit::private(1, 4, rows, names)
    }

    #[test]
    fn products_and_sums_follow() {
        let wires = solve(&Circuit::product(), &[("x", &[5]), ("y", &[6])]);
        assert_eq!(wires, [1, 33, 5, 6].map(Fr::from));
    }

    #[test]
    fn a_factor_follows_by_division() {
        // y q = x, for which no product gives q
        let rows = vec![row(&[(2, 1)], &[(3, 1)], &[(1, 1)])];
        let circuit = Circuit::private(2, 4, rows, vec![("main.x", 1), ("main.y", 2), ("main.q", 3)]);
        assert_eq!(solve(&circuit, &[("x", &[42]), ("y", &[6])])[3], Fr::from(7));
        assert_eq!(solve(&circuit, &[("x", &[0]), ("y", &[0])])[3], Fr::zero());
        let broken = inputs(&[("x", &[1]), ("y", &[0])]);
        assert_refused(solver(&circuit).solve(&broken, false), "Unsatisfied { constraint: 0 }");
        let forced = solver(&circuit).solve(&broken, true).unwrap();
        assert_eq!(solver(&circuit).r1cs.first_unsatisfied(&forced), Some(0));
    }

    #[test]
    fn divisions_of_a_level_are_each_their_own() {
        // y_k q_k = x for three k
        let rows = (0..3).map(|k| row(&[(2 + k, 1)], &[(5 + k, 1)], &[(1, 1)])).collect();
        let names = ["main.x", "main.y[0]", "main.y[1]", "main.y[2]", "main.q[0]", "main.q[1]", "main.q[2]"];
        let names = names.into_iter().zip(1..).collect();
        let circuit = Circuit::private(4, 8, rows, names);
        for (x, divisors, quotients) in
            [(84, [2, 3, -7], [42, 28, -12]), (0, [2, 0, 1], [0, 0, 0]), (6, [1, 6, 6], [6, 1, 1])]
        {
            assert_eq!(solve(&circuit, &[("x", &[x]), ("y", &divisors)])[5..], quotients.map(Fr::from));
        }
        let broken = inputs(&[("x", &[6]), ("y", &[2, 0, 3])]);
        assert_refused(solver(&circuit).solve(&broken, false), "Unsatisfied { constraint: 1 }");
        assert_eq!(solver(&circuit).solve(&broken, true).unwrap()[5..], [3, 0, 2].map(Fr::from));
    }

    #[test]
    fn is_zero_tells_zero() {
        // in inv = 1 - out, in out = 0
        let rows = vec![row(&[(1, 1)], &[(3, 1)], &[(0, 1), (2, -1)]), row(&[(1, 1)], &[(2, 1)], &[])];
        let circuit = Circuit::private(1, 4, rows, vec![("main.x", 1), ("main.z.out", 2), ("main.z.inv", 3)]);
        assert_eq!(solve(&circuit, &[("x", &[0])])[2], Fr::one());
        assert_eq!(solve(&circuit, &[("x", &[-3])])[2], Fr::zero());
    }

    #[test]
    fn bits_follow_from_their_number() {
        for number in 0..8 {
            let wires = solve(&three_bits(), &[("x", &[number])]);
            assert_eq!(wires[2..], [number >> 1 & 1, number >> 2 & 1].map(Fr::from));
        }
    }

    #[test]
    fn a_number_past_its_bits_is_refused_or_cut() {
        let solver = solver(&three_bits());
        for number in [8, -1] {
            let words = format!("RangeCheck {{ component: \"main.n\", value: {number}, bits: 3 }}");
            assert_refused(solver.solve(&inputs(&[("x", &[number])]), false), &words);
        }
        let cut = solver.solve(&inputs(&[("x", &[8])]), true).unwrap();
        assert_eq!(solver.r1cs.first_unsatisfied(&cut), Some(2));
    }

    #[test]
    fn a_linear_system_is_inverted() {
        // x x = u + v, x y = u - v
        let rows = vec![row(&[(1, 1)], &[(1, 1)], &[(3, 1), (4, 1)]), row(&[(1, 1)], &[(2, 1)], &[(3, 1), (4, -1)])];
        let names = vec![("main.x", 1), ("main.y", 2), ("main.u", 3), ("main.v", 4)];
        let wires = solve(&Circuit::private(2, 5, rows, names), &[("x", &[6]), ("y", &[2])]);
        assert_eq!(wires[3..], [24, 12].map(Fr::from));
    }

    #[test]
    fn wires_that_do_not_follow_are_named() {
        // a a = x: either root would do
        let rows = vec![row(&[(2, 1)], &[(2, 1)], &[(1, 1)])];
        let circuit = Circuit::private(1, 3, rows, vec![("main.x", 1), ("main.root", 2)]);
        assert_refused(Solver::new(&circuit.r1cs(), &circuit.sym()), "NotSolvable { wires: [\"main.root\"] }");
    }

    #[test]
    fn inputs_of_another_name_or_shape_are_refused() {
        let solver = solver(&Circuit::product());
        let refused =
            |values: &[(&str, &[i64])], words: &str| assert_refused(solver.solve(&inputs(values), false), words);
        refused(&[("x", &[5])], "MissingInput { name: \"y\" }");
        refused(&[("x", &[5]), ("y", &[6]), ("z", &[7])], "UnknownInput { name: \"z\" }");
        refused(&[("x", &[5]), ("y", &[6, 7])], "InputShape { name: \"y\", given: 2, expected: 1 }");
    }

    #[test]
    fn symbols_that_are_not_the_circuits_are_refused() {
        let r1cs = Circuit::product().r1cs();
        for (sym, words) in [
            ("0,1", "line 1 is not label,wire,component,name"),
            ("0,1,0,main.out\n1,4,0,main.x", "line 2: wire 4 of 4"),
            ("0,1,0,main.out\n1,2,0,main.x", "1 named inputs, the constraints have 2"),
            ("0,2,0,main.x[0]\n1,-1,0,main.x[1]\n", "input x has elements without a wire of their own"),
        ] {
            assert_refused(Solver::new(&r1cs, sym), words);
        }
    }
}
