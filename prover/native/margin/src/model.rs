//! One policy, and the requirement of blocks of accounts under it.

use crate::eight::{Eight, Path, Portable};
use crate::minima::{larger, largest, minimise_transfer, Envelope, Tail};
use crate::product::{Line, Rows, Tile, TILE};
use std::ops::Range;

/// Numbers per account in a result: equity, charge, buffer, grid, scenario, room.
pub const FIELDS: usize = 6;

/// A position as it is given.
pub trait Lot: Copy {
    fn to_double(self) -> f64;
}

impl Lot for f64 {
    fn to_double(self) -> f64 {
        self
    }
}

impl Lot for i32 {
    fn to_double(self) -> f64 {
        self.into()
    }
}

impl Lot for i64 {
    /// Rounded from 2^53 on.
    fn to_double(self) -> f64 {
        self as f64
    }
}

/// Rows that touch the same span of slots.
pub struct Part {
    pub slots: Range<usize>,
    pub rows: Range<usize>,
    /// (rows, slots) loss per lot, micro-dollars.
    pub matrix: Vec<f64>,
}

/// Rows of one worst case: loss = max_k (value_k + slope_k n) + shift . K, and at least zero.
pub struct Group {
    /// Rows per slope.
    pub rows: Vec<Range<usize>>,
    /// Rising, 0 among them; what one unit of the transfer adds.
    pub slopes: Vec<f64>,
    /// What K_1 and K_2 add to every row.
    pub shift: [f64; 2],
    /// Whether there is a scenario in which nothing moves.
    pub is_floored: bool,
}

/// A hard row: counts_cash cash - loss - taken . K is at least zero.
#[derive(Clone)]
pub struct Limit {
    pub row: usize,
    pub counts_cash: f64,
    pub taken: [f64; 2],
}

/// The fields of `zkmargin.engine.policy.batch.model.BatchModel`.
pub struct Fields {
    pub slots: usize,
    pub size: usize,
    pub parts: Vec<Part>,
    pub constants: Vec<f64>,
    /// (2, slots)
    pub absolute: Vec<f64>,
    pub signed: usize,
    pub equity: usize,
    pub charges: [f64; 2],
    pub groups: Vec<Group>,
    pub factors: Vec<f64>,
    pub transfer_charge: f64,
    pub buffers: Vec<Group>,
    pub scenarios: Range<usize>,
    pub weights: Vec<f64>,
    pub tail_weight: f64,
    pub tail_divisor: f64,
    pub tail_shift: [f64; 2],
    pub limits: Vec<Limit>,
}

/// Why numbers are no model, or a block does not fit it.
pub type Refused = String;

/// One policy, ready for blocks of accounts.
pub struct Model {
    slots: usize,
    lines: usize,
    parts: Vec<Rows>,
    /// (place, what is subtracted there)
    constants: Vec<(usize, f64)>,
    /// (2, slots in whole lines)
    absolute: [Vec<Line>; 2],
    signed: [usize; 2],
    equity: usize,
    charges: [f64; 2],
    groups: Vec<Worst>,
    envelopes: Vec<Envelope>,
    transfer_charge: f64,
    buffers: Vec<Worst>,
    tail: Option<Tail>,
    tail_divisor: f64,
    tail_shift: [f64; 2],
    limits: Vec<Limit>,
}

/// A group whose rows are places among an account's losses.
struct Worst {
    rows: Vec<Range<usize>>,
    /// Which of them the transfer does not change.
    level: usize,
    shift: [f64; 2],
    is_floored: bool,
}

fn require(holds: bool, reason: impl FnOnce() -> Refused) -> Result<(), Refused> {
    if holds {
        Ok(())
    } else {
        Err(reason())
    }
}

fn require_length(name: &str, given: usize, wanted: usize) -> Result<(), Refused> {
    require(given == wanted, || format!("{name} has {given} numbers, allowed is {wanted}"))
}

