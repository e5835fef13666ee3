//! Lots times rows for a tile of accounts: either all positions, or those that are not zero.

use crate::eight::Eight;
use std::ops::Range;

/// Accounts in a tile.
pub const TILE: usize = 8;

/// Accounts with a larger share of positions that are not zero are multiplied whole; both ways give the same.
const DENSE: f64 = 0.4;

/// Eight numbers in one line of the cache.
#[repr(align(64))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Line(pub [f64; 8]);

/// Rows that touch the same span of slots.
#[derive(Clone, Debug)]
pub struct Rows {
    pub slots: Range<usize>,
    /// Place of the first row among an account's losses, a whole number of lines.
    pub first: usize,
    /// Lines that the rows fill; what the last one has too many is zero.
    pub lines: usize,
    /// (slots, lines) loss per lot.
    pub per_lot: Vec<Line>,
}

/// The positions of a tile and what they lose.
pub struct Tile {
    /// (`TILE`, slots in whole lines) lots.
    lots: Vec<f64>,
    slots: usize,
    /// (`TILE`, size) losses; the last line of each account belongs to no row.
    losses: Vec<f64>,
    size: usize,
    held: Held,
}

/// Positions of one account that are not zero, in the order of their slots.
struct Held {
    /// With room for one line more than there are slots.
    slots: Vec<u64>,
    lots: Vec<f64>,
    /// How many there are before each line of slots, and in all.
    before: Vec<usize>,
}

impl Tile {
    /// For accounts of so many slots, and losses of so many lines.
    pub fn new(slots: usize, lines: usize) -> Self {
        let (slots, size) = (slots.next_multiple_of(8), 8 * (lines + 1));
        Tile { lots: vec![0.0; TILE * slots], slots, losses: vec![0.0; TILE * size], size, held: Held::new(slots) }
    }

    /// One account's positions, to be written.
    pub fn lots_mut(&mut self, account: usize) -> &mut [f64] {
        &mut self.lots[account * self.slots..][..self.slots]
    }

    pub fn lots(&self, account: usize) -> &[f64] {
        &self.lots[account * self.slots..][..self.slots]
    }

    pub fn losses(&self, account: usize) -> &[f64] {
        &self.losses[account * self.size..][..self.size]
    }

    pub fn losses_mut(&mut self, account: usize) -> &mut [f64] {
        &mut self.losses[account * self.size..][..self.size]
    }

    /// Fills the losses of the first `accounts` accounts.
    #[inline(always)]
    pub fn multiply<E: Eight>(&mut self, unit: E, parts: &[Rows], accounts: usize) {
        let mut count = 0;
        for line in self.lots.as_chunks().0 {
            count += unit.count_non_zero(unit.load(line));
        }
        if accounts == TILE && count as f64 > DENSE * self.lots.len() as f64 {
            for part in parts {
                unit.multiply_whole(part, self);
            }
            return;
        }
        for account in 0..accounts {
            let losses = &mut self.losses[account * self.size..][..self.size];
            self.held.find(unit, &self.lots[account * self.slots..][..self.slots]);
            for part in parts {
                multiply_held(unit, part, &self.held, losses);
            }
        }
    }
}

impl Held {
    fn new(slots: usize) -> Self {
        Held { slots: vec![0; slots + 8], lots: vec![0.0; slots + 8], before: vec![0; slots / 8 + 1] }
    }

    /// Takes over an account's positions.
    #[inline(always)]
    fn find<E: Eight>(&mut self, unit: E, lots: &[f64]) {
        let (mut first, mut count) = (0, 0);
        for (line, before) in lots.as_chunks().0.iter().zip(&mut self.before) {
            let (numbers, places, more) = unit.compress(unit.load(line), first);
            *before = count;
            self.slots[count..count + 8].copy_from_slice(&places);
            self.lots[count..count + 8].copy_from_slice(&numbers);
            count += more;
            first += 8;
        }
        self.before[lots.len() / 8] = count;
    }

