//! snarkjs's .wtns: the value of every wire.

use crate::binary::{write_file, Sections};
use crate::error::{Error, Result};
use crate::field::{element_le, limbs_le, write_limbs_le};
use ark_bn254::Fr;
use ark_ff::PrimeField;

const WHAT: &str = "wtns";

pub fn write(wires: &[Fr]) -> Vec<u8> {
    let mut header = Vec::with_capacity(40);
    header.extend_from_slice(&32u32.to_le_bytes());
    write_limbs_le(&mut header, &Fr::MODULUS);
    header.extend_from_slice(&(wires.len() as u32).to_le_bytes());
    let mut body = Vec::with_capacity(32 * wires.len());
    wires.iter().for_each(|w| write_limbs_le(&mut body, &w.into_bigint()));
    write_file(b"wtns", 2, &[(1, header), (2, body)])
}

/// # Errors
/// `FormatError` when the bytes are not version 2 of the format over this field, or hold a number that is not reduced.
pub fn read(bytes: &[u8]) -> Result<Vec<Fr>> {
    let sections = Sections::parse(WHAT, bytes, b"wtns", &[2])?;
    let mut header = sections.reader(1)?;
    if header.u32()? != 32 || limbs_le(header.take(32)?) != Fr::MODULUS {
        return Err(Error::format(WHAT, "not BN254's scalar field"));
    }
    let count = header.u32()? as usize;
    header.end()?;
    sections
        .records(2, count, 32)?
        .chunks_exact(32)
        .map(|b| element_le(b).ok_or_else(|| Error::format(WHAT, "a value is not reduced")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_refused;
    use ark_ff::{BigInteger, One};

    #[test]
    fn wires_are_read_as_written() {
        let wires = [Fr::one(), -Fr::one(), Fr::from(7)];
        let bytes = write(&wires);
        assert_eq!(read(&bytes).unwrap(), wires);
        let (modulus, last) = (Fr::MODULUS.to_bytes_le(), bytes.len() - 32);
        assert_refused(read(&[&bytes[..last], &modulus].concat()), "a value is not reduced");
        assert_refused(read(&bytes[..last]), "truncated");
        assert_refused(read(&write_file(b"wtns", 1, &[])), "version 1, expected one of [2]");
    }
}
