//! Poseidon over BN254's scalar field with circomlib's parameters: x^5, 8 full rounds, 1 to 16 inputs and one word more
//! of state.
//!
//! Round constants and matrix come from the Grain generator of the Poseidon paper (eprint 2019/458, appendix F), which
//! is where circomlib's tables come from too. Partial rounds use the sparse factorisation of appendix B.

use crate::error::{Error, Result};
use crate::field::power_of_two;
use ark_bn254::Fr;
use ark_ff::{BigInteger, Field, One, PrimeField, Zero};
use num_bigint::BigUint;
use std::sync::OnceLock;

pub const MAX_INPUTS: usize = 16;
const FULL_ROUNDS: usize = 8;
/// Partial rounds for t = 2 .. 17 (circomlib's `N_ROUNDS_P`; the paper's table for 128 bits and x^5).
const PARTIAL_ROUNDS: [usize; MAX_INPUTS] = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];
const FIELD_BITS: usize = 254;

/// The self-shrinking 80-bit generator.
struct Grain {
    state: u128,
}

impl Grain {
    fn new(t: usize, partial_rounds: usize) -> Self {
        let mut grain = Grain { state: 0 };
        // field type 1 (prime), S-box type 0 (x^alpha), field size, t, rounds, then ones
        let parts: [(u128, usize); 7] = [
            (1, 2),
            (0, 4),
            (FIELD_BITS as u128, 12),
            (t as u128, 12),
            (FULL_ROUNDS as u128, 10),
            (partial_rounds as u128, 10),
            ((1 << 30) - 1, 30),
        ];
        // bit 0 of `state` is the oldest bit of the register
        let mut position = 0;
        for (value, width) in parts {
            for k in (0..width).rev() {
                grain.state |= ((value >> k) & 1) << position;
                position += 1;
            }
        }
        for _ in 0..160 {
            grain.clock();
        }
        grain
    }

    fn clock(&mut self) -> u128 {
        let s = self.state;
        let bit = ((s >> 62) ^ (s >> 51) ^ (s >> 38) ^ (s >> 23) ^ (s >> 13) ^ s) & 1;
        self.state = (s >> 1) | (bit << 79);
        bit
    }

    fn bit(&mut self) -> bool {
        while self.clock() == 0 {
            self.clock();
        }
        self.clock() == 1
    }

    fn integer(&mut self) -> BigUint {
        let mut bits = [false; FIELD_BITS];
        bits.iter_mut().for_each(|b| *b = self.bit());
        BigUint::from_bytes_be(&ark_ff::BigInt::<4>::from_bits_be(&bits).to_bytes_be())
    }

    fn constant(&mut self) -> Fr {
        let modulus = BigUint::from(Fr::MODULUS);
        loop {
            let candidate = self.integer();
            if candidate < modulus {
                return Fr::from(candidate);
            }
        }
    }
}

/// A square matrix, row by row.
type Square = Vec<Vec<Fr>>;

/// What `permute` needs for one state size.
pub struct Parameters {
    t: usize,
    partial_rounds: usize,
    /// Round constants as generated, t to a round.
    pub constants: Vec<Vec<Fr>>,
    pub matrix: Square,
    fast: FastPartial,
}

/// The partial rounds as sparse steps: only the first word gets a constant, only its row and column multiply.
struct FastPartial {
    /// Constant of the first word in each partial round.
    first: Vec<Fr>,
    /// Row and column of each sparse matrix, `row[0]` being the corner; one fewer than partial rounds.
    sparse: Vec<(Vec<Fr>, Vec<Fr>)>,
    /// The dense matrix of the last partial round.
    last: Square,
    /// What the pushed constants add to the round constants of the next full round.
    carried: Vec<Fr>,
}

