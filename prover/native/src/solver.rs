//! Witness generation from the constraints themselves.
//!
//! circom simplifies linear constraints away, so each wire that is not an input is fixed by one of four kinds of step:
//! * the only unknown of a constraint: solve for it (linear, or by one division);
//! * several unknowns of several constraints, all in C: a linear system, inverted once (a full round of Poseidon);
//! * a bit of a decomposition: circom removes one bit of each `Num2Bits`, whose own constraint L (L - 1) = 0 then holds the
//!   number itself, L = (in - sum of the other bits) / 2^k; `in` is read off it and its bits are taken;
//! * a selector s (x - i) = 0, and `IsZero`'s result: 1 when the other factor is zero, else 0.
//!
//! The order of the steps depends on the circuit alone and is found once. Nothing here is trusted: the prover checks every
//! constraint on the result, and tests compare it with circom's own generator byte for byte.

use crate::error::{Error, Result};
use crate::field::{power_of_two, to_signed};
use crate::r1cs::{Matrix, R1cs};
use crate::sym::Symbols;
use ark_bn254::Fr;
use ark_ff::{BigInteger, Field, One, PrimeField, Zero};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Largest system of constraints that is solved together: bounds the time to find the schedule.
const MAX_SYSTEM: usize = 128;

/// A linear form over wires.
type Form = Vec<(u32, Fr)>;

struct BitGroup {
    /// What a person calls it: the signal's name without `.out`.
    name: String,
    /// The number that is decomposed.
    number: Form,
    /// (bit, wire) of the bits that have a wire.
    bits: Vec<(u32, u32)>,
    width: usize,
}

enum Step {
    /// `wire` occurs in C only, with a coefficient of this inverse.
    Linear { constraint: u32, wire: u32, inverse: Fr },
    /// `wire` (a B + b A - c) = C - A B, the rows taken with the wire at zero; `selector` is its value when both sides vanish.
    Divide { constraint: u32, wire: u32, a: Fr, b: Fr, c: Fr, selector: bool },
    Bits { group: u32 },
    /// Each wire is a combination of A B - C over the constraints, the rows taken with all these wires at zero.
    System { constraints: Vec<u32>, wires: Vec<(u32, Vec<Fr>)> },
}

/// A circuit with the schedule that computes its wires.
pub struct Solver {
    pub r1cs: Arc<R1cs>,
    inputs: HashMap<String, Vec<u32>>,
    groups: Vec<BitGroup>,
    steps: Vec<Step>,
}

impl Solver {
    /// # Errors
    /// `FormatError` for files that are not r1cs and sym; `NotSolvable`, with the first names, when wires are left over.
    pub fn new(r1cs: &[u8], sym: &str) -> Result<Self> {
        let r1cs = Arc::new(R1cs::parse(r1cs)?);
        let symbols = Symbols::parse(sym, r1cs.n_wires)?;
        let inputs = find_inputs(&r1cs, &symbols)?;
        let mut schedule = Schedule::new(&r1cs, &symbols);
        schedule.run(inputs.values().flatten());
        let names = symbols.wire_names(r1cs.n_wires);
        let left: Vec<String> = (0..r1cs.n_wires).filter(|w| !schedule.known[*w]).map(|w| names[w].to_string()).collect();
        if !left.is_empty() {
            return Err(Error::NotSolvable { wires: left.into_iter().take(8).collect() });
        }
        let (groups, steps) = (schedule.groups, schedule.steps);
        Ok(Solver { inputs, groups, steps, r1cs })
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
        let mut wires = vec![Fr::zero(); self.r1cs.n_wires];
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
        for step in &self.steps {
            self.apply(step, &mut wires, force)?;
        }
        Ok(wires)
    }

