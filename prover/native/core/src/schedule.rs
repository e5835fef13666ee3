//! The order in which the wires of a circuit can be computed. It depends on the circuit alone.

use crate::bits::{find_bit_groups, BitGroup};
use crate::field::Inverses;
use crate::plan::{Plan, Step};
use crate::r1cs::{Form, Matrix, R1cs};
use crate::sym::Symbols;
use ark_bn254::Fr;
use ark_ff::{Field, One, Zero};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet, VecDeque};

/// Largest system of linear constraints that is inverted: bounds the time to find the schedule.
const MAX_SYSTEM: usize = 192;

/// When a constraint that needs a division may be taken: the divisor can be zero where the wire has a value all the
/// same.
#[derive(Clone, Copy, PartialEq)]
enum Divide {
    IfOnlyWay,
    Always,
}

#[derive(Clone, Copy)]
enum Item {
    Constraint(u32),
    Group(u32),
    Combination(u32),
}

/// The plan, or the wires that no step reaches.
pub fn find_plan(r1cs: &R1cs, symbols: &Symbols, inputs: impl Iterator<Item = u32>) -> Result<Plan, Vec<u32>> {
    let mut search = Search::new(r1cs, symbols);
    search.run(inputs);
    let left: Vec<u32> = (0..r1cs.n_wires as u32).filter(|w| !search.known[*w as usize]).collect();
    if !left.is_empty() {
        return Err(left);
    }
    let rows = [0, 1, 2].map(|side| Matrix::from_forms(search.rows.iter().map(|row| row[side].as_slice())));
    Ok(Plan::new(r1cs.n_wires, search.known.len() - r1cs.n_wires, rows, search.steps))
}

#[derive(Clone)]
struct Search {
    rows: Vec<[Form; 3]>,
    groups: Vec<Option<BitGroup>>,
    combinations: Vec<(u32, Form)>,
    items: Vec<Item>,
    /// Distinct unknown wires of each item.
    unknown: Vec<u32>,
    /// Items in which a wire occurs, while it is unknown.
    touching: Vec<Vec<u32>>,
    known: Vec<bool>,
    steps: Vec<Step>,
    ready: VecDeque<u32>,
    /// Constraints that would need a division for a wire that a product may give.
    late: VecDeque<u32>,
    inverses: Inverses,
}

impl Search {
    fn new(r1cs: &R1cs, symbols: &Symbols) -> Self {
        let form = |m: &Matrix, i: usize| m.row(i).collect::<Form>();
        let rows: Vec<[Form; 3]> =
            (0..r1cs.n_constraints).map(|i| [form(&r1cs.a, i), form(&r1cs.b, i), form(&r1cs.c, i)]).collect();
        let mut search = Search {
            rows: Vec::new(),
            groups: Vec::new(),
            combinations: Vec::new(),
            items: Vec::new(),
            unknown: Vec::new(),
            touching: vec![Vec::new(); r1cs.n_wires],
            known: vec![false; r1cs.n_wires],
            steps: Vec::new(),
            ready: VecDeque::new(),
            late: VecDeque::new(),
            inverses: Inverses::default(),
        };
        search.known[0] = true;
        for (i, row) in rows.iter().enumerate() {
            search.add(Item::Constraint(i as u32), distinct(row.iter().flatten().map(|(w, _)| *w)));
        }
        search.rows = rows;
        for (k, group) in find_bit_groups(r1cs, symbols, &search.touching).into_iter().enumerate() {
            search.add(Item::Group(k as u32), distinct(group.number.iter().map(|(w, _)| *w)));
            search.groups.push(Some(group));
        }
        search
    }

    /// How many unknown wires an item may have to be ready.
    fn wanted(item: Item) -> u32 {
        u32::from(matches!(item, Item::Constraint(_)))
    }

    fn add(&mut self, item: Item, wires: Vec<u32>) {
        let id = self.items.len() as u32;
        let open: Vec<u32> = wires.into_iter().filter(|w| !self.known[*w as usize]).collect();
        open.iter().for_each(|w| self.touching[*w as usize].push(id));
        self.items.push(item);
        self.unknown.push(open.len() as u32);
        if open.len() as u32 == Self::wanted(item) {
            self.ready.push_back(id);
        }
    }

