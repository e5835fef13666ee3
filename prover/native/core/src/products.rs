//! Products of a policy's numbers with private forms, collected into one point for each form.
//!
//! Most private wires of a margin statement are products t = u F, where u is a public input of the policy, the same in
//! every proof of an epoch, and F is a form over the account's wires: one position, the cash, a helper. In a sum over
//! points each of them has a scalar as long as the field. As t P_t = F (u P_t), all products of one form are one point,
//! the sum of u P_t, with the form's value as its scalar. These points depend on public numbers alone.

use crate::batch::{sum_groups, Groups, Point};
use crate::field::{Inverses, Limbs};
use crate::r1cs::{value_of, Form, Matrix, R1cs};
use crate::vector;
use ark_bn254::{g1, Fq, Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, BigInteger, PrimeField, Zero};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Forms whose points one task collects: about as many additions as a range of a sum (`msm`).
const FORMS_PER_TASK: usize = 4;
/// Policies whose points are kept: those of an epoch that an account is proved under.
const POLICIES: usize = 4;

/// wire = factor * (public input) * F.
struct Product {
    wire: u32,
    input: u32,
    factor: Fr,
}

/// The products of a circuit, by their forms.
pub struct Products {
    forms: Vec<(Form, Vec<Product>)>,
    /// The policy's inputs: the wires from here on, to the last public one.
    first: usize,
    last: usize,
}

impl Products {
    /// Those of the public inputs from `first_input` on, counted from 0; none when there is no such input.
    pub fn find(circuit: &R1cs, first_input: Option<usize>) -> Self {
        let last = circuit.n_public();
        let first = first_input.map_or(last, |input| input.min(last)) + 1;
        let (mut forms, mut places, mut taken) = (Vec::<(Form, Vec<Product>)>::new(), HashMap::new(), HashSet::new());
        let mut inverses = Inverses::default();
        let policys = |matrix: &Matrix, i| matrix.only_term(i).filter(|(w, _)| (first..=last).contains(&(*w as usize)));
        for i in 0..circuit.n_constraints {
            let (single, form) = match (policys(&circuit.a, i), policys(&circuit.b, i)) {
                (Some(single), _) => (single, circuit.b.row(i).collect::<Form>()),
                (_, Some(single)) => (single, circuit.a.row(i).collect::<Form>()),
                _ => continue,
            };
            let Some((wire, coefficient)) = circuit.c.only_term(i) else { continue };
            if coefficient.is_zero() || wire as usize <= last || !taken.insert(wire) {
                continue;
            }
            let inverse = inverses.of(coefficient);
            let product = Product { wire, input: single.0, factor: single.1 * inverse };
            let place = *places.entry(form).or_insert_with_key(|form| {
                forms.push((form.clone(), Vec::new()));
                forms.len() - 1
            });
            forms[place].1.push(product);
        }
        Products { forms, first, last }
    }

    /// The wires that are products, in the order in which `collect` takes their points.
    pub fn wires(&self) -> impl Iterator<Item = u32> + '_ {
        self.forms.iter().flat_map(|(_, products)| products).map(|product| product.wire)
    }

    /// The value of each form.
    pub fn values(&self, wires: &[Fr]) -> Vec<Limbs> {
        self.forms.iter().map(|(form, _)| value_of(form, wires).into_bigint()).collect()
    }

    /// The policy's inputs among the wires.
    fn inputs<'a>(&self, wires: &'a [Fr]) -> &'a [Fr] {
        wires.get(self.first..=self.last).unwrap_or_default()
    }

    /// For each form the sum of its products' points, times their inputs.
    fn collect(&self, wires: &[Fr], points: &[G1Affine]) -> Vec<G1Affine> {
        let mut rest = points;
        let forms: Vec<(&[Product], &[G1Affine])> = self
            .forms
            .iter()
            .map(|(_, products)| {
                let (own, others) = rest.split_at(products.len());
                rest = others;
                (&products[..], own)
            })
            .collect();
        let sums: Vec<G1Projective> =
            forms.par_chunks(FORMS_PER_TASK).with_max_len(1).flat_map_iter(|forms| sum_forms(forms, wires)).collect();
        G1Projective::normalize_batch(&sums)
    }
}