impl Model {
    /// Lays the numbers out in lines.
    pub fn new(fields: Fields) -> Result<Self, Refused> {
        let Fields { slots, size, .. } = fields;
        let mut places = vec![None; size];
        let mut parts = Vec::with_capacity(fields.parts.len());
        let mut lines = 0;
        for part in &fields.parts {
            let rows = lay_out(part, slots, 8 * lines)?;
            for (at, row) in part.rows.clone().enumerate() {
                let place =
                    places.get_mut(row).ok_or_else(|| format!("row {row} of a part, allowed is 0 to {size}"))?;
                *place = Some(rows.first + at);
            }
            lines += rows.lines;
            parts.push(rows);
        }
        let find = |row: usize| {
            places.get(row).copied().flatten().ok_or_else(|| format!("row {row} is in no part, {size} rows are known"))
        };
        let span = |rows: &Range<usize>| -> Result<Range<usize>, Refused> {
            if rows.is_empty() {
                return Ok(0..0);
            }
            let (first, last) = (find(rows.start)?, find(rows.end - 1)?);
            require(last + 1 == first + rows.len(), || format!("rows {rows:?} are in two parts"))?;
            Ok(first..last + 1)
        };
        let worst = |group: &Group| {
            let level = group.slopes.iter().position(|slope| *slope == 0.0);
            let level = level.ok_or_else(|| format!("a group's slopes are {:?}, allowed is with 0", group.slopes))?;
            require_length("rows of a group", group.rows.len(), group.slopes.len())?;
            let rows = group.rows.iter().map(span).collect::<Result<_, _>>()?;
            Ok(Worst { rows, level, shift: group.shift, is_floored: group.is_floored })
        };
        require_length("constants", fields.constants.len(), size)?;
        require_length("absolute", fields.absolute.len(), 2 * slots)?;
        require_length("factors", fields.factors.len(), fields.groups.len())?;
        require_length("weights", fields.weights.len(), fields.scenarios.len())?;
        let constants = fields.constants.iter().enumerate().filter(|(_, constant)| **constant != 0.0);
        let tail = (!fields.scenarios.is_empty()).then(|| -> Result<Tail, Refused> {
            let first = span(&fields.scenarios)?.start;
            let (whole, weight) = (fields.weights.iter().sum(), fields.tail_weight);
            Ok(Tail { first, weights: to_lines(&fields.weights), whole, weight })
        });
        Ok(Model {
            slots,
            lines,
            constants: constants.map(|(row, b)| Ok((find(row)?, *b))).collect::<Result<_, Refused>>()?,
            absolute: [to_lines(&fields.absolute[..slots]), to_lines(&fields.absolute[slots..])],
            signed: [find(fields.signed)?, find(fields.signed + 1)?],
            equity: find(fields.equity)?,
            charges: fields.charges,
            groups: fields.groups.iter().map(worst).collect::<Result<_, Refused>>()?,
            envelopes: (fields.groups.iter().zip(&fields.factors))
                .map(|(group, factor)| Envelope { slopes: group.slopes.clone(), factor: *factor })
                .collect(),
            transfer_charge: fields.transfer_charge,
            buffers: fields.buffers.iter().map(worst).collect::<Result<_, Refused>>()?,
            tail: tail.transpose()?,
            tail_divisor: fields.tail_divisor,
            tail_shift: fields.tail_shift,
            limits: (fields.limits.iter())
                .map(|limit| Ok(Limit { row: find(limit.row)?, ..limit.clone() }))
                .collect::<Result<_, Refused>>()?,
            parts,
        })
    }