    fn apply(&self, step: &Step, wires: &mut [Fr], force: bool) -> Result<()> {
        let rows = |i: u32, wires: &[Fr]| {
            let (i, r) = (i as usize, &self.r1cs);
            (r.a.dot(i, wires), r.b.dot(i, wires), r.c.dot(i, wires))
        };
        match step {
            Step::Linear { constraint, wire, inverse } => {
                let (a, b, c) = rows(*constraint, wires);
                wires[*wire as usize] = (a * b - c) * inverse;
            }
            Step::Divide { constraint, wire, a, b, c, selector } => {
                let (row_a, row_b, row_c) = rows(*constraint, wires);
                let above = row_c - row_a * row_b;
                let below = *a * row_b + *b * row_a - c;
                wires[*wire as usize] = match (above.is_zero(), below.is_zero()) {
                    (true, true) => Fr::from(*selector),
                    (true, false) => Fr::zero(),
                    (false, true) if force => Fr::zero(),
                    (false, true) => return Err(Error::Unsatisfied { constraint: *constraint as usize }),
                    (false, false) => above * below.inverse().unwrap_or_default(),
                };
            }
            Step::System { constraints, wires: targets } => {
                let values: Vec<Fr> = constraints
                    .iter()
                    .map(|i| rows(*i, wires))
                    .map(|(a, b, c)| a * b - c)
                    .collect();
                for (wire, combination) in targets {
                    wires[*wire as usize] = combination.iter().zip(&values).map(|(m, v)| *m * v).sum();
                }
            }
            Step::Bits { group } => {
                let group = &self.groups[*group as usize];
                let number: Fr = group.number.iter().map(|(wire, value)| wires[*wire as usize] * value).sum();
                let plain = number.into_bigint();
                if plain.num_bits() as usize > group.width && !force {
                    let (component, value) = (group.name.clone(), to_signed(number));
                    return Err(Error::RangeCheck { component, value, bits: group.width });
                }
                for (bit, wire) in &group.bits {
                    wires[*wire as usize] = Fr::from(plain.get_bit(*bit as usize));
                }
            }
        }
        Ok(())
    }
}

fn find_inputs(r1cs: &R1cs, symbols: &Symbols) -> Result<HashMap<String, Vec<u32>>> {
    let first = 1 + r1cs.n_outputs as u32;
    let end = first + (r1cs.n_public_inputs + r1cs.n_private_inputs) as u32;
    let mut inputs = HashMap::new();
    let mut count = 0;
    for (name, wires) in symbols.main_signals() {
        let inside: Vec<u32> = wires.iter().flatten().copied().filter(|w| (first..end).contains(w)).collect();
        if inside.is_empty() {
            continue;
        }
        if inside.len() != wires.len() {
            return Err(Error::format("sym", format!("input {name} has elements without a wire of their own")));
        }
        count += inside.len();
        inputs.insert(name.to_string(), inside);
    }
    if count != (end - first) as usize {
        return Err(Error::format("sym", format!("{count} named inputs, the constraints have {}", end - first)));
    }
    Ok(inputs)
}

/// For each wire, where it occurs.
struct Occurrences {
    offsets: Vec<u32>,
    items: Vec<u32>,
}

impl Occurrences {
    fn new(n_wires: usize, wires_of: &[Vec<u32>]) -> Self {
        let mut offsets = vec![0u32; n_wires + 1];
        for wire in wires_of.iter().flatten() {
            offsets[*wire as usize + 1] += 1;
        }
        for i in 0..n_wires {
            offsets[i + 1] += offsets[i];
        }
        let mut next = offsets.clone();
        let mut items = vec![0u32; offsets[n_wires] as usize];
        for (item, wires) in wires_of.iter().enumerate() {
            for wire in wires {
                let slot = &mut next[*wire as usize];
                items[*slot as usize] = item as u32;
                *slot += 1;
            }
        }
        Occurrences { offsets, items }
    }
    fn of(&self, wire: u32) -> &[u32] {
        &self.items[self.offsets[wire as usize] as usize..self.offsets[wire as usize + 1] as usize]
    }
}

/// Finds the order of the steps. Items are the constraints, then the bit groups.
struct Schedule<'a> {
    r1cs: &'a R1cs,
    groups: Vec<BitGroup>,
    steps: Vec<Step>,
    known: Vec<bool>,
    wires_of: Vec<Vec<u32>>,
    occurrences: Occurrences,
    unknown: Vec<u32>,
    /// The same for the factors A and B alone, and the constraints of which both are known.
    in_factors: Occurrences,
    unknown_factors: Vec<u32>,
    linear: Vec<u32>,
    ready: VecDeque<u32>,
    /// Constraints that need a division: taken only when nothing else is ready, as the divisor may be zero.
    late: VecDeque<u32>,
}

