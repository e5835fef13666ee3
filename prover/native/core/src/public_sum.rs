//! Sums of points over the public inputs: in the check of each finished proof, and in its A.
//!
//! Most public inputs are a policy's, the same for all proofs of an epoch. So the sum of the last proof is kept with
//! its inputs, and the next one adds only what changed. How long that takes depends on public numbers alone.

use crate::field::Limbs;
use crate::msm::msm;
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
    /// sum_i public[i] points[i], by what changed since the last call, which had the same points.
    pub fn compute(&self, points: &[G1Affine], public: &[Fr]) -> G1Projective {
        // another thread that comes meanwhile finds nothing and computes the whole sum
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sum = match last.and_then(|(inputs, sum)| Some(sum + change(points, &inputs, public)?)) {
            Some(sum) => sum,
            None => sum(points, public),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((public.to_vec(), sum));
        sum
    }

    /// Keeps a sum that was not computed.
    #[cfg(test)]
    pub fn keep(&self, public: &[Fr], sum: G1Projective) {
        *self.last.lock().unwrap() = Some((public.to_vec(), sum));
    }

    /// Forgets the kept sum.
    pub fn clear(&self) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// What the sum changes by between two lists of inputs; none when many changed.
fn change(points: &[G1Affine], before: &[Fr], after: &[Fr]) -> Option<G1Projective> {
    if before.len() != after.len() {
        return None;
    }
    let changed = || before.iter().zip(after).enumerate().filter(|(_, (old, new))| old != new);
    if changed().count() * MANY > after.len() {
        return None;
    }
    let (points, differences): (Vec<G1Affine>, Vec<Limbs>) =
        changed().map(|(i, (old, new))| (points[i], (*new - old).into_bigint())).unzip();
    Some(msm(&points, &differences))
}

fn sum(points: &[G1Affine], public: &[Fr]) -> G1Projective {
    let plain: Vec<Limbs> = public.iter().map(|x| x.into_bigint()).collect();
    msm(points, &plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::seeded;
    use ark_ec::AffineRepr;
    use ark_ff::{One, UniformRand, Zero};

    const INPUTS: usize = 40;

    /// Random points, one of them the identity.
    fn points() -> Vec<G1Affine> {
        let mut rng = seeded();
        let mut points: Vec<G1Affine> =
            (0..INPUTS).map(|_| (G1Affine::generator() * Fr::rand(&mut rng)).into()).collect();
        points[5] = G1Affine::zero();
        points
    }

    #[test]
    fn sums_are_right_whatever_changed() {
        let (points, kept) = (points(), PublicSum::default());
        let mut public = vec![Fr::from(7); INPUTS];
        let mut check = |changes: &[(usize, Fr)]| {
            changes.iter().for_each(|(i, value)| public[*i] = *value);
            let plain: G1Projective = points.iter().zip(&public).map(|(point, x)| *point * x).sum();
            assert_eq!(kept.compute(&points, &public), plain, "{changes:?}");
        };
        check(&[]);
        check(&[]);
        check(&[(0, Fr::zero()), (INPUTS - 1, -Fr::one())]);
        check(&(0..INPUTS / MANY).map(|i| (i, Fr::one())).collect::<Vec<_>>());
        check(&(0..INPUTS).map(|i| (i, Fr::from(i as u64))).collect::<Vec<_>>());
        check(&[(3, Fr::from(3)), (4, Fr::from(5)), (5, Fr::from(6))]);
    }

    #[test]
    fn the_kept_sum_is_used_until_it_is_forgotten() {
        let (points, public) = (points(), vec![Fr::from(7); INPUTS]);
        let right = sum(&points, &public);
        let wrong = PublicSum::default();
        wrong.keep(&public, right + points[0]);
        assert_eq!(wrong.compute(&points, &public), right + points[0]);
        wrong.clear();
        assert_eq!(wrong.compute(&points, &public), right);
    }
}