    /// Requirement of a block of accounts.
    ///
    /// `lots` is (accounts, slots), `cash` (accounts) in micro-dollars, `results` (`FIELDS`, accounts).
    pub fn evaluate<L: Lot>(&self, path: Path, lots: &[L], cash: &[f64], results: &mut [f64]) -> Result<(), Refused> {
        require_length("lots", lots.len(), cash.len() * self.slots)?;
        require_length("results", results.len(), cash.len() * FIELDS)?;
        match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512(unit) => unit.run(
                #[inline(always)]
                || self.evaluate_tiles(unit, lots, cash, results),
            ),
            #[cfg(target_arch = "x86_64")]
            Path::Avx2(unit) => unit.run(
                #[inline(always)]
                || self.evaluate_tiles(unit, lots, cash, results),
            ),
            Path::Portable => self.evaluate_tiles(Portable, lots, cash, results),
        }
        Ok(())
    }

    #[inline(always)]
    fn evaluate_tiles<E: Eight, L: Lot>(&self, unit: E, lots: &[L], cash: &[f64], results: &mut [f64]) {
        let mut tile = Tile::new(self.slots, self.lines);
        let mut values = Vec::with_capacity(self.envelopes.iter().map(|envelope| envelope.slopes.len()).sum());
        let accounts = cash.len();
        for first in (0..accounts).step_by(TILE) {
            let count = TILE.min(accounts - first);
            for account in 0..count {
                let given = &lots[(first + account) * self.slots..][..self.slots];
                tile.lots_mut(account).iter_mut().zip(given).for_each(|(to, lot)| *to = lot.to_double());
            }
            tile.multiply(unit, &self.parts, count);
            for account in 0..count {
                self.constants.iter().for_each(|(place, b)| tile.losses_mut(account)[*place] -= b);
                let result =
                    self.require(unit, tile.lots(account), tile.losses(account), cash[first + account], &mut values);
                for (field, value) in result.into_iter().enumerate() {
                    results[field * accounts + first + account] = value;
                }
            }
        }
    }

    /// One account's result; `values` is working space.
    #[inline(always)]
    fn require<E: Eight>(
        &self,
        unit: E,
        lots: &[f64],
        losses: &[f64],
        cash: f64,
        values: &mut Vec<f64>,
    ) -> [f64; FIELDS] {
        let k = self.charge(unit, lots, losses);
        let dot = |shift: &[f64; 2]| shift[0] * k[0] + shift[1] * k[1];
        let mut buffer = 0.0;
        for group in &self.buffers {
            let top = largest(&losses[group.rows[0].clone()]);
            let top = if group.is_floored { larger(top, 0.0) } else { top };
            buffer += larger(top + dot(&group.shift), 0.0);
        }
        values.clear();
        let mut grid = 0.0;
        for (group, envelope) in self.groups.iter().zip(&self.envelopes) {
            let (first, shift) = (values.len(), dot(&group.shift));
            values.extend(group.rows.iter().map(|rows| largest(&losses[rows.clone()])));
            let least = if group.is_floored { larger(-shift, 0.0) } else { -shift };
            values[first + group.level] = larger(values[first + group.level], least);
            grid += envelope.factor * shift;
        }
        grid += minimise_transfer(&self.envelopes, values, self.transfer_charge);
        let mut room = f64::INFINITY;
        for limit in &self.limits {
            let own = limit.counts_cash * cash - losses[limit.row] - dot(&limit.taken);
            room = if own < room { own } else { room };
        }
        let scenario = match &self.tail {
            None => grid,
            Some(tail) => {
                let shift = tail.weight * dot(&self.tail_shift);
                let least = self.tail_divisor * grid - shift;
                let raised = tail.raise(unit, losses, least);
                if raised > least {
                    (raised + shift) / self.tail_divisor
                } else {
                    grid
                }
            }
        };
        [cash - losses[self.equity], dot(&self.charges), buffer, grid, scenario, room]
    }

    /// K_1 and K_2.
    #[inline(always)]
    fn charge<E: Eight>(&self, unit: E, lots: &[f64], losses: &[f64]) -> [f64; 2] {
        let mut sums = [unit.splat(0.0); 2];
        for ((lots, first), second) in lots.as_chunks().0.iter().zip(&self.absolute[0]).zip(&self.absolute[1]) {
            let sizes = unit.absolute(unit.load(lots));
            sums[0] = unit.multiply_add(sizes, unit.load(&first.0), sums[0]);
            sums[1] = unit.multiply_add(sizes, unit.load(&second.0), sums[1]);
        }
        let [first, second] = [unit.store(sums[0]), unit.store(sums[1])].map(|sum| sum.iter().sum::<f64>());
        [first + losses[self.signed[0]], second + losses[self.signed[1]]]
    }
}

