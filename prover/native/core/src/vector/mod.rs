//! Eight field elements at a time, on processors with AVX-512 IFMA; everywhere else the scalar code does the work.
//!
//! The choice is made once per process. `ZKMARGIN_NATIVE=scalar` in the environment takes the scalar code on any
//! processor.

#[cfg(target_arch = "x86_64")]
mod ifma;
#[cfg(target_arch = "x86_64")]
mod scalar_field;
#[cfg(target_arch = "x86_64")]
mod sums;

#[cfg(target_arch = "x86_64")]
pub use ifma::Ifma;
#[cfg(target_arch = "x86_64")]
pub use sums::{sum_groups, Coordinate};

#[cfg(not(target_arch = "x86_64"))]
mod none;
#[cfg(not(target_arch = "x86_64"))]
pub use none::{sum_groups, Coordinate, Ifma};

use std::sync::OnceLock;

/// The environment variable that forces the scalar code.
pub const SWITCH: &str = "ZKMARGIN_NATIVE";

/// The vector unit, unless the processor has none or the switch says `scalar`.
pub fn unit() -> Option<Ifma> {
    static UNIT: OnceLock<Option<Ifma>> = OnceLock::new();
    *UNIT.get_or_init(|| if is_scalar_forced() { None } else { Ifma::detect() })
}

/// The value of the switch when it is one that nothing here understands.
pub fn unknown_switch() -> Option<String> {
    let value = std::env::var_os(SWITCH)?;
    (!value.is_empty() && !is_scalar_forced()).then(|| value.to_string_lossy().into())
}

fn is_scalar_forced() -> bool {
    std::env::var_os(SWITCH).is_some_and(|value| value == "scalar")
}