    fn run(&mut self, inputs: impl Iterator<Item = u32>) {
        inputs.for_each(|wire| self.learn(wire));
        loop {
            self.drain();
            if self.substitute() {
                continue;
            }
            match self.late.pop_front() {
                Some(id) => self.take(id, Divide::Always),
                None => return,
            }
        }
    }

    /// Takes everything that needs no choice: products, bits, and divisions for wires that no product gives.
    fn drain(&mut self) {
        loop {
            let before = self.steps.len();
            let mut waiting = std::mem::take(&mut self.late);
            while let Some(id) = self.ready.pop_front().or_else(|| waiting.pop_front()) {
                self.take(id, Divide::IfOnlyWay);
            }
            if self.steps.len() == before {
                return;
            }
        }
    }

    fn learn(&mut self, wire: u32) {
        if std::mem::replace(&mut self.known[wire as usize], true) {
            return;
        }
        for id in std::mem::take(&mut self.touching[wire as usize]) {
            self.unknown[id as usize] -= 1;
            if self.unknown[id as usize] == Self::wanted(self.items[id as usize]) {
                self.ready.push_back(id);
            }
        }
    }

    fn take(&mut self, id: u32, divide: Divide) {
        match self.items[id as usize] {
            Item::Group(k) => {
                if let Some(group) = self.groups[k as usize].take() {
                    let wires: Vec<u32> = group.bits.iter().map(|(_, w)| *w).collect();
                    self.steps.push(Step::Bits(group));
                    wires.into_iter().for_each(|wire| self.learn(wire));
                }
            }
            Item::Combination(k) => {
                let (wire, form) = self.combinations[k as usize].clone();
                self.steps.push(Step::Combine { wire, form });
                self.learn(wire);
            }
            Item::Constraint(i) => self.take_constraint(id, i, divide),
        }
    }

    fn take_constraint(&mut self, id: u32, constraint: u32, divide: Divide) {
        let row = &self.rows[constraint as usize];
        let Some(wire) = row.iter().flatten().map(|(w, _)| *w).find(|w| !self.known[*w as usize]) else { return };
        let coefficient = |form: &Form| form.iter().filter(|(w, _)| *w == wire).map(|(_, v)| *v).sum::<Fr>();
        let [a, b, c] = [0, 1, 2].map(|side| coefficient(&row[side]));
        match (a.is_zero(), b.is_zero()) {
            (false, false) => return, // quadratic: the wire has to come from elsewhere
            (true, true) => {
                let inverse = self.inverses.of(c);
                self.steps.push(Step::Linear { constraint, wire, inverse });
            }
            _ if divide == Divide::IfOnlyWay && self.has_product(wire, constraint) => return self.late.push_back(id),
            _ => {
                let factor = if a.is_zero() { &row[1] } else { &row[0] };
                let selector = factor.iter().all(|(w, _)| *w == wire) && row[2].is_empty();
                self.steps.push(Step::Divide { constraint, wire, a, b, c, selector });
            }
        }
        self.learn(wire);
    }

    /// Whether another open constraint has the wire in its C and may give it as a product.
    fn has_product(&self, wire: u32, constraint: u32) -> bool {
        self.touching[wire as usize].iter().any(|id| match self.items[*id as usize] {
            Item::Constraint(i) => i != constraint && self.rows[i as usize][2].iter().any(|(w, _)| *w == wire),
            _ => false,
        })
    }

    /// Changes variables where several constraints share several unknown wires in C (circom spreads Poseidon's linear
    /// layers so). The unknown part of each C becomes an auxiliary wire; if these determine the old wires, every other
    /// occurrence of those is rewritten in the auxiliary ones. A system is kept only if all its wires follow at once
    /// without a choice: else it is put back (the slopes of curve additions look alike). Tells whether any was kept.
    fn substitute(&mut self) -> bool {
        let mut systems: Vec<System> = self.linear_systems().into_iter().filter_map(|s| s.invert(&self.rows)).collect();
        let before = if systems.is_empty() { return false } else { self.clone() };
        loop {
            systems.iter().for_each(|system| self.rewrite(system));
            self.drain();
            let tried = systems.len();
            systems.retain(|system| system.wires.iter().all(|w| self.known[*w as usize]));
            if systems.len() == tried {
                return true;
            }
            *self = before.clone();
            if systems.is_empty() {
                return false;
            }
        }
    }

