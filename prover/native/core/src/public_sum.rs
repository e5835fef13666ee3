//! The sum over the public inputs in the check of each finished proof.
//!
//! Most public inputs are a policy's, the same for all proofs of an epoch. So the sum of the last proof is kept with
//! its inputs, and the next one adds only what changed. How long that takes depends on public numbers alone.

use crate::error::Result;
use crate::field::Limbs;
use crate::msm::msm;
use crate::vkey::VerifyingKey;
use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ff::PrimeField;
use std::sync::{Mutex, PoisonError};

/// More than one changed input in so many, and the whole sum is as fast.
const MANY: usize = 4;

/// The last public inputs with their sum.
#[derive(Default)]
pub struct PublicSum {
    last: Mutex<Option<(Vec<Fr>, G1Projective)>>,
}

impl PublicSum {
    /// sum_i public[i] IC[1 + i], by what changed since the last call.
    ///
    /// # Errors
    /// As `VerifyingKey::ic_sum`.
    pub fn compute(&self, key: &VerifyingKey, public: &[Fr]) -> Result<G1Projective> {
        // another thread that comes meanwhile finds nothing and computes the whole sum
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sum = match last.and_then(|(inputs, sum)| Some(sum + change(key, &inputs, public)?)) {
            Some(sum) => sum,
            None => key.ic_sum(0, public)?.into(),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((public.to_vec(), sum));
        Ok(sum)
    }

    /// Forgets the kept sum.
    pub fn clear(&self) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// What the sum changes by between two lists of inputs; none when many changed.
fn change(key: &VerifyingKey, before: &[Fr], after: &[Fr]) -> Option<G1Projective> {
    if before.len() != after.len() || after.len() != key.n_public() {
        return None;
    }
    let changed = || before.iter().zip(after).enumerate().filter(|(_, (old, new))| old != new);
    if changed().count() * MANY > after.len() {
        return None;
    }
    let (points, differences): (Vec<G1Affine>, Vec<Limbs>) =
        changed().map(|(i, (old, new))| (key.ic[1 + i], (*new - old).into_bigint())).unzip();
    Some(msm(&points, &differences))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, seeded};
    use ark_bn254::G2Affine;
    use ark_ec::AffineRepr;
    use ark_ff::{One, UniformRand, Zero};

    const INPUTS: usize = 40;

    fn key() -> VerifyingKey {
        let mut rng = seeded();
        let (alpha, beta) = (G1Affine::generator(), G2Affine::generator());
        let ic = (0..=INPUTS).map(|_| (alpha * Fr::rand(&mut rng)).into()).collect();
        VerifyingKey { alpha, beta, gamma: beta, delta: beta, ic }
    }

    #[test]
    fn sums_are_the_keys_whatever_changed() {
        let (key, sum) = (key(), PublicSum::default());
        let mut public = vec![Fr::from(7); INPUTS];
        let mut check = |changes: &[(usize, Fr)]| {
            changes.iter().for_each(|(i, value)| public[*i] = *value);
            assert_eq!(sum.compute(&key, &public).unwrap(), key.ic_sum(0, &public).unwrap(), "{changes:?}");
        };
        check(&[]);
        check(&[]);
        check(&[(0, Fr::zero()), (INPUTS - 1, -Fr::one())]);
        check(&(0..INPUTS / MANY).map(|i| (i, Fr::one())).collect::<Vec<_>>());
        check(&(0..INPUTS).map(|i| (i, Fr::from(i as u64))).collect::<Vec<_>>());
        check(&[(3, Fr::from(3)), (4, Fr::from(5))]);
    }

    #[test]
    fn the_kept_sum_is_used_until_it_is_forgotten() {
        let (key, public) = (key(), vec![Fr::from(7); INPUTS]);
        let right = key.ic_sum(0, &public).unwrap();
        let wrong = PublicSum { last: Mutex::new(Some((public.clone(), right + key.alpha))) };
        assert_eq!(wrong.compute(&key, &public).unwrap(), right + key.alpha);
        wrong.clear();
        assert_eq!(wrong.compute(&key, &public).unwrap(), right);
    }

    #[test]
    fn another_number_of_inputs_is_no_change() {
        let (key, sum) = (key(), PublicSum::default());
        assert!(sum.compute(&key, &[Fr::one(); INPUTS]).is_ok());
        assert_refused(sum.compute(&key, &[Fr::one(); INPUTS + 1]), "public input");
    }
}