impl<'a> Schedule<'a> {
    fn new(r1cs: &'a R1cs, symbols: &Symbols) -> Self {
        let distinct = |matrices: &[&Matrix], i: usize| {
            let mut wires: Vec<u32> = matrices.iter().flat_map(|m| m.row(i).map(|(w, _)| w)).collect();
            wires.sort_unstable();
            wires.dedup();
            wires
        };
        let all = 0..r1cs.n_constraints;
        let factors: Vec<Vec<u32>> = all.clone().map(|i| distinct(&[&r1cs.a, &r1cs.b], i)).collect();
        let mut wires_of: Vec<Vec<u32>> = all.map(|i| distinct(&[&r1cs.a, &r1cs.b, &r1cs.c], i)).collect();
        let groups = find_bit_groups(r1cs, symbols, &Occurrences::new(r1cs.n_wires, &wires_of));
        wires_of.extend(groups.iter().map(|g| g.number.iter().map(|(w, _)| *w).collect::<Vec<u32>>()));
        let occurrences = Occurrences::new(r1cs.n_wires, &wires_of);
        let unknown = wires_of.iter().map(|w| w.len() as u32).collect();
        let known = vec![false; r1cs.n_wires];
        Schedule {
            r1cs,
            groups,
            steps: Vec::new(),
            known,
            wires_of,
            occurrences,
            unknown,
            in_factors: Occurrences::new(r1cs.n_wires, &factors),
            unknown_factors: factors.iter().map(|w| w.len() as u32).collect(),
            linear: Vec::new(),
            ready: VecDeque::new(),
            late: VecDeque::new(),
        }
    }

    fn run<'b>(&mut self, inputs: impl Iterator<Item = &'b u32>) {
        for group in 0..self.groups.len() {
            if self.groups[group].number.is_empty() {
                self.ready.push_back((self.r1cs.n_constraints + group) as u32);
            }
        }
        self.learn(0);
        inputs.for_each(|wire| self.learn(*wire));
        // a constraint with one wire alone is ready from the start
        (0..self.r1cs.n_constraints).filter(|i| self.unknown[*i] == 1).collect::<Vec<_>>().into_iter().for_each(|i| {
            self.ready.push_back(i as u32);
        });
        loop {
            if let Some(item) = self.ready.pop_front() {
                self.take(item, false);
            } else if self.take_systems() {
                continue;
            } else if let Some(item) = self.late.pop_front() {
                self.take(item, true);
            } else {
                return;
            }
        }
    }

    fn learn(&mut self, wire: u32) {
        if std::mem::replace(&mut self.known[wire as usize], true) {
            return;
        }
        for index in 0..self.occurrences.of(wire).len() {
            let item = self.occurrences.of(wire)[index];
            let left = &mut self.unknown[item as usize];
            *left -= 1;
            let wanted = u32::from((item as usize) < self.r1cs.n_constraints);
            if *left == wanted {
                self.ready.push_back(item);
            }
        }
        for index in 0..self.in_factors.of(wire).len() {
            let item = self.in_factors.of(wire)[index];
            let left = &mut self.unknown_factors[item as usize];
            *left -= 1;
            if *left == 0 {
                self.linear.push(item);
            }
        }
    }

    /// Solves what the linear constraints at hand determine together; tells whether there was anything.
    fn take_systems(&mut self) -> bool {
        let mut open = std::mem::take(&mut self.linear);
        open.retain(|i| self.unknown[*i as usize] > 1);
        let mut found = Vec::new();
        for constraints in self.connected(&open).into_iter().filter(|group| group.len() <= MAX_SYSTEM) {
            let solved = determined(self.r1cs, &constraints, &self.known);
            if !solved.is_empty() {
                found.extend(solved.iter().map(|(wire, _)| *wire));
                self.steps.push(Step::System { constraints, wires: solved });
            }
        }
        self.linear = open;
        found.iter().for_each(|wire| self.learn(*wire));
        !found.is_empty()
    }

    /// Groups of constraints that share unknown wires.
    fn connected(&self, constraints: &[u32]) -> Vec<Vec<u32>> {
        let unknown_of = |i: u32| self.wires_of[i as usize].iter().copied().filter(|w| !self.known[*w as usize]);
        let mut touching: HashMap<u32, Vec<u32>> = HashMap::new();
        for i in constraints {
            unknown_of(*i).for_each(|w| touching.entry(w).or_default().push(*i));
        }
        let mut seen = std::collections::HashSet::new();
        let mut groups = Vec::new();
        for start in constraints {
            if !seen.insert(*start) {
                continue;
            }
            let mut group = vec![*start];
            let mut next = 0;
            while next < group.len() {
                for w in unknown_of(group[next]) {
                    for i in touching.remove(&w).unwrap_or_default() {
                        if seen.insert(i) {
                            group.push(i);
                        }
                    }
                }
                next += 1;
            }
            groups.push(group);
        }
        groups
    }

    fn take(&mut self, item: u32, may_divide: bool) {
        if let Some(group) = (item as usize).checked_sub(self.r1cs.n_constraints) {
            self.steps.push(Step::Bits { group: group as u32 });
            let wires: Vec<u32> = self.groups[group].bits.iter().map(|(_, w)| *w).collect();
            wires.into_iter().for_each(|wire| self.learn(wire));
            return;
        }
        let i = item as usize;
        let Some(wire) = self.wires_of[i].iter().copied().find(|w| !self.known[*w as usize]) else { return };
        let [a, b, c] = [&self.r1cs.a, &self.r1cs.b, &self.r1cs.c].map(|m| m.coefficient(i, wire));
        match (a.is_zero(), b.is_zero()) {
            (false, false) => return, // quadratic: the wire has to come from elsewhere
            (true, true) => {
                let inverse = c.inverse().unwrap_or_default();
                self.steps.push(Step::Linear { constraint: item, wire, inverse });
            }
            _ if !may_divide => return self.late.push_back(item),
            _ => {
                let single = |m: &Matrix| m.row(i).all(|(w, _)| w == wire);
                let factor = if a.is_zero() { &self.r1cs.b } else { &self.r1cs.a };
                let selector = single(factor) && self.r1cs.c.is_empty_row(i);
                self.steps.push(Step::Divide { constraint: item, wire, a, b, c, selector });
            }
        }
        self.learn(wire);
    }
}

