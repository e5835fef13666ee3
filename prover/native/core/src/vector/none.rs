//! The vector unit of processors for which there is no vector code.

use crate::batch::{Groups, Point, SignedPoints};
use crate::field::Limbs;
use crate::inverse::Invertible;
use crate::transform::Eight;
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

pub trait Coordinate: Invertible {}

impl<F: Invertible> Coordinate for F {}

pub fn sum_groups<F: Field, S: SignedPoints<F> + ?Sized>(
    unit: Ifma,
    _: &S,
    _: &Groups,
) -> Option<Vec<Option<Point<F>>>> {
    match unit {}
}

impl Eight for Ifma {
    type Vector = [Fr; 8];
    const LOSS: u64 = 1;

    fn run<R>(self, _: impl FnOnce() -> R) -> R {
        match self {}
    }
    fn gather(self, _: [&Fr; 8]) -> [Fr; 8] {
        match self {}
    }
    fn splat(self, _: &Fr) -> [Fr; 8] {
        match self {}
    }
    fn sum(self, _: [Fr; 8], _: [Fr; 8]) -> [Fr; 8] {
        match self {}
    }
    fn difference(self, _: [Fr; 8], _: [Fr; 8]) -> [Fr; 8] {
        match self {}
    }
    fn product(self, _: [Fr; 8], _: [Fr; 8]) -> [Fr; 8] {
        match self {}
    }
    fn scaled_difference(self, _: [Fr; 8], _: [Fr; 8], _: [Fr; 8]) -> [Fr; 8] {
        match self {}
    }
    fn transpose(self, _: [[Fr; 8]; 8]) -> [[Fr; 8]; 8] {
        match self {}
    }
    fn quotient(self, _: [Fr; 8], _: [Fr; 8], _: [Fr; 8]) -> [Limbs; 8] {
        match self {}
    }
}
