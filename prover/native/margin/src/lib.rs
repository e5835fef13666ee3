//! The margin of many accounts by one policy, account by account, without an array of all their losses.
//!
//! The second implementation of `zkmargin.engine.policy.batch.model`, whose formulas and names it has; the tests hold
//! the two together. A tile of accounts is multiplied by the policy's rows, and worst cases, transfer and tail follow
//! while the tile's losses are in the cache. Numbers are integers in doubles: sums are exact while below 2^53, so their
//! order, and whether a product is rounded before it is added, change nothing.

mod eight;
mod minima;
mod model;
mod product;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use eight::Path;
pub use model::{Fields, Group, Limit, Lot, Model, Part, Refused, FIELDS};
