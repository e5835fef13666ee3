//! The steps that compute a circuit's wires, in levels: the steps of a level need nothing of each other.

use crate::bits::BitGroup;
use crate::r1cs::{Form, Matrix};
use ark_bn254::Fr;
use std::ops::Range;

/// One step of the computation. `constraint` is a row of the plan's own matrices.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// `wire` occurs in C only, with a coefficient of this inverse.
    Linear {
        constraint: u32,
        wire: u32,
        inverse: Fr,
    },
    /// `wire` (a B + b A - c) = C - A B, the rows taken with the wire at zero; `selector` is its value when both sides
    /// vanish.
    Divide {
        constraint: u32,
        wire: u32,
        a: Fr,
        b: Fr,
        c: Fr,
        selector: bool,
    },
    Bits(BitGroup),
    /// `wire` is the value of a form.
    Combine {
        wire: u32,
        form: Form,
    },
}

/// Constraints as the steps use them, over the circuit's wires and then the auxiliary ones.
#[derive(Debug, PartialEq)]
pub struct Plan {
    pub n_auxiliary: usize,
    pub rows: [Matrix; 3],
    /// Level after level.
    pub steps: Vec<Step>,
    /// Where each level ends among the steps.
    pub ends: Vec<u32>,
}

impl Plan {
    /// `steps` in an order in which they can be computed, over `n_wires` wires.
    pub fn new(n_wires: usize, n_auxiliary: usize, rows: [Matrix; 3], steps: Vec<Step>) -> Self {
        let levels = find_levels(n_wires + n_auxiliary, &rows, &steps);
        let mut ordered: Vec<(u32, Step)> = levels.into_iter().zip(steps).collect();
        ordered.sort_by_key(|(level, _)| *level);
        let is_last = |i: usize| ordered.get(i + 1).is_none_or(|(next, _)| *next != ordered[i].0);
        let ends = (0..ordered.len()).filter(|i| is_last(*i)).map(|i| i as u32 + 1).collect();
        Plan { n_auxiliary, rows, steps: ordered.into_iter().map(|(_, step)| step).collect(), ends }
    }

    pub fn levels(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start as usize..*end as usize)
    }
}

impl Step {
    fn reads(&self, rows: &[Matrix; 3]) -> Vec<u32> {
        let of_row = |i: usize| rows.iter().flat_map(move |matrix| matrix.row(i)).map(|(wire, _)| wire).collect();
        match self {
            Step::Linear { constraint, .. } | Step::Divide { constraint, .. } => of_row(*constraint as usize),
            Step::Combine { form, .. } | Step::Bits(BitGroup { number: form, .. }) => {
                form.iter().map(|(wire, _)| *wire).collect()
            }
        }
    }

    fn writes(&self) -> Vec<u32> {
        match self {
            Step::Linear { wire, .. } | Step::Divide { wire, .. } | Step::Combine { wire, .. } => vec![*wire],
            Step::Bits(group) => group.bits.iter().map(|(_, wire)| *wire).collect(),
        }
    }
}

/// The level of each step, from 1 on: above every step whose wires it reads or writes again, and above every earlier
/// step that reads what it writes. So any order inside a level gives what the steps give one after the other.
fn find_levels(n_wires: usize, rows: &[Matrix; 3], steps: &[Step]) -> Vec<u32> {
    let (mut read_in, mut written_in) = (vec![0u32; n_wires], vec![0u32; n_wires]);
    let level_of = |step: &Step| {
        let (reads, writes) = (step.reads(rows), step.writes());
        let before_reads = reads.iter().map(|wire| written_in[*wire as usize]);
        let before_writes = writes.iter().map(|wire| read_in[*wire as usize].max(written_in[*wire as usize]));
        let level = 1 + before_reads.chain(before_writes).max().unwrap_or(0);
        reads.iter().for_each(|wire| read_in[*wire as usize] = read_in[*wire as usize].max(level));
        writes.iter().for_each(|wire| written_in[*wire as usize] = level);
        level
    };
    steps.iter().map(level_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::One;

    fn combine(wire: u32, reads: &[u32]) -> Step {
        Step::Combine { wire, form: reads.iter().map(|wire| (*wire, Fr::one())).collect() }
    }

    fn levels_of(steps: Vec<Step>) -> Vec<Vec<u32>> {
        let plan = Plan::new(8, 0, [(); 3].map(|_| Matrix::default()), steps);
        let wire = |step: &Step| if let Step::Combine { wire, .. } = step { *wire } else { 0 };
        plan.levels().map(|level| plan.steps[level].iter().map(wire).collect()).collect()
    }

    #[test]
    fn steps_that_need_nothing_of_each_other_share_a_level() {
        let steps = vec![combine(3, &[1]), combine(4, &[3]), combine(5, &[2]), combine(6, &[4, 5]), combine(7, &[])];
        assert_eq!(levels_of(steps), [vec![3, 5, 7], vec![4], vec![6]]);
        assert!(levels_of(Vec::new()).is_empty());
    }

    #[test]
    fn a_wire_that_is_written_again_keeps_the_order_of_its_steps() {
        // 3 is read by 4 before it is written a second time, and by 5 after that
        let steps = vec![combine(3, &[1]), combine(4, &[3]), combine(3, &[2]), combine(5, &[3]), combine(3, &[2])];
        assert_eq!(levels_of(steps), [vec![3], vec![4], vec![3], vec![5], vec![3]]);
    }
}