    /// Constraints grouped by the unknown wires that their C share, where a group has as many constraints as wires.
    fn linear_systems(&self) -> Vec<System> {
        let unknown = |i: usize| self.rows[i][2].iter().map(|(w, _)| *w).filter(|w| !self.known[*w as usize]);
        let mut by_wire: HashMap<u32, Vec<u32>> = HashMap::new();
        let open: Vec<usize> = (0..self.rows.len()).filter(|i| self.unknown[*i] > 0).collect();
        for i in &open {
            unknown(*i).for_each(|w| by_wire.entry(w).or_default().push(*i as u32));
        }
        let mut seen = HashSet::new();
        let mut systems = Vec::new();
        for start in open {
            if unknown(start).count() < 2 || !seen.insert(start as u32) {
                continue;
            }
            let mut system = System { constraints: vec![start as u32], wires: Vec::new(), inverse: Vec::new() };
            let mut next = 0;
            while let Some(i) = system.constraints.get(next).copied() {
                for w in unknown(i as usize) {
                    let Some(others) = by_wire.remove(&w) else { continue };
                    system.wires.push(w);
                    system.constraints.extend(others.into_iter().filter(|other| seen.insert(*other)));
                }
                next += 1;
            }
            if system.wires.len() <= system.constraints.len() && system.constraints.len() <= MAX_SYSTEM {
                systems.push(system);
            }
        }
        systems
    }

    fn rewrite(&mut self, system: &System) {
        let first = self.known.len() as u32;
        let auxiliary = first..first + system.constraints.len() as u32;
        self.known.resize(auxiliary.end as usize, false);
        self.touching.resize(auxiliary.end as usize, Vec::new());
        let place: HashMap<u32, usize> = system.wires.iter().enumerate().map(|(k, w)| (*w, k)).collect();
        let mut affected = HashSet::new();
        for wire in &system.wires {
            let (constraints, others): (Vec<u32>, Vec<u32>) = std::mem::take(&mut self.touching[*wire as usize])
                .into_iter()
                .partition(|id| matches!(self.items[*id as usize], Item::Constraint(_)));
            affected.extend(constraints);
            self.touching[*wire as usize] = others;
        }
        // a constraint's item has its own number: constraints are added first
        for (own, i) in auxiliary.clone().zip(&system.constraints) {
            let c = &mut self.rows[*i as usize][2];
            c.retain(|(w, _)| !place.contains_key(w));
            c.push((own, Fr::one()));
        }
        let rewrite = |i: u32| {
            let mut row = self.rows[i as usize].clone();
            row.iter_mut().for_each(|form| replace(form, &place, &system.inverse, first));
            (i, row)
        };
        let rewritten: Vec<(u32, [Form; 3])> = affected.into_par_iter().map(rewrite).collect();
        for (i, row) in rewritten {
            self.rows[i as usize] = row;
            let wires = distinct(self.rows[i as usize].iter().flatten().map(|(w, _)| *w));
            let open: Vec<u32> = wires.into_iter().filter(|w| !self.known[*w as usize]).collect();
            self.unknown[i as usize] = open.len() as u32;
            for wire in &open {
                let items = &mut self.touching[*wire as usize];
                if *wire >= first {
                    items.push(i);
                }
            }
            if open.len() == 1 {
                self.ready.push_back(i);
            }
        }
        for (wire, inverse) in system.wires.iter().zip(&system.inverse) {
            let form: Form =
                auxiliary.clone().zip(inverse).filter(|(_, v)| !v.is_zero()).map(|(w, v)| (w, *v)).collect();
            let wires = form.iter().map(|(w, _)| *w).collect();
            self.combinations.push((*wire, form));
            self.add(Item::Combination(self.combinations.len() as u32 - 1), wires);
        }
    }
}

/// Wires that constraints determine together: wire k is inverse[k] times the unknown parts of their C.
struct System {
    constraints: Vec<u32>,
    wires: Vec<u32>,
    inverse: Vec<Vec<Fr>>,
}

