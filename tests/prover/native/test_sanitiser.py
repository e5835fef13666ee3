"""The Rust tests of the crates with `unsafe` code, under the address sanitiser: on both paths, every load and store.

Rust calls the flag unstable, and its stable compiler takes it where `RUSTC_BOOTSTRAP` is set. A target is named, so
that build scripts and macros, which run in the compiler, are not sanitised.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from zkmargin.prover.paths import BUILD

ROOT = Path(__file__).parents[3]
FLAG = "-Zsanitizer=address"
ENVIRONMENT = {**os.environ, "RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": FLAG}
FOLDER = BUILD / "tests/sanitiser"

pytestmark = pytest.mark.slow

# Four words are read where two are left: through a pointer, as the vector code reads.
PAST_THE_END = """
fn main() {
    let numbers = vec![1i64; 7 * 4];
    let last = std::hint::black_box(numbers.as_ptr()).wrapping_add(7 * 4 - 2);
    let words: [i64; 4] = std::hint::black_box(unsafe { last.cast::<[i64; 4]>().read_unaligned() });
    println!("{words:?}");
}
"""


def run(command: list[str], timeout: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT / "prover/native", env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout
    )


@pytest.fixture(scope="module")
def target() -> str:
    """This machine's, as Rust names it."""
    told = run(["rustc", "--version", "--verbose"], timeout=60).stdout
    return re.search(r"^host: (\S+)$", told, re.MULTILINE)[1]


def test_a_load_past_the_end_is_found(target, tmp_path):
    source = tmp_path / "past.rs"
    source.write_text(PAST_THE_END)
    built = run(["rustc", FLAG, "--target", target, "-o", str(tmp_path / "past"), str(source)], timeout=120)
    assert built.returncode == 0, built.stderr
    found = run([str(tmp_path / "past")], timeout=60)
    assert found.returncode != 0 and "AddressSanitizer: heap-buffer-overflow" in found.stderr, found.stderr


@pytest.mark.property("P-104")
@pytest.mark.parametrize("crate", ["zkmargin-core", "zkmargin-margin"])
def test_the_rust_tests_touch_no_memory_but_their_own(crate, target):
    command = ["cargo", "test", "--release", "--locked", "--quiet", "--lib", "--package", crate, "--target", target]
    done = run([*command, "--target-dir", str(FOLDER)], timeout=1800)
    assert done.returncode == 0 and "test result: ok" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