/// Numbers in whole lines, followed by zeros.
fn to_lines(numbers: &[f64]) -> Vec<Line> {
    let mut lines = vec![Line::default(); numbers.len().div_ceil(8)];
    lines.iter_mut().zip(numbers.chunks(8)).for_each(|(line, own)| line.0[..own.len()].copy_from_slice(own));
    lines
}

fn lay_out(part: &Part, slots: usize, first: usize) -> Result<Rows, Refused> {
    let (span, count) = (part.slots.len(), part.rows.len());
    require(part.slots.start <= part.slots.end && part.slots.end <= slots, || {
        format!("slots {:?} of a part, allowed is within 0..{slots}", part.slots)
    })?;
    require_length("matrix of a part", part.matrix.len(), count * span)?;
    let lines = count.div_ceil(8);
    let column = |slot: usize| -> Vec<f64> { (0..count).map(|row| part.matrix[row * span + slot]).collect() };
    let per_lot = (0..span).flat_map(|slot| to_lines(&column(slot))).collect();
    Ok(Rows { slots: part.slots.clone(), first, lines, per_lot })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that repeat: xorshift.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % bound
        }

        fn signed(&mut self, bound: i64) -> f64 {
            (self.below(2 * bound as u64 + 1) as i64 - bound) as f64
        }

        fn numbers(&mut self, count: usize, bound: i64) -> Vec<f64> {
            (0..count).map(|_| self.signed(bound)).collect()
        }
    }

    /// Two coins with spans that begin and end within lines, 3 scenarios a slope, 11 scenarios of a tail.
    fn make_fields(random: &mut Random, slots: usize) -> Fields {
        let (middle, own) = (slots / 2 + 1, 9);
        let spans = [0..slots, 0..middle, middle..slots];
        let rows = [0..15, 15..15 + own + 1, 16 + own..16 + 2 * own];
        let parts = spans.into_iter().zip(rows.clone()).map(|(slots, rows)| Part {
            matrix: random.numbers(slots.len() * rows.len(), 1 << 20),
            slots,
            rows,
        });
        let parts: Vec<Part> = parts.collect();
        let group = |first: usize| Group {
            rows: vec![first..first + 3, first + 3..first + 5, first + 5..first + own],
            slopes: vec![-160.0, 0.0, 80.0],
            shift: [0.0, 1.0],
            is_floored: first.is_multiple_of(2),
        };
        let buffer =
            Group { rows: vec![Range { start: 14, end: 15 }], slopes: vec![0.0], shift: [0.0, 1.0], is_floored: false };
        let size = rows[2].end;
        Fields {
            slots,
            size,
            parts,
            constants: [vec![0.0; 2], random.numbers(size - 2, 1 << 20)].concat(),
            absolute: random.numbers(2 * slots, 1 << 10).iter().map(|rate| rate.abs()).collect(),
            signed: 0,
            equity: 2,
            charges: [1.0, 1.0],
            groups: vec![group(rows[1].start), group(rows[2].start)],
            factors: vec![1.25, 1.25],
            transfer_charge: 50.0,
            buffers: vec![buffer],
            scenarios: 3..14,
            weights: (0..11).map(|_| 1.0 + random.below(9) as f64).collect(),
            tail_weight: 5.0,
            tail_divisor: 4.0,
            tail_shift: [0.0, 1.0],
            limits: vec![Limit { row: rows[1].end - 1, counts_cash: 1.0, taken: [0.0, 1.0] }],
        }
    }

    fn evaluate(model: &Model, path: Path, lots: &[f64], cash: &[f64]) -> Vec<f64> {
        let mut results = vec![f64::NAN; FIELDS * cash.len()];
        model.evaluate(path, lots, cash, &mut results).unwrap();
        results
    }

    /// The losses of one account, row by row, without tiles or lines.
    fn multiply_plainly(fields: &Fields, lots: &[f64]) -> Vec<f64> {
        let mut losses: Vec<f64> = fields.constants.iter().map(|b| -b).collect();
        for part in &fields.parts {
            for (own, row) in part.matrix.chunks(part.slots.len()).zip(part.rows.clone()) {
                losses[row] += own.iter().zip(&lots[part.slots.clone()]).map(|(loss, lot)| loss * lot).sum::<f64>();
            }
        }
        losses
    }

    /// Accounts that hold one position in `rarity`, some all of them; a number that is no multiple of a tile.
    fn make_books(random: &mut Random, slots: usize, rarity: u64) -> (Vec<f64>, Vec<f64>) {
        let accounts = 3 * TILE + 5;
        let lots = (0..accounts * slots).map(|_| if random.below(rarity) == 0 { random.signed(1000) } else { 0.0 });
        (lots.collect(), random.numbers(accounts, 1 << 40))
    }

    #[test]
    fn numbers_that_are_no_model_are_refused() {
        let refused = |change: fn(&mut Fields)| {
            let mut fields = make_fields(&mut Random(7), 16);
            change(&mut fields);
            Model::new(fields).err().unwrap()
        };
        assert_eq!(refused(|f| f.limits[0].row = 99), "row 99 is in no part, 34 rows are known");
        assert_eq!(refused(|f| f.scenarios = 10..21), "rows 10..21 are in two parts");
        assert_eq!(
            refused(|f| f.groups[0].slopes[1] = 1.0),
            "a group's slopes are [-160.0, 1.0, 80.0], allowed is with 0"
        );
        assert_eq!(refused(|f| f.weights.truncate(10)), "weights has 10 numbers, allowed is 11");
        assert_eq!(refused(|f| f.parts[2].slots.end = 17), "slots 9..17 of a part, allowed is within 0..16");
        assert_eq!(
            refused(|f| (f.parts[2].slots.start, f.parts[2].matrix) = (17, Vec::new())),
            "slots 17..16 of a part, allowed is within 0..16"
        );
        assert_eq!(refused(|f| f.parts[0].matrix.truncate(239)), "matrix of a part has 239 numbers, allowed is 240");
        assert_eq!(refused(|f| f.parts[0].rows.end = 99), "matrix of a part has 240 numbers, allowed is 1584");
    }

    #[test]
    fn a_block_of_another_shape_is_refused() {
        let model = Model::new(make_fields(&mut Random(7), 16)).unwrap();
        let mut results = [0.0; FIELDS];
        let short = model.evaluate(Path::Portable, &[0.0; 15], &[0.0], &mut results);
        assert_eq!(short.unwrap_err(), "lots has 15 numbers, allowed is 16");
        let few = model.evaluate(Path::Portable, &[0.0; 16], &[0.0], &mut results[1..]);
        assert_eq!(few.unwrap_err(), "results has 5 numbers, allowed is 6");
    }

    #[test]
    fn every_path_gives_the_plain_losses_and_the_same_results() {
        let mut random = Random(20_260_822);
        for (slots, rarity) in [(16, 1), (16, 3), (21, 1), (21, 9), (64, 2), (64, 7), (64, 1 << 60)] {
            let fields = make_fields(&mut random, slots);
            let (lots, cash) = make_books(&mut random, slots, rarity);
            let losses: Vec<Vec<f64>> = lots.chunks(slots).map(|own| multiply_plainly(&fields, own)).collect();
            let (equity, exposure) = (fields.equity, fields.limits[0].row);
            let rates = fields.absolute[slots..].to_vec();
            let model = Model::new(fields).unwrap();
            let wanted = evaluate(&model, Path::Portable, &lots, &cash);
            for (account, (own, cash)) in losses.iter().zip(&cash).enumerate() {
                let lots = &lots[account * slots..][..slots];
                let second: f64 = own[1] + lots.iter().zip(&rates).map(|(lot, rate)| lot.abs() * rate).sum::<f64>();
                assert_eq!(wanted[account], cash - own[equity]);
                assert_eq!(wanted[5 * losses.len() + account], cash - own[exposure] - second);
            }
            for path in Path::detect() {
                assert_eq!(evaluate(&model, path, &lots, &cash), wanted, "{path:?}, {slots} slots, one in {rarity}");
            }
        }
    }
}