/// The sums of a few forms, bit by bit: the points that count at a bit are added in a batch, with those of all bits.
fn sum_forms(forms: &[(&[Product], &[G1Affine])], wires: &[Fr]) -> Vec<G1Projective> {
    let points: Vec<G1Affine> = forms.iter().flat_map(|(_, points)| *points).copied().collect();
    let mut first = 0;
    let digits: Vec<Vec<(u32, Digits)>> = forms
        .iter()
        .map(|(products, points)| {
            let own = products.iter().zip(*points).zip(first..).filter(|((_, point), _)| !point.is_zero());
            let own = own
                .map(|((product, _), index)| (2 * index, Digits::new(wires[product.input as usize] * product.factor)));
            let own = own.collect();
            first += points.len() as u32;
            own
        })
        .collect();
    let bits = Fr::MODULUS_BIT_SIZE as usize + 1;
    let groups = Groups::new(digits.iter().flat_map(|own| {
        (0..bits).map(move |bit| own.iter().filter_map(move |(place, digits)| Some(place + digits.sign(bit)?)))
    }));
    let sums = sum_groups::<g1::Config>(vector::unit(), &points[..], groups);
    let horner = |bits: &[Option<Point<Fq>>]| {
        bits.iter().rev().fold(G1Projective::zero(), |mut total, sum| {
            total.double_in_place();
            match sum {
                Some(point) => total + G1Affine::new_unchecked(point.x, point.y),
                None => total,
            }
        })
    };
    sums.chunks(bits).map(horner).collect()
}

/// A scalar as a sum of signed powers of two, no two of them neighbours: the digits of 3 n less n, halved.
struct Digits {
    plus: Limbs,
    minus: Limbs,
}

impl Digits {
    fn new(scalar: Fr) -> Self {
        let mut once = scalar.into_bigint();
        let is_negative = once > Fr::MODULUS_MINUS_ONE_DIV_TWO;
        if is_negative {
            once = (-scalar).into_bigint();
        }
        let mut thrice = once;
        thrice.add_with_carry(&once); // below 3 p / 2 < 2^255
        thrice.add_with_carry(&once);
        let (plus, minus) = ((thrice & !once) >> 1, (once & !thrice) >> 1);
        if is_negative {
            Digits { plus: minus, minus: plus }
        } else {
            Digits { plus, minus }
        }
    }

    /// 0 for a digit of 1, 1 for a digit of -1.
    #[inline]
    fn sign(&self, bit: usize) -> Option<u32> {
        match (self.plus.get_bit(bit), self.minus.get_bit(bit)) {
            (true, _) => Some(0),
            (_, true) => Some(1),
            _ => None,
        }
    }
}

/// The last policies with their collected points, which a policy has from its second proof on.
#[derive(Default)]
pub struct Policies {
    known: Mutex<VecDeque<Arc<Policy>>>,
}

struct Policy {
    inputs: Vec<Fr>,
    points: OnceLock<Vec<G1Affine>>,
}

impl Policies {
    /// The collected points of the policy among the public wires, `points` being those of the products; none in the
    /// first proof of a policy. Its inputs themselves are compared, all of them.
    pub fn collect(&self, products: &Products, wires: &[Fr], points: &[G1Affine]) -> Option<Collected> {
        if products.forms.is_empty() {
            return None;
        }
        let policy = self.take_note(products.inputs(wires))?;
        policy.points.get_or_init(|| products.collect(wires, points));
        Some(Collected(policy))
    }

    /// The policy of these inputs, first from now on; none when it was not known.
    fn take_note(&self, inputs: &[Fr]) -> Option<Arc<Policy>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().position(|policy| policy.inputs == inputs).and_then(|place| known.remove(place));
        let new = || Arc::new(Policy { inputs: inputs.to_vec(), points: OnceLock::new() });
        known.push_front(found.clone().unwrap_or_else(new));
        known.truncate(POLICIES);
        found
    }

    /// Forgets all policies.
    pub fn clear(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Keeps points that were not collected.
    #[cfg(test)]
    pub fn keep(&self, products: &Products, wires: &[Fr], points: Vec<G1Affine>) {
        let policy = Policy { inputs: products.inputs(wires).to_vec(), points: points.into() };
        self.known.lock().unwrap().push_front(Arc::new(policy));
    }
}

/// The points of a known policy.
pub struct Collected(Arc<Policy>);

