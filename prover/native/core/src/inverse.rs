//! Inverses by division steps (Bernstein and Yang, "Fast constant-time gcd computation and modular inversion", 2019),
//! in variable time: sixty-two steps on the lowest words at once, then their effect on the whole numbers.
//!
//! An inversion is shared by thousands of additions of points, and a proof has a thousand of them.

use ark_bn254::Fq2;
use ark_ff::{BigInt, Field, Fp, MontBackend, MontConfig};

/// A field whose inverses are found fast.
pub trait Invertible: Field {
    /// 1 / x, and 0 for 0.
    fn invert(&self) -> Self;
}

impl<T: MontConfig<4>> Invertible for Fp<MontBackend<T, 4>, 4> {
    fn invert(&self) -> Self {
        // the words are those of x 2^256: their inverse lacks the factor 2^512
        let inverse = Self::new_unchecked(BigInt(invert::<T>(self.0 .0)));
        let square = Self::new_unchecked(T::R2);
        inverse * square * square
    }
}

impl Invertible for Fq2 {
    /// The conjugate over the norm.
    fn invert(&self) -> Self {
        let scale = (self.c0.square() + self.c1.square()).invert();
        Fq2::new(self.c0 * scale, -self.c1 * scale)
    }
}

const BITS: u32 = 62;
const MASK: i64 = (1 << BITS) - 1;

/// sum_j limbs[j] 2^(62 j); all but the last are in 0 .. 2^62 - 1.
type Signed = [i64; 5];

const fn split(words: [u64; 4]) -> Signed {
    let mask = MASK as u64;
    [
        (words[0] & mask) as i64,
        ((words[0] >> 62 | words[1] << 2) & mask) as i64,
        ((words[1] >> 60 | words[2] << 4) & mask) as i64,
        ((words[2] >> 58 | words[3] << 6) & mask) as i64,
        (words[3] >> 56) as i64,
    ]
}

/// The words of a number in 0 .. 2^256 - 1.
fn join(limbs: Signed) -> [u64; 4] {
    let l = limbs.map(|limb| limb as u64);
    [l[0] | l[1] << 62, l[1] >> 2 | l[2] << 60, l[2] >> 4 | l[3] << 58, l[3] >> 6 | l[4] << 56]
}

