//! Integer arrays packed into field elements: lanes of equal width, the first array in the lowest lane.

use crate::error::{Error, Result};
use crate::field::power_of_two;
use ark_bn254::Fr;
use ark_ff::Zero;
use rayon::prelude::*;

/// Numbers for which a task of their own pays.
const NUMBERS_PER_TASK: usize = 4096;

/// The int64 numbers of little-endian bytes (numpy's `tobytes` on the machines that this runs on).
pub fn int64s(bytes: &[u8]) -> Result<Vec<i64>> {
    if !bytes.len().is_multiple_of(8) {
        return Err(Error::format("int64 array", format!("{} bytes are not a multiple of 8", bytes.len())));
    }
    Ok(bytes.chunks_exact(8).map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])).collect())
}

/// packed[g][i] = sum_k values[lanes g + k][i] 2^(lane_bits k) for a row-major array of `columns` columns.
///
/// # Errors
/// `InputShape` when the values are not whole groups of rows; `OutOfRange` when the packed number could pass the field.
pub fn pack(values: &[i64], columns: usize, lanes: usize, lane_bits: usize) -> Result<Vec<Fr>> {
    if lanes == 0 || lanes.saturating_sub(1).saturating_mul(lane_bits) > 253 - 65 {
        return Err(Error::argument("lanes", lanes, 1, 1 + (253 - 65) / lane_bits.max(1)));
    }
    let group = columns.saturating_mul(lanes);
    if group == 0 || !values.len().is_multiple_of(group) {
        return Err(Error::InputShape { name: "lanes".into(), given: values.len(), expected: group });
    }
    let lane: Fr = power_of_two(lane_bits);
    Ok(values
        .par_chunks_exact(group)
        .with_min_len(NUMBERS_PER_TASK.div_ceil(group))
        .flat_map_iter(|rows| {
            (0..columns)
                .map(move |i| (0..lanes).rev().fold(Fr::zero(), |sum, k| sum * lane + Fr::from(rows[k * columns + i])))
        })
        .collect())
}