    /// How many there are before a slot.
    #[inline(always)]
    fn count_before(&self, slot: usize) -> usize {
        let mut count = self.before[slot / 8];
        while count < self.before[self.before.len() - 1] && self.slots[count] < slot as u64 {
            count += 1;
        }
        count
    }
}

/// One account's positions that are not zero times the rows of a part, `E::WIDTH` lines of rows at a time.
#[inline(always)]
fn multiply_held<E: Eight>(unit: E, part: &Rows, held: &Held, losses: &mut [f64]) {
    let (from, to) = (held.count_before(part.slots.start), held.count_before(part.slots.end));
    let (slots, lots) = (&held.slots[from..to], &held.lots[from..to]);
    let mut line = 0;
    while line < part.lines {
        let width = E::WIDTH.min(part.lines - line);
        let to = &mut losses[part.first + 8 * line..][..8 * width];
        match width {
            1 => add_held::<E, 1>(unit, part, line, slots, lots, to),
            2 => add_held::<E, 2>(unit, part, line, slots, lots, to),
            3 => add_held::<E, 3>(unit, part, line, slots, lots, to),
            4 => add_held::<E, 4>(unit, part, line, slots, lots, to),
            5 => add_held::<E, 5>(unit, part, line, slots, lots, to),
            6 => add_held::<E, 6>(unit, part, line, slots, lots, to),
            7 => add_held::<E, 7>(unit, part, line, slots, lots, to),
            _ => add_held::<E, 8>(unit, part, line, slots, lots, to),
        }
        line += width;
    }
}

#[inline(always)]
fn add_held<E: Eight, const W: usize>(unit: E, part: &Rows, line: usize, slots: &[u64], lots: &[f64], to: &mut [f64]) {
    let mut sums = [unit.splat(0.0); W];
    for (slot, lot) in slots.iter().zip(lots) {
        let lot = unit.splat(*lot);
        let rows = &part.per_lot[(*slot as usize - part.slots.start) * part.lines + line..][..W];
        for (sum, row) in sums.iter_mut().zip(rows) {
            *sum = unit.multiply_add(lot, unit.load(&row.0), *sum);
        }
    }
    for (to, sum) in to.as_chunks_mut().0.iter_mut().zip(sums) {
        *to = unit.store(sum);
    }
}

/// All positions of a tile times the rows of a part: `A` accounts by `W` lines of rows at a time, in registers.
#[inline(always)]
pub fn multiply_whole<E: Eight, const A: usize, const W: usize>(unit: E, part: &Rows, tile: &mut Tile) {
    for first in (0..TILE).step_by(A) {
        let mut line = 0;
        while line + W <= part.lines {
            add_whole::<E, A, W>(unit, part, line, first, tile);
            line += W;
        }
        for line in line..part.lines {
            add_whole::<E, A, 1>(unit, part, line, first, tile);
        }
    }
}

#[inline(always)]
fn add_whole<E: Eight, const A: usize, const W: usize>(
    unit: E,
    part: &Rows,
    line: usize,
    first: usize,
    tile: &mut Tile,
) {
    let mut sums = [[unit.splat(0.0); W]; A];
    let mut lots: [&[f64]; A] = [&[]; A];
    for (account, own) in lots.iter_mut().enumerate() {
        *own = &tile.lots(first + account)[part.slots.clone()];
    }
    for (slot, rows) in part.per_lot.chunks_exact(part.lines).enumerate() {
        let rows = &rows[line..line + W];
        for (sums, lots) in sums.iter_mut().zip(lots) {
            let lot = unit.splat(lots[slot]);
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum = unit.multiply_add(lot, unit.load(&row.0), *sum);
            }
        }
    }
    for (account, sums) in sums.into_iter().enumerate() {
        let losses = &mut tile.losses[(first + account) * tile.size + part.first + 8 * line..];
        for (to, sum) in losses.as_chunks_mut().0.iter_mut().zip(sums) {
            *to = unit.store(sum);
        }
    }
}