impl Collected {
    pub fn points(&self) -> &[G1Affine] {
        self.0.points.get().map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{form, seeded, Circuit};
    use ark_ff::{Field, One, UniformRand};

    /// Public u, v, w; private x, y; t1 = u (x + 2 y), t2 = (x + 2 y) v / 3, t3 = w x, t4 = t1 x.
    fn circuit() -> R1cs {
        let rows = vec![
            [form(&[(1, 1)]), form(&[(4, 1), (5, 2)]), form(&[(6, 1)])],
            [form(&[(4, 1), (5, 2)]), form(&[(2, 1)]), form(&[(7, 3)])],
            [form(&[(3, -1)]), form(&[(4, 1)]), form(&[(8, -1)])],
            [form(&[(6, 1)]), form(&[(4, 1)]), form(&[(9, 1)])],
            // no new products: t1 again, a sum, a wire that is public
            [form(&[(1, 1)]), form(&[(5, 1)]), form(&[(6, 1)])],
            [form(&[(1, 1)]), form(&[(5, 1)]), form(&[(8, 1), (9, 1)])],
            [form(&[(1, 1)]), form(&[(5, 1)]), form(&[(2, 1)])],
        ];
        let circuit =
            Circuit { n_wires: 10, n_outputs: 0, n_public_inputs: 3, n_private_inputs: 2, rows, names: Vec::new() };
        R1cs::parse(&circuit.r1cs()).unwrap()
    }

    fn wires(u: Fr, v: Fr, w: Fr) -> Vec<Fr> {
        let (x, y, third) = (Fr::from(-5), Fr::from(1 << 30), Fr::from(3).inverse().unwrap());
        let both = x + y + y;
        vec![Fr::one(), u, v, w, x, y, u * both, v * both * third, w * x, u * both * x]
    }

    #[test]
    fn products_are_found_by_their_forms() {
        let circuit = circuit();
        let products = Products::find(&circuit, Some(0));
        assert_eq!(products.forms.iter().map(|(form, _)| form.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(products.wires().collect::<Vec<_>>(), [6, 7, 8]);
        let wires = wires(Fr::from(7), Fr::from(9), -Fr::one());
        for (form, products) in &products.forms {
            for product in products {
                let value = product.factor * wires[product.input as usize] * value_of(form, &wires);
                assert_eq!(value, wires[product.wire as usize]);
            }
        }
        assert_eq!(Products::find(&circuit, Some(2)).wires().collect::<Vec<_>>(), [8]);
        for none in [None, Some(3), Some(usize::MAX)] {
            assert_eq!(Products::find(&circuit, none).wires().count(), 0);
        }
    }

    /// Sums by collected points are the plain ones, whatever the policy's numbers: zeros, ends of the field, lanes.
    #[test]
    fn collected_points_give_the_plain_sum() {
        let circuit = circuit();
        let products = Products::find(&circuit, Some(0));
        let mut rng = seeded();
        let mut points: Vec<G1Affine> = (0..3).map(|_| (G1Affine::generator() * Fr::rand(&mut rng)).into()).collect();
        let lanes = Fr::from(3) - Fr::from(2).pow([84]) * Fr::from(5) + Fr::from(2).pow([168]) * Fr::from(7);
        let numbers =
            [Fr::zero(), Fr::one(), -Fr::one(), lanes, -lanes, Fr::rand(&mut rng), -Fr::from(2).inverse().unwrap()];
        for special in [None, Some(G1Affine::zero()), Some(points[1]), Some(-points[1])] {
            points[0] = special.unwrap_or(points[0]);
            for (i, u) in numbers.iter().enumerate() {
                let wires = wires(*u, numbers[(i + 1) % numbers.len()], numbers[(i + 3) % numbers.len()]);
                let collected = products.collect(&wires, &points);
                let values = products.values(&wires);
                let sum: G1Projective =
                    collected.iter().zip(values).map(|(point, value)| point.mul_bigint(value)).sum();
                let plain: G1Projective =
                    products.wires().zip(&points).map(|(wire, point)| *point * wires[wire as usize]).sum();
                assert_eq!(sum, plain, "{i} {special:?}");
            }
        }
    }

    #[test]
    fn a_policy_is_known_from_its_second_proof_on() {
        let products = Products::find(&circuit(), Some(1));
        let (policies, points) = (Policies::default(), vec![G1Affine::generator(); 2]);
        let collect =
            |u: i64, v: i64| policies.collect(&products, &wires(Fr::from(u), Fr::from(v), Fr::one()), &points);
        assert!(collect(1, 1).is_none());
        let first = collect(1, 1).unwrap().points().to_vec();
        // u is no input of the policy here
        assert_eq!(collect(2, 1).unwrap().points(), first);
        assert!(collect(2, 2).is_none());
        assert_ne!(collect(2, 2).unwrap().points(), first);
        (3..1 + POLICIES as i64).for_each(|v| assert!(collect(1, v).is_none()));
        assert!(collect(1, 1).is_some());
        assert!(
            collect(1, 9).is_none() && collect(1, 2).is_none(),
            "the one that was not used for longest is forgotten"
        );
        assert!(Policies::default()
            .collect(&Products::find(&circuit(), None), &wires(Fr::one(), Fr::one(), Fr::one()), &[])
            .is_none());
    }

    #[test]
    fn digits_are_the_scalar() {
        let mut rng = seeded();
        let half = Fr::from(Fr::MODULUS_MINUS_ONE_DIV_TWO);
        for scalar in [Fr::zero(), Fr::one(), -Fr::one(), half, half + Fr::one(), Fr::rand(&mut rng)] {
            let digits = Digits::new(scalar);
            let signs: Vec<_> = (0..255).map(|bit| digits.sign(bit)).collect();
            let value = signs.iter().rev().fold(Fr::zero(), |total, sign| {
                total.double() + sign.map_or(Fr::zero(), |sign| if sign == 0 { Fr::one() } else { -Fr::one() })
            });
            assert_eq!(value, scalar);
            assert!(signs.windows(2).all(|pair| pair[0].is_none() || pair[1].is_none()));
        }
    }
}