/// The unknown wires of C that the constraints fix, each with its combination of them, by Gauss and Jordan.
fn determined(r1cs: &R1cs, constraints: &[u32], known: &[bool]) -> Vec<(u32, Vec<Fr>)> {
    let n = constraints.len();
    let mut columns: Vec<u32> = constraints
        .iter()
        .flat_map(|i| r1cs.c.row(*i as usize).map(|(w, _)| w))
        .filter(|w| !known[*w as usize])
        .collect();
    columns.sort_unstable();
    columns.dedup();
    // unknown coefficients, then the identity that records the combination
    let mut rows: Vec<Vec<Fr>> = constraints
        .iter()
        .enumerate()
        .map(|(k, i)| {
            let unknown = columns.iter().map(|w| r1cs.c.coefficient(*i as usize, *w));
            unknown.chain((0..n).map(|j| if j == k { Fr::one() } else { Fr::zero() })).collect()
        })
        .collect();
    let mut pivots = Vec::new();
    for column in 0..columns.len() {
        let rank = pivots.len();
        let Some(found) = (rank..n).find(|k| !rows[*k][column].is_zero()) else { continue };
        rows.swap(rank, found);
        let inverse = rows[rank][column].inverse().unwrap_or_default();
        rows[rank].iter_mut().for_each(|x| *x *= inverse);
        let head = rows[rank].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(k, row)| *k != rank && !row[column].is_zero()) {
            let factor = row[column];
            row.iter_mut().zip(&head).for_each(|(x, h)| *x -= factor * h);
        }
        pivots.push(column);
    }
    pivots
        .iter()
        .enumerate()
        .filter(|(rank, _)| rows[*rank][..columns.len()].iter().filter(|x| !x.is_zero()).count() == 1)
        .map(|(rank, column)| (columns[*column], rows[rank][columns.len()..].to_vec()))
        .collect()
}

