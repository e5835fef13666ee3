//! The vector unit of processors for which there is no vector code.

use crate::batch::{Groups, Point, SignedPoints};
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
