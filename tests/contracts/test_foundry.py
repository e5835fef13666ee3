"""What a user of Foundry does with `contracts/`."""

import json
import tomllib

import pytest

from tests.support.forge import CONTRACTS, run_forge
from zkmargin.contracts.compile import SETTINGS, compile_contracts
from zkmargin.prover.paths import BUILD, PACKAGE

PROFILE = tomllib.loads((CONTRACTS / "foundry.toml").read_text())["profile"]["default"]


def test_foundry_has_the_settings_of_the_shipped_bytecode():
    manifest = json.loads((PACKAGE / "package.json").read_text())["dependencies"]
    assert PROFILE["solc_version"] == manifest["solc"]
    assert PROFILE["evm_version"] == SETTINGS["evmVersion"]
    assert PROFILE["via_ir"] is SETTINGS["viaIR"]
    assert {"enabled": PROFILE["optimizer"], "runs": PROFILE["optimizer_runs"]} == SETTINGS["optimizer"]
    metadata = {"bytecodeHash": PROFILE["bytecode_hash"], "appendCBOR": PROFILE["cbor_metadata"]}
    assert metadata == SETTINGS["metadata"]


@pytest.mark.slow
def test_a_plain_forge_build_makes_the_shipped_bytecode():
    done = run_forge("build")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("ClearingHouse", "CollateralVault", "KeyRegistry", "MarginVerifier", "RiskOracle"):
        built = json.loads((BUILD / f"forge/out/{name}.sol/{name}.json").read_text())
        assert built["bytecode"]["object"] == compile_contracts()[name].bytecode, name