/// Wires with a constraint w (w - 1) = 0 of their own.
fn boolean_wires(r1cs: &R1cs) -> Vec<bool> {
    let mut found = vec![false; r1cs.n_wires];
    for i in (0..r1cs.n_constraints).filter(|i| r1cs.c.is_empty_row(*i)) {
        let short = |m: &Matrix| -> Option<(u32, Fr, Fr)> {
            let (mut wire, mut slope, mut constant) = (0, Fr::zero(), Fr::zero());
            for (w, v) in m.row(i) {
                match (w, wire) {
                    (0, _) => constant += v,
                    (_, 0) => (wire, slope) = (w, v),
                    _ => return None,
                }
            }
            (wire != 0).then_some((wire, slope, constant))
        };
        if let (Some((w, s, c)), Some((v, t, d))) = (short(&r1cs.a), short(&r1cs.b)) {
            let (first, second) = (c.is_zero() && (t + d).is_zero(), d.is_zero() && (s + c).is_zero());
            if w == v && (first || second) {
                found[w as usize] = true;
            }
        }
    }
    found
}

fn find_bit_groups(r1cs: &R1cs, symbols: &Symbols, occurrences: &Occurrences) -> Vec<BitGroup> {
    let boolean = boolean_wires(r1cs);
    let mut groups = Vec::new();
    for array in symbols.arrays() {
        let bits: Vec<(u32, u32)> =
            array.wires.iter().enumerate().filter_map(|(i, w)| w.map(|w| (i as u32, w))).collect();
        let width = array.wires.len();
        if bits.is_empty() || bits.len() + 1 != width || bits.iter().any(|(_, w)| !boolean[*w as usize]) {
            continue;
        }
        let Some(missing) = array.wires.iter().position(Option::is_none) else { continue };
        let number = occurrences.of(bits[0].1).iter().find_map(|i| decomposed(r1cs, *i as usize, &bits, missing));
        if let Some(number) = number {
            let name = array.prefix.strip_suffix(".out").unwrap_or(array.prefix).to_string();
            groups.push(BitGroup { name, number, bits, width });
        }
    }
    groups
}

/// The number whose bits are `bits` and a removed bit `missing`, when constraint i is that bit's L (L - 1) = 0.
fn decomposed(r1cs: &R1cs, i: usize, bits: &[(u32, u32)], missing: usize) -> Option<Form> {
    if !r1cs.c.is_empty_row(i) {
        return None;
    }
    let first = remainder(&r1cs.a, i, bits)?;
    let second = remainder(&r1cs.b, i, bits)?;
    // Both are `in` up to the constant 2^k of the factor L - 1: the larger one is L's.
    let step: Fr = power_of_two(missing);
    let constant = |form: &Form| form.iter().find(|(w, _)| *w == 0).map_or(Fr::zero(), |(_, v)| *v);
    let others = |form: &Form| form.iter().filter(|(w, _)| *w != 0).copied().collect::<Form>();
    if others(&first) != others(&second) {
        return None;
    }
    match constant(&first) - constant(&second) {
        d if d == step => Some(first),
        d if d == -step => Some(second),
        _ => None,
    }
}

/// With row i = s (X - sum 2^j b_j) for the given bits, the form X, sorted by wire.
fn remainder(matrix: &Matrix, i: usize, bits: &[(u32, u32)]) -> Option<Form> {
    let row: HashMap<u32, Fr> = matrix.row(i).collect();
    if row.len() < bits.len() {
        return None;
    }
    let scale = -*row.get(&bits[0].1)? * power_of_two::<Fr>(bits[0].0 as usize).inverse()?;
    for (bit, wire) in bits {
        if *row.get(wire)? != -scale * power_of_two::<Fr>(*bit as usize) {
            return None;
        }
    }
    let inverse = scale.inverse()?;
    let mut rest: Form = row
        .into_iter()
        .filter(|(w, _)| !bits.iter().any(|(_, b)| b == w))
        .map(|(w, v)| (w, v * inverse))
        .collect();
    rest.sort_unstable_by_key(|(w, _)| *w);
    Some(rest)
}