impl System {
    /// Keeps as many constraints as there are wires and inverts them, by Gauss and Jordan; none when they leave a wire
    /// open or are solved as they stand.
    fn invert(mut self, rows: &[[Form; 3]]) -> Option<Self> {
        let m = self.wires.len();
        let place: HashMap<u32, usize> = self.wires.iter().enumerate().map(|(k, w)| (*w, k)).collect();
        let line = |i: u32| {
            let mut line = vec![Fr::zero(); m];
            for (wire, value) in &rows[i as usize][2] {
                if let Some(column) = place.get(wire) {
                    line[*column] += value;
                }
            }
            line
        };
        // Products that give one wire come first: a sum of them on the right of a division must not take their place.
        let count = |i: u32| rows[i as usize][2].iter().filter(|(w, _)| place.contains_key(w)).count();
        self.constraints.sort_by_key(|i| count(*i));
        self.constraints = independent(&self.constraints, line);
        // Where each wire has a product of its own there is nothing to gain: without this the search would not end.
        if self.constraints.len() < m || self.constraints.iter().all(|i| count(*i) == 1) {
            return None;
        }
        // coefficients, then the identity that records the combination
        let mut table: Vec<Vec<Fr>> = self.constraints.iter().map(|i| line(*i)).collect();
        for (k, line) in table.iter_mut().enumerate() {
            line.extend((0..m).map(|j| if j == k { Fr::one() } else { Fr::zero() }));
        }
        for column in 0..m {
            let pivot = (column..m).find(|k| !table[*k][column].is_zero())?;
            table.swap(column, pivot);
            let inverse = table[column][column].inverse()?;
            table[column].iter_mut().filter(|x| !x.is_zero()).for_each(|x| *x *= inverse);
            let head = table[column].clone();
            for (_, line) in table.iter_mut().enumerate().filter(|(k, line)| *k != column && !line[column].is_zero()) {
                let factor = line[column];
                subtract(line, factor, &head);
            }
        }
        self.inverse = table.into_iter().map(|line| line[m..].to_vec()).collect();
        Some(self)
    }
}

/// The constraints whose lines do not follow from those before.
fn independent(constraints: &[u32], line: impl Fn(u32) -> Vec<Fr>) -> Vec<u32> {
    let mut kept: Vec<(usize, Vec<Fr>)> = Vec::new();
    let mut chosen = Vec::new();
    for i in constraints {
        let mut rest = line(*i);
        for (pivot, row) in &kept {
            let factor = rest[*pivot];
            if !factor.is_zero() {
                subtract(&mut rest, factor, row);
            }
        }
        let Some(pivot) = rest.iter().position(|x| !x.is_zero()) else { continue };
        let inverse = rest[pivot].inverse().unwrap_or_default();
        rest.iter_mut().filter(|x| !x.is_zero()).for_each(|x| *x *= inverse);
        kept.push((pivot, rest));
        chosen.push(*i);
    }
    chosen
}

fn subtract(line: &mut [Fr], factor: Fr, row: &[Fr]) {
    for (x, r) in line.iter_mut().zip(row).filter(|(_, r)| !r.is_zero()) {
        *x -= factor * r;
    }
}

/// Puts the auxiliary wires, numbered from `first`, in the place of the wires that they determine.
fn replace(form: &mut Form, place: &HashMap<u32, usize>, inverse: &[Vec<Fr>], first: u32) {
    let mut sums: Vec<Fr> = Vec::new();
    form.retain(|(wire, value)| {
        let Some(k) = place.get(wire) else { return true };
        sums.resize(inverse[*k].len(), Fr::zero());
        for (sum, x) in sums.iter_mut().zip(&inverse[*k]).filter(|(_, x)| !x.is_zero()) {
            *sum += *value * x;
        }
        false
    });
    form.extend(sums.into_iter().enumerate().filter(|(_, v)| !v.is_zero()).map(|(j, v)| (first + j as u32, v)));
}

fn distinct(wires: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut wires: Vec<u32> = wires.filter(|w| *w != 0).collect();
    wires.sort_unstable();
    wires.dedup();
    wires
}
