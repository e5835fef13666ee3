//! Bit decompositions, recognised in the simplified constraints.
//!
//! circom removes one bit of each `Num2Bits`: its equation sum 2^j b_j = in is linear. The removed bit's own constraint
//! L (L - 1) = 0 then holds the number itself, L = (in - sum of the other bits 2^j b_j) / 2^k.

use crate::field::power_of_two;
use crate::r1cs::{Form, Matrix, R1cs};
use crate::sym::Symbols;
use ark_bn254::Fr;
use ark_ff::{Field, Zero};
use std::collections::HashMap;

/// A number and the wires of its bits.
#[derive(Clone, Debug, PartialEq)]
pub struct BitGroup {
    /// What a person calls it: the signal's name without `.out`.
    pub name: String,
    /// The number that is decomposed, as a form over other wires.
    pub number: Form,
    /// (bit, wire) of the bits that have a wire.
    pub bits: Vec<(u32, u32)>,
    pub width: usize,
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

pub fn find_bit_groups(r1cs: &R1cs, symbols: &Symbols, rows_of: &[Vec<u32>]) -> Vec<BitGroup> {
    let boolean = boolean_wires(r1cs);
    let mut groups = Vec::new();
    for array in symbols.arrays() {
        let bits: Vec<(u32, u32)> =
            array.wires.iter().enumerate().filter_map(|(i, w)| w.map(|w| (i as u32, w))).collect();
        let missing: Vec<u32> = (0..array.wires.len() as u32).filter(|i| array.wires[*i as usize].is_none()).collect();
        if bits.is_empty() || missing.is_empty() || bits.iter().any(|(_, w)| !boolean[*w as usize]) {
            continue;
        }
        let found = rows_of[bits[0].1 as usize].iter().find_map(|i| decomposed(r1cs, *i as usize, &bits, &missing));
        if let Some((mut number, missing)) = found {
            let mut bits = bits;
            adopt_renamed_bits(&mut number, &mut bits, &missing, &boolean);
            let name = array.prefix.strip_suffix(".out").unwrap_or(array.prefix).to_string();
            groups.push(BitGroup { name, number, bits, width: array.wires.len() });
        }
    }
    groups
}

/// The number whose bits are `bits` and others without a wire of that name, when constraint i is L (L - 1) = 0 of one
/// of the `missing` ones; with it, the missing ones that are left.
fn decomposed(r1cs: &R1cs, i: usize, bits: &[(u32, u32)], missing: &[u32]) -> Option<(Form, Vec<u32>)> {
    if !r1cs.c.is_empty_row(i) {
        return None;
    }
    let first = remainder(&r1cs.a, i, bits)?;
    let second = remainder(&r1cs.b, i, bits)?;
    let constant = |form: &Form| form.iter().find(|(w, _)| *w == 0).map_or(Fr::zero(), |(_, v)| *v);
    let others = |form: &Form| form.iter().filter(|(w, _)| *w != 0).copied().collect::<Form>();
    if others(&first) != others(&second) {
        return None;
    }
    // Both are `in` up to the constant 2^k of the factor L - 1, k being the bit that circom removed: the larger is L's.
    let difference = constant(&first) - constant(&second);
    missing.iter().find_map(|k| {
        let step: Fr = power_of_two(*k as usize);
        let left = || missing.iter().copied().filter(|m| m != k).collect();
        match difference {
            d if d == step => Some((first.clone(), left())),
            d if d == -step => Some((second.clone(), left())),
            _ => None,
        }
    })
}

/// A bit that is equal to a signal elsewhere keeps its wire under that signal's name: it is still in `number`, as -2^j.
/// A bit that the circuit fixes has no wire at all.
fn adopt_renamed_bits(number: &mut Form, bits: &mut Vec<(u32, u32)>, missing: &[u32], boolean: &[bool]) {
    for bit in missing {
        let wanted = -power_of_two::<Fr>(*bit as usize);
        let mut candidates = number.iter().filter(|(w, v)| boolean[*w as usize] && *v == wanted).map(|(w, _)| *w);
        if let (Some(wire), None) = (candidates.next(), candidates.next()) {
            number.retain(|(w, _)| *w != wire);
            bits.push((*bit, wire));
        }
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
    let mut rest: Form =
        row.into_iter().filter(|(w, _)| !bits.iter().any(|(_, b)| b == w)).map(|(w, v)| (w, v * inverse)).collect();
    rest.sort_unstable_by_key(|(w, _)| *w);
    Some(rest)
}
