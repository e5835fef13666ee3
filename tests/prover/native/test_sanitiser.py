"""The Rust tests of the crates with `unsafe` code, under the address sanitiser: on both paths, every load and store.

Rust calls the flag unstable, and its stable compiler takes it where `RUSTC_BOOTSTRAP` is set. The sanitiser is for
x86-64 Linux here, where the vector code is.
"""

import os
import platform
import subprocess
from pathlib import Path

import pytest

from zkmargin.prover.paths import BUILD

ROOT = Path(__file__).parents[3]
TARGET = "x86_64-unknown-linux-gnu"
FLAG = "-Zsanitizer=address"
ENVIRONMENT = {**os.environ, "RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": FLAG}
FOLDER = BUILD / "tests/sanitiser"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif((platform.machine(), platform.system()) != ("x86_64", "Linux"), reason="no sanitiser here"),
]

# Eight elements are read where seven are: through a pointer, as the vector code reads.
PAST_THE_END = """
use std::arch::x86_64::*;
fn main() {
    let numbers = vec![1i64; 7 * 4];
    let last = std::hint::black_box(numbers.as_ptr()).wrapping_add(7 * 4 - 2);
    let word = unsafe { _mm256_extract_epi64::<3>(_mm256_loadu_si256(last.cast())) };
    println!("{word}");
}
"""


def run(command: list[str], timeout: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT / "prover/native", env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout
    )


def test_a_vector_load_past_the_end_is_found(tmp_path):
    source = tmp_path / "past.rs"
    source.write_text(PAST_THE_END)
    target = ["--target", TARGET, "-Ctarget-feature=+avx2", "-o", str(tmp_path / "past")]
    built = run(["rustc", FLAG, *target, str(source)], timeout=120)
    assert built.returncode == 0, built.stderr
    found = run([str(tmp_path / "past")], timeout=60)
    assert found.returncode != 0 and "AddressSanitizer: heap-buffer-overflow" in found.stderr, found.stderr


@pytest.mark.property("P-104")
@pytest.mark.parametrize("crate", ["zkmargin-core", "zkmargin-margin"])
def test_the_rust_tests_touch_no_memory_but_their_own(crate):
    command = ["cargo", "test", "--release", "--locked", "--quiet", "--lib", "--package", crate, "--target", TARGET]
    done = run([*command, "--target-dir", str(FOLDER)], timeout=1800)
    assert done.returncode == 0 and "test result: ok" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
