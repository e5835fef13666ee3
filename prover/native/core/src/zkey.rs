//! snarkjs's .zkey (Groth16): points as little-endian Montgomery limbs, the identity as zeros; coefficients times R^2.

use crate::binary::{write_file, Sections};
use crate::error::{Error, Result};
use crate::field::{limbs_le, write_limbs_le, Limbs};
use crate::msm::msm;
use crate::r1cs::R1cs;
use crate::random;
use crate::vkey::VerifyingKey;
use ark_bn254::{Bn254, Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{One, PrimeField};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

const WHAT: &str = "zkey";
/// Version of the checks that `Zkey::parse` makes and `Zkey::parse_known` leaves out: whoever adds one raises it.
pub const CHECKS: u32 = 1;
const G1_BYTES: usize = 64;
const G2_BYTES: usize = 128;
const COEFFICIENT_BYTES: usize = 44;

type ReadPoint<P> = fn(&str, &[u8]) -> Result<P>;

/// Where bytes come from.
#[derive(Clone, Copy)]
enum Bytes {
    /// From anywhere: every check is made.
    New,
    /// From a zkey that passed every check.
    Known,
}

/// Everything that a zkey holds besides the constraints.
pub struct Zkey {
    pub vk: VerifyingKey,
    pub beta1: G1Affine,
    pub delta1: G1Affine,
    pub a: Vec<G1Affine>,
    pub b1: Vec<G1Affine>,
    pub b2: Vec<G2Affine>,
    pub c: Vec<G1Affine>,
    pub h: Vec<G1Affine>,
}

impl Zkey {
    /// # Errors
    /// `FormatError`: not a whole Groth16 zkey over BN254. `KeyMismatch`: made for another circuit. `KeyRefused`: a
    /// point off its curve or subgroup, parts that contradict each other, or a key that lets anybody forge.
    pub fn parse(bytes: &[u8], circuit: &R1cs) -> Result<Self> {
        let key = Self::read(bytes, circuit, Bytes::New)?;
        key.check_pairs()?;
        Ok(key)
    }

    /// A zkey that `parse` took before, with this circuit: its bytes have the digest of then, which takes the place of
    /// the checks of its points and coefficients.
    ///
    /// # Errors
    /// `KeyMismatch`: other bytes, or sizes of another circuit. `KeyRefused`: a key that lets anybody forge.
    pub fn parse_known(bytes: &[u8], digest: &[u8; 32], circuit: &R1cs) -> Result<Self> {
        let found = Sha256::digest(bytes);
        if found.as_slice() != digest {
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let (found, known) = (hex(&found), hex(digest));
            return Err(Error::mismatch(format!(
                "the key's bytes are not those that were checked: SHA-256 {found}, not {known}"
            )));
        }
        Self::parse_trusted(bytes, circuit)
    }

    /// `parse_known`, where the caller has compared the digest itself: a host whose SHA-256 is faster than the core's.
    ///
    /// # Errors
    /// As `parse`, but for what the digest stands for.
    pub fn parse_trusted(bytes: &[u8], circuit: &R1cs) -> Result<Self> {
        Self::read(bytes, circuit, Bytes::Known)
    }

    fn read(bytes: &[u8], circuit: &R1cs, origin: Bytes) -> Result<Self> {
        let sections = Sections::parse(WHAT, bytes, b"zkey", &[1])?;
        if sections.get(1)? != 1u32.to_le_bytes() {
            return Err(Error::format(WHAT, "protocol is not Groth16"));
        }
        let mut header = sections.reader(2)?;
        let q = (header.u32()?, limbs_le(header.take(32)?));
        let r = (header.u32()?, limbs_le(header.take(32)?));
        if q != (32, Fq::MODULUS) || r != (32, Fr::MODULUS) {
            return Err(Error::format(WHAT, "curve is not BN254"));
        }
        let (wires, public, domain) = (header.u32()? as usize, header.u32()? as usize, header.u32()? as usize);
        check_sizes(circuit, wires, public, domain)?;
        let alpha = read_g1("alpha1", header.take(G1_BYTES)?)?;
        let beta1 = read_g1("beta1", header.take(G1_BYTES)?)?;
        let beta = read_checked_g2("beta2", header.take(G2_BYTES)?)?;
        let gamma = read_checked_g2("gamma2", header.take(G2_BYTES)?)?;
        let delta1 = read_g1("delta1", header.take(G1_BYTES)?)?;
        let delta = read_checked_g2("delta2", header.take(G2_BYTES)?)?;
        header.end()?;
        let (any_g1, any_g2) = match origin {
            Bytes::New => (read_g1 as ReadPoint<G1Affine>, read_g2 as ReadPoint<G2Affine>),
            Bytes::Known => (decode_g1 as ReadPoint<G1Affine>, decode_g2 as ReadPoint<G2Affine>),
        };
        let g1 = |kind, count, name| read_points(sections.records(kind, count, G1_BYTES)?, G1_BYTES, name, any_g1);
        let vk = VerifyingKey { alpha, beta, gamma, delta, ic: g1(3, public + 1, "IC")? };
        vk.check()?;
        if let Bytes::New = origin {
            check_coefficients(sections.get(4)?, circuit)?;
        }
        Ok(Zkey {
            vk,
            beta1,
            delta1,
            a: g1(5, wires, "A")?,
            b1: g1(6, wires, "B1")?,
            b2: read_points(sections.records(7, wires, G2_BYTES)?, G2_BYTES, "B2", any_g2)?,
            c: g1(8, wires - public - 1, "C")?,
            h: g1(9, domain, "H")?,
        })
    }

    /// G1 and G2 copies of beta, delta and B must carry the same secrets. For B a random combination is compared; its
    /// sum also shows a point outside the subgroup (a proof's own B is checked again before it is released).
    fn check_pairs(&self) -> Result<()> {
        let same = |p: G1Affine, q: G2Affine| {
            let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
            Bn254::multi_pairing([p, -g1], [g2, q]) == ark_ec::pairing::PairingOutput::default()
        };
        if !same(self.beta1, self.vk.beta) {
            return Err(Error::key("beta in G1 and beta in G2 differ"));
        }
        if !same(self.delta1, self.vk.delta) {
            return Err(Error::key("delta in G1 and delta in G2 differ"));
        }
        let weight = |_: &G2Affine| random::words().map(|[low, high]| Limbs::new([low, high, 0, 0]));
        let weights: Vec<Limbs> = self.b2.iter().map(weight).collect::<Result<_>>()?;
        let sum1 = msm(&self.b1, &weights).into_affine();
        let sum2 = msm(&self.b2, &weights).into_affine();
        if !sum2.is_in_correct_subgroup_assuming_on_curve() {
            return Err(Error::key("a point of B2 is not in the subgroup"));
        }
        if !same(sum1, sum2) {
            return Err(Error::key("B in G1 and B in G2 differ"));
        }
        Ok(())
    }

    pub fn to_bytes(&self, circuit: &R1cs) -> Vec<u8> {
        let mut header = Vec::new();
        for modulus in [Fq::MODULUS, Fr::MODULUS] {
            header.extend_from_slice(&32u32.to_le_bytes());
            write_limbs_le(&mut header, &modulus);
        }
        for size in [circuit.n_wires, circuit.n_public(), circuit.domain_size()] {
            header.extend_from_slice(&(size as u32).to_le_bytes());
        }
        write_g1(&mut header, &self.vk.alpha);
        write_g1(&mut header, &self.beta1);
        write_g2(&mut header, &self.vk.beta);
        write_g2(&mut header, &self.vk.gamma);
        write_g1(&mut header, &self.delta1);
        write_g2(&mut header, &self.vk.delta);
        let g1 = |points: &[G1Affine]| {
            let mut out = Vec::with_capacity(G1_BYTES * points.len());
            points.iter().for_each(|p| write_g1(&mut out, p));
            out
        };
        let mut b2 = Vec::with_capacity(G2_BYTES * self.b2.len());
        self.b2.iter().for_each(|p| write_g2(&mut b2, p));
        // section 10: hash of the circuit (none: zeros) and no contributions
        let contributions = vec![0u8; 64 + 4];
        let sections = [
            (1, 1u32.to_le_bytes().to_vec()),
            (2, header),
            (3, g1(&self.vk.ic)),
            (4, coefficient_section(circuit)),
            (5, g1(&self.a)),
            (6, g1(&self.b1)),
            (7, b2),
            (8, g1(&self.c)),
            (9, g1(&self.h)),
            (10, contributions),
        ];
        write_file(b"zkey", 1, &sections)
    }
}

fn check_sizes(circuit: &R1cs, wires: usize, public: usize, domain: usize) -> Result<()> {
    for (name, key, expected) in [
        ("wires", wires, circuit.n_wires),
        ("public inputs", public, circuit.n_public()),
        ("domain", domain, circuit.domain_size()),
    ] {
        if key != expected {
            return Err(Error::mismatch(format!("{name}: the key has {key}, the circuit {expected}")));
        }
    }
    Ok(())
}

/// One coefficient of A (0) or B (1) as the file stores it: matrix, row, wire, value R^2 in limbs.
type Coefficient = (u32, u32, u32, [u64; 4]);

/// The coefficients of a circuit in snarkjs's order: row by row A then B, and the consistency rows 1 * w_i of A.
fn coefficients(circuit: &R1cs) -> Vec<Coefficient> {
    // In Montgomery form the element R has limbs R^2 mod r; limbs of value * R are value R^2.
    let r = Fr::from(Fr::one().0);
    let mut out = Vec::with_capacity(circuit.a.terms() + circuit.b.terms() + circuit.n_public() + 1);
    for i in 0..circuit.n_constraints {
        for (m, matrix) in [(0, &circuit.a), (1, &circuit.b)] {
            out.extend(matrix.row(i).map(|(wire, value)| (m, i as u32, wire, (value * r).0 .0)));
        }
    }
    out.extend((0..=circuit.n_public() as u32).map(|wire| (0, circuit.n_constraints as u32 + wire, wire, r.0 .0)));
    out
}

fn coefficient_section(circuit: &R1cs) -> Vec<u8> {
    let all = coefficients(circuit);
    let mut out = Vec::with_capacity(4 + COEFFICIENT_BYTES * all.len());
    out.extend_from_slice(&(all.len() as u32).to_le_bytes());
    for (matrix, row, wire, value) in all {
        for word in [matrix, row, wire] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        write_limbs_le(&mut out, &Limbs::new(value));
    }
    out
}

/// The key's constraints must be the circuit's, all of them, consistency rows included, in whatever order.
fn check_coefficients(section: &[u8], circuit: &R1cs) -> Result<()> {
    let other = || Error::mismatch("the key's constraints are not the circuit's");
    let (count, body) = section.split_at_checked(4).ok_or_else(|| Error::format(WHAT, "section 4 is truncated"))?;
    let mut expected = coefficients(circuit);
    if count != (expected.len() as u32).to_le_bytes() || body.len() != expected.len() * COEFFICIENT_BYTES {
        return Err(other());
    }
    let word = |b: &[u8], i: usize| u32::from_le_bytes([b[4 * i], b[4 * i + 1], b[4 * i + 2], b[4 * i + 3]]);
    let mut found: Vec<Coefficient> = body
        .par_chunks_exact(COEFFICIENT_BYTES)
        .map(|b| (word(b, 0), word(b, 1), word(b, 2), limbs_le(&b[12..]).0))
        .collect();
    if found != expected {
        found.par_sort_unstable();
        expected.par_sort_unstable();
        if found != expected {
            return Err(other());
        }
    }
    Ok(())
}

fn write_fq(out: &mut Vec<u8>, value: &Fq) {
    write_limbs_le(out, &value.0);
}

fn write_g1(out: &mut Vec<u8>, p: &G1Affine) {
    if p.is_zero() {
        out.extend_from_slice(&[0u8; G1_BYTES]);
    } else {
        write_fq(out, &p.x);
        write_fq(out, &p.y);
    }
}

fn write_g2(out: &mut Vec<u8>, p: &G2Affine) {
    if p.is_zero() {
        out.extend_from_slice(&[0u8; G2_BYTES]);
    } else {
        [p.x.c0, p.x.c1, p.y.c0, p.y.c1].iter().for_each(|c| write_fq(out, c));
    }
}

fn read_fq(name: &str, bytes: &[u8], index: usize) -> Result<Fq> {
    let limbs = limbs_le(&bytes[32 * index..32 * (index + 1)]);
    if limbs >= Fq::MODULUS {
        return Err(Error::key(format!("{name} has a coordinate that is not reduced")));
    }
    Ok(Fq::new_unchecked(limbs))
}

/// A point whose coordinates are numbers below q.
fn decode_g1(name: &str, bytes: &[u8]) -> Result<G1Affine> {
    if bytes.iter().all(|b| *b == 0) {
        return Ok(G1Affine::zero());
    }
    Ok(G1Affine::new_unchecked(read_fq(name, bytes, 0)?, read_fq(name, bytes, 1)?))
}

fn read_g1(name: &str, bytes: &[u8]) -> Result<G1Affine> {
    let p = decode_g1(name, bytes)?;
    if !p.is_zero() && !p.is_on_curve() {
        return Err(Error::key(format!("{name} is not on the curve")));
    }
    Ok(p)
}

/// A point whose coordinates are numbers below q.
fn decode_g2(name: &str, bytes: &[u8]) -> Result<G2Affine> {
    if bytes.iter().all(|b| *b == 0) {
        return Ok(G2Affine::zero());
    }
    let c = |i| read_fq(name, bytes, i);
    Ok(G2Affine::new_unchecked(Fq2::new(c(0)?, c(1)?), Fq2::new(c(2)?, c(3)?)))
}

fn read_g2(name: &str, bytes: &[u8]) -> Result<G2Affine> {
    let p = decode_g2(name, bytes)?;
    if !p.is_zero() && !p.is_on_curve() {
        return Err(Error::key(format!("{name} is not on the curve")));
    }
    Ok(p)
}

fn read_checked_g2(name: &str, bytes: &[u8]) -> Result<G2Affine> {
    let p = read_g2(name, bytes)?;
    if !p.is_in_correct_subgroup_assuming_on_curve() {
        return Err(Error::key(format!("{name} is not in the subgroup")));
    }
    Ok(p)
}

fn read_points<P: Send>(
    bytes: &[u8],
    size: usize,
    name: &'static str,
    read: impl Fn(&str, &[u8]) -> Result<P> + Sync,
) -> Result<Vec<P>> {
    bytes.par_chunks_exact(size).with_min_len(512).map(|b| read(name, b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::set_up;
    use crate::testing::{assert_refused, Circuit};

    type Parts = Vec<(u32, Vec<u8>)>;

    fn circuit() -> R1cs {
        R1cs::parse(&Circuit::product().r1cs()).unwrap()
    }

    /// A fresh key's sections after `change`, as a key of the product.
    fn parse(change: impl Fn(&mut Parts)) -> Result<Zkey> {
        let circuit = circuit();
        let bytes = set_up(&circuit).unwrap().to_bytes(&circuit);
        let sections = Sections::parse(WHAT, &bytes, b"zkey", &[1]).unwrap();
        let mut parts: Parts = (1..=10).map(|kind| (kind, sections.get(kind).unwrap().to_vec())).collect();
        change(&mut parts);
        Zkey::parse(&write_file(b"zkey", 1, &parts), &circuit)
    }

    /// The refusal of a key with `bytes` at `place` of section `kind`.
    #[track_caller]
    fn assert_damage(kind: usize, place: usize, bytes: &[u8], words: &str) {
        assert_refused(parse(|parts| parts[kind - 1].1[place..place + bytes.len()].copy_from_slice(bytes)), words);
    }

    fn g1_bytes(p: impl Into<G1Affine>) -> Vec<u8> {
        let mut out = Vec::new();
        write_g1(&mut out, &p.into());
        out
    }

    /// Places in section 2.
    const ALPHA: usize = 84;
    const BETA1: usize = ALPHA + G1_BYTES;
    const BETA2: usize = BETA1 + G1_BYTES;
    const GAMMA: usize = BETA2 + G2_BYTES;
    const DELTA1: usize = GAMMA + G2_BYTES;
    const DELTA2: usize = DELTA1 + G1_BYTES;

    #[test]
    fn a_key_is_read_as_written() {
        let circuit = circuit();
        let key = set_up(&circuit).unwrap();
        let read = Zkey::parse(&key.to_bytes(&circuit), &circuit).unwrap();
        assert_eq!(read.vk, key.vk);
        assert_eq!((read.beta1, read.delta1), (key.beta1, key.delta1));
        assert_eq!((read.a, read.b1, read.b2, read.c, read.h), (key.a, key.b1, key.b2, key.c, key.h));
        assert!(parse(|_| ()).is_ok());
    }

    #[test]
    fn a_known_key_is_read_by_its_digest() {
        let circuit = circuit();
        let key = set_up(&circuit).unwrap();
        let mut bytes = key.to_bytes(&circuit);
        let digest = Sha256::digest(&bytes).into();
        let known = Zkey::parse_known(&bytes, &digest, &circuit).unwrap();
        assert_eq!((known.a, known.b1, known.b2, known.c, known.h), (key.a, key.b1, key.b2, key.c, key.h));
        for place in (0..bytes.len()).step_by(97) {
            bytes[place] ^= 1;
            let other = Zkey::parse_known(&bytes, &digest, &circuit);
            assert_refused(other, "the key's bytes are not those that were checked");
            bytes[place] ^= 1;
        }
        let larger = R1cs { n_wires: circuit.n_wires + 1, ..circuit };
        assert_refused(Zkey::parse_known(&bytes, &digest, &larger), "wires: the key has 4, the circuit 5");
    }

    #[test]
    fn a_known_key_that_lets_anybody_forge_is_refused() {
        let circuit = circuit();
        let mut key = set_up(&circuit).unwrap();
        key.vk.delta = key.vk.gamma;
        let bytes = key.to_bytes(&circuit);
        let digest = Sha256::digest(&bytes).into();
        assert_refused(Zkey::parse_known(&bytes, &digest, &circuit), "delta equals gamma up to sign");
    }

    #[test]
    fn a_key_of_another_circuit_is_refused() {
        assert_damage(2, 72, &5u32.to_le_bytes(), "wires: the key has 5, the circuit 4");
        assert_damage(2, 76, &1u32.to_le_bytes(), "public inputs: the key has 1, the circuit 2");
        assert_damage(2, 80, &8u32.to_le_bytes(), "domain: the key has 8, the circuit 4");
        assert_damage(4, 0, &1u32.to_le_bytes(), "the key's constraints are not the circuit's");
        assert_damage(4, 16, &[1], "the key's constraints are not the circuit's");
        let shuffled = parse(|parts| parts[3].1[4..].rotate_left(COEFFICIENT_BYTES));
        assert!(shuffled.is_ok(), "the order of coefficients is free");
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        assert_damage(1, 0, &[2], "protocol is not Groth16");
        assert_damage(2, 4, &[0], "curve is not BN254");
        assert_refused(parse(|parts| parts[4].1.truncate(3 * G1_BYTES)), "section 5 has 192 bytes, expected 4 records");
        assert_refused(parse(|parts| drop(parts.remove(8))), "section 9 is missing");
        assert_refused(parse(|parts| parts[3].1.truncate(3)), "section 4 is truncated");
    }

    #[test]
    fn points_that_are_not_on_their_curve_are_refused() {
        let mut unreduced = Vec::new();
        write_limbs_le(&mut unreduced, &Fq::MODULUS);
        let off = [&g1_bytes(G1Affine::generator())[..32], &[1; 32]].concat();
        for (kind, name) in [(3, "IC"), (5, "A"), (6, "B1"), (8, "C"), (9, "H")] {
            assert_damage(kind, 0, &off, &format!("{name} is not on the curve"));
            assert_damage(kind, 0, &unreduced, &format!("{name} has a coordinate that is not reduced"));
        }
        assert_damage(7, 0, &[1; G2_BYTES], "B2 is not on the curve");
        assert_damage(2, ALPHA, &off, "alpha1 is not on the curve");
    }

    #[test]
    fn a_key_that_lets_anybody_forge_is_refused() {
        let zero = [0; G2_BYTES];
        assert_damage(2, ALPHA, &zero[..G1_BYTES], "alpha is the identity");
        assert_damage(2, GAMMA, &zero, "gamma is the identity");
        assert_damage(2, DELTA2, &zero, "delta is the identity");
        assert_damage(3, G1_BYTES, &zero[..G1_BYTES], "IC[1] is the identity");
        assert_damage(2, ALPHA, &g1_bytes(G1Affine::generator()), "alpha is the generator up to sign");
        for (at, from, reason) in [
            (DELTA2, GAMMA, "delta equals gamma up to sign"),
            (GAMMA, BETA2, "beta equals gamma up to sign"),
            (DELTA2, BETA2, "delta equals beta up to sign"),
        ] {
            let same = parse(|parts| {
                let point = parts[1].1[from..from + G2_BYTES].to_vec();
                parts[1].1[at..at + G2_BYTES].copy_from_slice(&point);
            });
            assert_refused(same, reason);
        }
    }

    #[test]
    fn parts_that_contradict_each_other_are_refused() {
        let generator = g1_bytes(G1Affine::generator());
        assert_damage(2, BETA1, &generator, "beta in G1 and beta in G2 differ");
        assert_damage(2, DELTA1, &generator, "delta in G1 and delta in G2 differ");
        assert_damage(6, 0, &generator, "B in G1 and B in G2 differ");
    }
}
