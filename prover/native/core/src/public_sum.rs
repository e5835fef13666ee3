//! Sums of points over the public inputs: in the check of each finished proof, and in its A.
//!
//! Most public inputs are a policy's, the same for all proofs of an epoch. So the sums of the last proof are kept with
//! its inputs, and the next one adds only what changed. How long that takes depends on public numbers alone.

use crate::field::Limbs;
use crate::msm::msm;
use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ff::PrimeField;
use std::sync::{Mutex, PoisonError};

/// More than one changed input in so many, and the whole sum is as fast.
const MANY: usize = 4;

/// Two sums over the same inputs: with the points of IC, and with those of A.
pub type Sums = [G1Projective; 2];

/// The last public inputs with their sums.
#[derive(Default)]
pub struct PublicSums {
    last: Mutex<Option<(Vec<Fr>, Sums)>>,
}

impl PublicSums {
    /// sum_i public[i] points[i] for both lists of points, by what changed since the last call, which had the same.
    pub fn compute(&self, points: [&[G1Affine]; 2], public: &[Fr]) -> Sums {
        // another thread that comes meanwhile finds nothing and computes the whole sums
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sums = match last.and_then(|(inputs, sums)| add_change(sums, points, &inputs, public)) {
            Some(sums) => sums,
            None => sum(points, public),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((public.to_vec(), sums));
        sums
    }

    /// Keeps sums that were not computed.
    #[cfg(test)]
    pub fn keep(&self, public: &[Fr], sums: Sums) {
        *self.last.lock().unwrap() = Some((public.to_vec(), sums));
    }

    /// Forgets the kept sums.
    pub fn clear(&self) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The sums over `after` from those over `before`; none when many inputs changed.
fn add_change(sums: Sums, points: [&[G1Affine]; 2], before: &[Fr], after: &[Fr]) -> Option<Sums> {
    if before.len() != after.len() {
        return None;
    }
    let changed: Vec<usize> = (0..after.len()).filter(|i| before[*i] != after[*i]).collect();
    if changed.len() * MANY > after.len() {
        return None;
    }
    let differences: Vec<Limbs> = changed.iter().map(|i| (after[*i] - before[*i]).into_bigint()).collect();
    let change = |points: &[G1Affine]| {
        let points: Vec<G1Affine> = changed.iter().map(|i| points[*i]).collect();
        msm(&points, &differences)
    };
    Some([sums[0] + change(points[0]), sums[1] + change(points[1])])
}

fn sum(points: [&[G1Affine]; 2], public: &[Fr]) -> Sums {
    let plain: Vec<Limbs> = public.iter().map(|x| x.into_bigint()).collect();
    points.map(|points| msm(points, &plain))
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
        let (points, kept) = (points(), PublicSums::default());
        let reversed: Vec<G1Affine> = points.iter().rev().copied().collect();
        let mut public = vec![Fr::from(7); INPUTS];
        let mut check = |changes: &[(usize, Fr)]| {
            changes.iter().for_each(|(i, value)| public[*i] = *value);
            let plain =
                |points: &[G1Affine]| points.iter().zip(&public).map(|(point, x)| *point * x).sum::<G1Projective>();
            let sums = kept.compute([&points, &reversed], &public);
            assert_eq!(sums, [plain(&points), plain(&reversed)], "{changes:?}");
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
        let both = [&points[..], &points];
        let right = sum(both, &public);
        let (kept, wrong) = (PublicSums::default(), [right[0] + points[0], right[1]]);
        kept.keep(&public, wrong);
        assert_eq!(kept.compute(both, &public), wrong);
        kept.clear();
        assert_eq!(kept.compute(both, &public), right);
    }
}
