//! The vector unit of processors for which there is no vector code.

use crate::batch::{Groups, Point, SignedPoints};
use crate::field::Limbs;
use ark_bn254::Fr;
use ark_ff::Field;

/// Never there.
#[derive(Clone, Copy, Debug)]
pub enum Ifma {}

impl Ifma {
    pub fn detect() -> Option<Self> {
        None
    }
}

pub trait Coordinate: Field {}

impl<F: Field> Coordinate for F {}

pub fn sum_groups<F: Field, S: SignedPoints<F> + ?Sized>(
    unit: Ifma,
    _: &S,
    _: &Groups,
) -> Option<Vec<Option<Point<F>>>> {
    match unit {}
}

pub enum Transform {}

impl Transform {
    pub const LEAST: usize = 64;

    pub fn new(unit: Ifma, _: usize, _: Fr, _: Fr) -> Self {
        match unit {}
    }

    pub fn quotient(&self, _: [&[Fr]; 3]) -> Vec<Limbs> {
        match *self {}
    }
}