impl Parameters {
    fn generate(t: usize) -> Self {
        let partial_rounds = PARTIAL_ROUNDS[t - 2];
        let mut grain = Grain::new(t, partial_rounds);
        let constants: Vec<Vec<Fr>> =
            (0..FULL_ROUNDS + partial_rounds).map(|_| (0..t).map(|_| grain.constant()).collect()).collect();
        let matrix = cauchy_matrix(&mut grain, t);
        let partial = &constants[FULL_ROUNDS / 2..FULL_ROUNDS / 2 + partial_rounds];
        let fast = FastPartial::derive(&matrix, partial);
        Parameters { t, partial_rounds, constants, matrix, fast }
    }

    /// The parameters for a state of `t` words, 2 <= t <= 17, generated once.
    pub fn get(t: usize) -> Result<&'static Parameters> {
        static CACHE: [OnceLock<Parameters>; MAX_INPUTS] = [const { OnceLock::new() }; MAX_INPUTS];
        if !(2..=MAX_INPUTS + 1).contains(&t) {
            return Err(Error::argument("Poseidon state words", t, 2, MAX_INPUTS + 1));
        }
        Ok(CACHE[t - 2].get_or_init(|| Parameters::generate(t)))
    }

    fn permute(&self, state: &mut [Fr]) {
        let half = FULL_ROUNDS / 2;
        let mut scratch = vec![Fr::zero(); self.t];
        let full = |state: &mut [Fr], scratch: &mut [Fr], constants: &[Fr]| {
            state.iter_mut().zip(constants).for_each(|(x, c)| *x = sbox(*x + c));
            mix(&self.matrix, state, scratch);
        };
        for constants in &self.constants[..half] {
            full(state, &mut scratch, constants);
        }
        let fast = &self.fast;
        for (round, c) in fast.first.iter().enumerate() {
            state[0] = sbox(state[0] + c);
            match fast.sparse.get(round) {
                Some((row, column)) => {
                    let head = state[0];
                    state[0] = row.iter().zip(state.iter()).map(|(a, b)| *a * b).sum();
                    state[1..].iter_mut().zip(column).for_each(|(x, c)| *x += head * c);
                }
                None => mix(&fast.last, state, &mut scratch),
            }
        }
        state.iter_mut().zip(&fast.carried).for_each(|(x, c)| *x += c);
        for constants in &self.constants[half + self.partial_rounds..] {
            full(state, &mut scratch, constants);
        }
    }
}

/// M[i][j] = 1 / (x_i + y_j), the x and y drawn after the round constants, not by rejection.
fn cauchy_matrix(grain: &mut Grain, t: usize) -> Square {
    loop {
        let drawn: Vec<Fr> = (0..2 * t).map(|_| Fr::from(grain.integer())).collect();
        let distinct = (0..2 * t).all(|i| !drawn[..i].contains(&drawn[i]));
        let (xs, ys) = drawn.split_at(t);
        let rows: Option<Square> = xs.iter().map(|x| ys.iter().map(|y| (*x + y).inverse()).collect()).collect();
        if let (true, Some(matrix)) = (distinct, rows) {
            return matrix;
        }
    }
}

impl FastPartial {
    /// With s = T y, T = diag(1, T^), a partial round M S(s + c) becomes a sparse matrix on y: T commutes with the
    /// S-box of the first word, and M T = T' [[m, v], [T'^-1 w, 1]]. Constants of the other words pass the S-box
    /// unchanged and are added, times M, to the next round's.
    fn derive(matrix: &Square, rounds: &[Vec<Fr>]) -> Self {
        let t = matrix.len();
        let mut inner: Square =
            (1..t).map(|i| (1..t).map(|j| if i == j { Fr::one() } else { Fr::zero() }).collect()).collect();
        let mut pushed = vec![Fr::zero(); t];
        let (mut first, mut sparse) = (Vec::new(), Vec::new());
        for (index, round) in rounds.iter().enumerate() {
            let mut total: Vec<Fr> = round.iter().zip(&pushed).map(|(c, p)| *c + p).collect();
            first.push(total[0]);
            total[0] = Fr::zero();
            pushed = matrix.iter().map(|row| dot(row, &total)).collect();
            if index + 1 == rounds.len() {
                break;
            }
            let row: Vec<Fr> = std::iter::once(matrix[0][0])
                .chain((0..t - 1).map(|j| (0..t - 1).map(|k| matrix[0][k + 1] * inner[k][j]).sum()))
                .collect();
            inner = (1..t)
                .map(|i| (0..t - 1).map(|j| (0..t - 1).map(|k| matrix[i][k + 1] * inner[k][j]).sum()).collect())
                .collect();
            let column = solve(&inner, (1..t).map(|i| matrix[i][0]).collect());
            sparse.push((row, column));
        }
        let last = (0..t)
            .map(|i| {
                std::iter::once(matrix[i][0])
                    .chain((0..t - 1).map(|j| (0..t - 1).map(|k| matrix[i][k + 1] * inner[k][j]).sum()))
                    .collect()
            })
            .collect();
        FastPartial { first, sparse, last, carried: pushed }
    }
}

