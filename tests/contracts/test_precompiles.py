"""The verifier where precompiles are missing, or answer with another size: it refuses, whatever lies in memory.

A development node does not let a precompile be replaced, so the verifier is compiled once more with other addresses,
where stand-ins pass on to the precompile or answer as a test says. They are given all gas: code costs more than a
precompile.
"""

import re

import pytest

from tests.contracts.test_verifier import Direct, refused
from tests.support.world import tamper
from zkmargin.contracts.compile import compile_sources, read_sources
from zkmargin.contracts.contract import Contract

VERIFIER, LIBRARY = "MarginVerifier.sol", "libraries/Bn254.sol"
CAPS = {0x06: "ADD_GAS", 0x07: "MULTIPLY_GAS", 0x08: "allowed"}
"""What each precompile is given, as the library writes it."""
ADD, MULTIPLY, PAIR = 0x06, 0x07, 0x08
STAND_INS = {precompile: "0x" + f"5afe{precompile:02x}".rjust(40, "0") for precompile in (ADD, MULTIPLY, PAIR)}
CLEARED = "mstore(0, 0)"
UNSIZED = f"staticcall(gas(), {STAND_INS[PAIR]}, input, mul(pairs, 0xc0), 0, 0x20)"
SIZED = f"and(eq(returndatasize(), 0x20), {UNSIZED})"


def pass_on(precompile: int) -> str:
    """Code that asks the precompile and gives its answer, or reverts where it refuses."""
    return f"0x365f5f375f5f365f60{precompile:02x}5afa3d5f5f3e6016575f5ffd5b3d5ff3"


def answer(size: int) -> str:
    """Code that answers anything with that many bytes, a one in the first word."""
    return f"0x60015f5260{size:02x}5ff3"


def redirect() -> dict[str, str]:
    """The sources with the stand-ins in the place of the precompiles."""
    sources = read_sources()
    for precompile, place in STAND_INS.items():
        sources = change(sources, f"({CAPS[precompile]}, 0x{precompile:02x},", f"(gas(), {place},")
    return sources


def change(sources: dict[str, str], old: str, new: str) -> dict[str, str]:
    """The sources with the library changed."""
    assert sources[LIBRARY].count(old) > 0, f"{LIBRARY} is not as this test expects it: {old}"
    return {**sources, LIBRARY: sources[LIBRARY].replace(old, new)}


def drop_size_check(sources: dict[str, str]) -> dict[str, str]:
    return change(sources, SIZED, UNSIZED)


def deploy(world, sources: dict[str, str]) -> Direct:
    artifact = compile_sources(sources, (VERIFIER,))["MarginVerifier"]
    made = Direct(world)
    made.verifier = Contract(world.chain, artifact, world.chain.send(None, artifact.bytecode).contract_address)
    return made


@pytest.fixture
def redirected(world):
    """The chain, with stand-ins that pass on to the precompiles; other answers are put by `answers`."""
    for precompile, place in STAND_INS.items():
        world.chain._request("anvil_setCode", place, pass_on(precompile))
    return world


def put(world, precompile: int, code: str) -> None:
    world.chain._request("anvil_setCode", STAND_INS[precompile], code)


def run(direct: Direct, sides: int, bad: bool = False) -> None:
    """Checks one proof, or two; a bad one differs in C, so that only the equation can refuse it."""
    (plus, minus), proofs = direct.trade()
    if bad:
        proofs[0] = tamper(proofs[0])
    if sides == 2:
        direct.verify_two(plus, minus, proofs)
    else:
        direct.verify(plus, proofs[0])


@pytest.mark.parametrize("sides", [1, 2])
def test_stand_ins_that_pass_on_change_nothing(redirected, sides):
    direct = deploy(redirected, redirect())
    run(direct, sides)
    refused("ProofRejected", run, direct, sides, bad=True)


@pytest.mark.parametrize("sides", [1, 2])
def test_the_stand_in_decides(redirected, sides):
    """Control: an answer of the right size that says one is believed, even of a bad proof."""
    direct = deploy(redirected, redirect())
    put(redirected, PAIR, answer(32))
    run(direct, sides, bad=True)


@pytest.mark.property("P-81")
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("code", ["0x", answer(31), answer(64)], ids=["absent", "short", "long"])
def test_a_pairing_that_answers_with_another_size_is_no_answer(redirected, sides, code):
    direct = deploy(redirected, redirect())
    put(redirected, PAIR, code)
    refused("ProofMalformed", run, direct, sides)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("precompile", [ADD, MULTIPLY])
@pytest.mark.parametrize("code", ["0x", answer(32)], ids=["absent", "short"])
def test_a_sum_or_product_of_another_size_is_no_answer(redirected, sides, precompile, code):
    direct = deploy(redirected, redirect())
    put(redirected, precompile, code)
    refused("PointRefused", run, direct, sides)


@pytest.mark.property("P-81")
@pytest.mark.parametrize("sides", [1, 2])
def test_what_lay_in_the_scratch_word_is_no_answer(redirected, sides):
    """Even without the check of the size: the word is cleared, so a one that lay there before is not taken for one."""
    dirty = change(drop_size_check(redirect()), CLEARED, f"mstore(0, 1)\n{CLEARED}")
    put(redirected, PAIR, "0x")
    refused("ProofRejected", run, deploy(redirected, dirty), sides)
    run(deploy(redirected, change(dirty, CLEARED, "")), sides, bad=True)  # what the clearing prevents


def test_every_call_of_a_precompile_has_its_answers_size_and_a_bound_on_its_gas():
    sources = read_sources()
    text = sources[VERIFIER] + sources[LIBRARY]
    bound = "|".join(CAPS.values())
    calls = re.findall(rf"and\(eq\(returndatasize\(\), 0x\d0\), staticcall\((?:{bound}), 0x0\d,", text)
    assert len(calls) == len(re.findall(r"staticcall\(", text)) == 5
