//! The fields of a `BatchModel`, by their names in Python.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use std::ops::Range;
use zkmargin_margin::{Fields, Group, Limit, Part, Refused};

/// A slice without a step.
#[derive(FromPyObject)]
struct Span {
    start: usize,
    stop: usize,
}

/// An array of doubles, row-major.
struct Doubles(Vec<f64>);

#[derive(FromPyObject)]
struct PartFields {
    slots: Span,
    rows: Span,
    matrix: Doubles,
}

#[derive(FromPyObject)]
struct GroupFields {
    rows: Vec<Span>,
    slopes: Doubles,
    shift: Doubles,
    is_floored: bool,
}

/// What `MarginModel` reads of a `BatchModel`.
#[derive(FromPyObject)]
pub struct ModelFields {
    slots: usize,
    size: usize,
    parts: Vec<PartFields>,
    constants: Doubles,
    absolute: Doubles,
    signed: Span,
    equity: usize,
    charges: Doubles,
    groups: Vec<GroupFields>,
    factors: Doubles,
    transfer_charge: f64,
    buffers: Vec<GroupFields>,
    scenarios: Span,
    weights: Doubles,
    tail_weight: f64,
    tail_divisor: f64,
    tail_shift: Doubles,
    limits: Vec<(usize, f64, Doubles)>,
}

impl<'a, 'py> FromPyObject<'a, 'py> for Doubles {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        // a copy of numpy's is aligned, which an array that came over a network need not be
        let copy = object.call_method0("copy")?;
        Ok(Doubles(PyBuffer::<f64>::get(&copy)?.to_vec(object.py())?))
    }
}

impl Doubles {
    /// What K_1 and K_2 add.
    fn pair(self) -> Result<[f64; 2], Refused> {
        self.0.try_into().map_err(|other: Vec<f64>| format!("a charge has {} numbers, allowed is 2", other.len()))
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.stop
    }
}

impl From<PartFields> for Part {
    fn from(part: PartFields) -> Self {
        Part { slots: part.slots.into(), rows: part.rows.into(), matrix: part.matrix.0 }
    }
}

impl TryFrom<GroupFields> for Group {
    type Error = Refused;

    fn try_from(group: GroupFields) -> Result<Self, Refused> {
        Ok(Group {
            rows: group.rows.into_iter().map(Into::into).collect(),
            slopes: group.slopes.0,
            shift: group.shift.pair()?,
            is_floored: group.is_floored,
        })
    }
}

impl TryFrom<ModelFields> for Fields {
    type Error = Refused;

    fn try_from(model: ModelFields) -> Result<Self, Refused> {
        let groups = |own: Vec<GroupFields>| own.into_iter().map(Group::try_from).collect::<Result<Vec<_>, Refused>>();
        let limit = |(row, counts_cash, taken): (usize, f64, Doubles)| -> Result<Limit, Refused> {
            Ok(Limit { row, counts_cash, taken: taken.pair()? })
        };
        Ok(Fields {
            slots: model.slots,
            size: model.size,
            parts: model.parts.into_iter().map(Into::into).collect(),
            constants: model.constants.0,
            absolute: model.absolute.0,
            signed: model.signed.start,
            equity: model.equity,
            charges: model.charges.pair()?,
            groups: groups(model.groups)?,
            factors: model.factors.0,
            transfer_charge: model.transfer_charge,
            buffers: groups(model.buffers)?,
            scenarios: model.scenarios.into(),
            weights: model.weights.0,
            tail_weight: model.tail_weight,
            tail_divisor: model.tail_divisor,
            tail_shift: model.tail_shift.pair()?,
            limits: model.limits.into_iter().map(limit).collect::<Result<_, _>>()?,
        })
    }
}