fn dot(a: &[Fr], b: &[Fr]) -> Fr {
    a.iter().zip(b).map(|(x, y)| *x * y).sum()
}

fn sbox(x: Fr) -> Fr {
    x.square().square() * x
}

fn mix(matrix: &Square, state: &mut [Fr], scratch: &mut [Fr]) {
    scratch.iter_mut().zip(matrix).for_each(|(out, row)| *out = dot(row, state));
    state.copy_from_slice(scratch);
}

/// x with `matrix` x = `rhs`, by Gauss. The matrices here are products of blocks of a Cauchy matrix: all invertible.
fn solve(matrix: &Square, rhs: Vec<Fr>) -> Vec<Fr> {
    let n = rhs.len();
    let mut rows: Square = matrix.iter().zip(rhs).map(|(row, b)| row.iter().copied().chain([b]).collect()).collect();
    for pivot in 0..n {
        if let Some(found) = (pivot..n).find(|&i| !rows[i][pivot].is_zero()) {
            rows.swap(pivot, found);
        }
        let inverse = rows[pivot][pivot].inverse().unwrap_or_default();
        rows[pivot].iter_mut().for_each(|x| *x *= inverse);
        let head = rows[pivot].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != pivot) {
            let factor = row[pivot];
            row.iter_mut().zip(&head).for_each(|(x, h)| *x -= factor * h);
        }
    }
    rows.into_iter().map(|row| row[n]).collect()
}

/// Poseidon of 1 to 16 elements, as circomlib's `Poseidon(n)`.
pub fn hash(inputs: &[Fr]) -> Result<Fr> {
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        return Err(Error::argument("Poseidon inputs", inputs.len(), 1, MAX_INPUTS));
    }
    let parameters = Parameters::get(inputs.len() + 1)?;
    let mut state = Vec::with_capacity(inputs.len() + 1);
    state.push(Fr::zero());
    state.extend_from_slice(inputs);
    parameters.permute(&mut state);
    Ok(state[0])
}

/// A hash of any positive number of elements: the first 16, then the result with up to 15 more, and so on.
/// Not injective in the length: callers fix it by a tag.
pub fn chain(inputs: &[Fr]) -> Result<Fr> {
    let (head, tail) = inputs.split_at(inputs.len().min(MAX_INPUTS));
    let mut accumulator = hash(head)?;
    for piece in tail.chunks(MAX_INPUTS - 1) {
        let mut next = Vec::with_capacity(MAX_INPUTS);
        next.push(accumulator);
        next.extend_from_slice(piece);
        accumulator = hash(&next)?;
    }
    Ok(accumulator)
}

/// Slots to a word of the state, and the width of a lane.
const SLOTS_PER_WORD: usize = 7;
const LANE_BITS: usize = 32;
/// Positions lie in [-2^30, 2^30).
pub const POSITION_LIMIT: i64 = 1 << 30;