/// Steps as a matrix: 2^62 (f, g) becomes [[u, v], [q, r]] (f, g).
struct Steps {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

/// Sixty-two steps on the lowest bits of f and g, from and to -delta.
fn step(mut eta: i64, f: i64, g: i64) -> (i64, Steps) {
    let (mut f, mut g) = (f as u64, g as u64);
    let (mut u, mut v, mut q, mut r) = (1u64, 0u64, 0u64, 1u64);
    let mut left = BITS;
    loop {
        // as many halvings of g as it is even
        let zeros = (g | u64::MAX << left).trailing_zeros();
        (g, u, v) = (g >> zeros, u << zeros, v << zeros);
        (eta, left) = (eta - i64::from(zeros), left - zeros);
        if left == 0 {
            return (eta, Steps { u: u as i64, v: v as i64, q: q as i64, r: r as i64 });
        }
        if eta < 0 {
            (eta, f, g) = (-eta, g, f.wrapping_neg());
            (u, q) = (q, u.wrapping_neg());
            (v, r) = (r, v.wrapping_neg());
        }
        // the multiple of f that makes the next bits of g vanish: up to six, and as many as there are steps until the
        // next exchange
        let bits = 6.min(left).min((eta + 1).min(6) as u32);
        let inverse = f.wrapping_mul(f.wrapping_mul(f).wrapping_sub(2)); // -1 / f mod 2^6
        let multiple = g.wrapping_mul(inverse) & ((1 << bits) - 1);
        g = g.wrapping_add(f.wrapping_mul(multiple));
        q = q.wrapping_add(u.wrapping_mul(multiple));
        r = r.wrapping_add(v.wrapping_mul(multiple));
    }
}

fn times(a: i64, b: i64) -> i128 {
    i128::from(a) * i128::from(b)
}

/// (f, g) after the steps.
fn apply(steps: &Steps, f: &mut Signed, g: &mut Signed) {
    let Steps { u, v, q, r } = *steps;
    let (mut to_f, mut to_g) = (times(u, f[0]) + times(v, g[0]), times(q, f[0]) + times(r, g[0]));
    for j in 1..5 {
        to_f = (to_f >> BITS) + times(u, f[j]) + times(v, g[j]);
        to_g = (to_g >> BITS) + times(q, f[j]) + times(r, g[j]);
        (f[j - 1], g[j - 1]) = (to_f as i64 & MASK, to_g as i64 & MASK);
    }
    (f[4], g[4]) = ((to_f >> BITS) as i64, (to_g >> BITS) as i64);
}

/// (d, e) after the steps mod `modulus`, whose inverse mod 2^62 is `inverse`; all are above -2 p and below p.
fn apply_mod(steps: &Steps, d: &mut Signed, e: &mut Signed, modulus: &Signed, inverse: i64) {
    let Steps { u, v, q, r } = *steps;
    let (sign_d, sign_e) = (d[4] >> 63, e[4] >> 63);
    // multiples of p: one to come above -2 p again, one to make the lowest 62 bits vanish
    let clear = |sum: i128, multiple: i64| multiple - (inverse.wrapping_mul(sum as i64).wrapping_add(multiple) & MASK);
    let (mut to_d, mut to_e) = (times(u, d[0]) + times(v, e[0]), times(q, d[0]) + times(r, e[0]));
    let more_d = clear(to_d, (u & sign_d) + (v & sign_e));
    let more_e = clear(to_e, (q & sign_d) + (r & sign_e));
    (to_d, to_e) = (to_d + times(modulus[0], more_d), to_e + times(modulus[0], more_e));
    for j in 1..5 {
        to_d = (to_d >> BITS) + times(u, d[j]) + times(v, e[j]) + times(modulus[j], more_d);
        to_e = (to_e >> BITS) + times(q, d[j]) + times(r, e[j]) + times(modulus[j], more_e);
        (d[j - 1], e[j - 1]) = (to_d as i64 & MASK, to_e as i64 & MASK);
    }
    (d[4], e[4]) = ((to_d >> BITS) as i64, (to_e >> BITS) as i64);
}

/// Limbs of the number that signed ones stand for.
fn carry(limbs: Signed) -> Signed {
    let mut limbs = limbs;
    for j in 0..4 {
        limbs[j + 1] += limbs[j] >> BITS;
        limbs[j] &= MASK;
    }
    limbs
}

fn add(a: Signed, b: &Signed) -> Signed {
    let mut sum = a;
    sum.iter_mut().zip(b).for_each(|(x, y)| *x += y);
    carry(sum)
}

/// 1 / x mod the modulus of `T`, and 0 for 0, for x below it.
fn invert<T: MontConfig<4>>(x: [u64; 4]) -> [u64; 4] {
    let modulus = const { split(T::MODULUS.0) };
    let inverse = (T::INV as i64).wrapping_neg() & MASK;
    let (mut d, mut e) = ([0; 5], [1, 0, 0, 0, 0]);
    let (mut f, mut g) = (modulus, split(x));
    let mut eta = -1;
    while g != [0; 5] {
        let (next, steps) = step(eta, f[0], g[0]);
        eta = next;
        apply_mod(&steps, &mut d, &mut e, &modulus, inverse);
        apply(&steps, &mut f, &mut g);
    }
    // f is the divisor, 1 or -1 (p itself where x is zero, and d is zero then)
    if d[4] < 0 {
        d = add(d, &modulus);
    }
    if f[4] < 0 {
        d = carry(d.map(|limb| -limb));
    }
    if d[4] < 0 {
        d = add(d, &modulus);
    }
    join(d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::power_of_two;
    use crate::testing::seeded;
    use ark_bn254::{Fq, Fr};
    use ark_ff::{PrimeField, Zero};

    /// Zero, one, powers of two and their neighbours, the same as words in memory, their negatives, and some at random.
    fn edges<F: PrimeField<BigInt = BigInt<4>>>(in_memory: impl Fn(BigInt<4>) -> F) -> Vec<F> {
        let mut rng = seeded();
        let powers = (0..254).map(power_of_two::<F>);
        let plain: Vec<F> = powers.flat_map(|power| [power - F::one(), power, power + F::one()]).collect();
        let words = plain.iter().map(|x| in_memory(x.into_bigint()));
        let all: Vec<F> = words.chain(plain.iter().copied()).chain((0..2000).map(|_| F::rand(&mut rng))).collect();
        all.iter().flat_map(|x| [*x, -*x]).collect()
    }

    #[test]
    fn inverses_are_arkworks() {
        for x in edges::<Fq>(Fq::new_unchecked) {
            assert_eq!(x.invert(), x.inverse().unwrap_or_default(), "{x}");
        }
        for x in edges::<Fr>(Fr::new_unchecked) {
            assert_eq!(x.invert(), x.inverse().unwrap_or_default(), "{x}");
        }
    }

    #[test]
    fn inverses_in_the_extension_are_arkworks() {
        let edges = edges::<Fq>(Fq::new_unchecked);
        let seconds = edges.iter().skip(1).copied().chain([Fq::zero()]);
        for x in edges.iter().zip(seconds).map(|(c0, c1)| Fq2::new(*c0, c1)) {
            assert_eq!(x.invert(), x.inverse().unwrap_or_default(), "{x}");
        }
    }
}