/// Words of the state: word_j = sum_k (q_{7j+k} + 2^30) 2^{32k} over the slots that exist.
///
/// # Errors
/// `OutOfRange` when a position is not in [-2^30, 2^30).
pub fn state_words(positions: &[i64]) -> Result<Vec<Fr>> {
    if let Some(bad) = positions.iter().find(|q| !(-POSITION_LIMIT..POSITION_LIMIT).contains(*q)) {
        return Err(Error::Argument {
            name: "position",
            value: (*bad).into(),
            low: (-POSITION_LIMIT).into(),
            high: (POSITION_LIMIT - 1).into(),
        });
    }
    let lane: Fr = power_of_two(LANE_BITS);
    Ok(positions
        .chunks(SLOTS_PER_WORD)
        .map(|word| word.iter().rev().fold(Fr::zero(), |sum, q| sum * lane + Fr::from((q + POSITION_LIMIT) as u64)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, seeded};
    use ark_ff::{MontFp, UniformRand};

    /// The permutation as the paper defines it: every round with all constants and the whole matrix.
    fn permute_plainly(p: &Parameters, state: &mut [Fr]) {
        let mut scratch = vec![Fr::zero(); p.t];
        let partial = FULL_ROUNDS / 2..FULL_ROUNDS / 2 + p.partial_rounds;
        for (round, constants) in p.constants.iter().enumerate() {
            state.iter_mut().zip(constants).for_each(|(x, c)| *x += c);
            let words = if partial.contains(&round) { 1 } else { p.t };
            state[..words].iter_mut().for_each(|x| *x = sbox(*x));
            mix(&p.matrix, state, &mut scratch);
        }
    }

    #[test]
    fn sparse_rounds_give_what_the_definition_gives() {
        let mut rng = seeded();
        for t in 2..=MAX_INPUTS + 1 {
            let parameters = Parameters::get(t).unwrap();
            for first in [Fr::zero(), -Fr::one(), Fr::rand(&mut rng)] {
                let mut state: Vec<Fr> = std::iter::once(first).chain((1..t).map(|_| Fr::rand(&mut rng))).collect();
                let mut expected = state.clone();
                permute_plainly(parameters, &mut expected);
                parameters.permute(&mut state);
                assert_eq!(state, expected, "t = {t}");
            }
        }
    }

    /// circomlibjs's test vectors.
    #[test]
    fn hashes_are_circomlibs() {
        let two: Fr = MontFp!("7853200120776062878684798364095072458815029376092732009249414926327459813530");
        assert_eq!(hash(&[1, 2].map(Fr::from)).unwrap(), two);
        let four: Fr = MontFp!("18821383157269793795438455681495246036402687001665670618754263018637548127333");
        assert_eq!(hash(&[1, 2, 3, 4].map(Fr::from)).unwrap(), four);
    }

    #[test]
    fn a_chain_is_one_hash_up_to_sixteen_words() {
        let words: Vec<Fr> = (1..=17u64).map(Fr::from).collect();
        assert_eq!(chain(&words[..16]).unwrap(), hash(&words[..16]).unwrap());
        assert_eq!(chain(&words).unwrap(), hash(&[hash(&words[..16]).unwrap(), words[16]]).unwrap());
    }

    #[test]
    fn numbers_of_words_outside_the_range_are_refused() {
        assert_refused(hash(&[]), "value: 0, low: 1, high: 16");
        assert_refused(hash(&[Fr::zero(); 17]), "value: 17, low: 1, high: 16");
        assert_refused(Parameters::get(1).map(|_| ()), "value: 1, low: 2, high: 17");
        assert_refused(Parameters::get(18).map(|_| ()), "value: 18, low: 2, high: 17");
    }

    #[test]
    fn positions_are_taken_to_the_ends_of_their_lane() {
        let ends = [-POSITION_LIMIT, POSITION_LIMIT - 1];
        assert_eq!(state_words(&ends).unwrap(), [Fr::from((1u64 << 31) - 1) * power_of_two::<Fr>(LANE_BITS)]);
        assert_eq!(state_words(&[0; 8]).unwrap().len(), 2);
        for outside in [-POSITION_LIMIT - 1, POSITION_LIMIT] {
            assert_refused(state_words(&[0, outside]), &format!("\"position\", value: {outside}"));
        }
    }
}
