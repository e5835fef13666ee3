"""The contracts as others use them: an npm package and a Foundry dependency."""

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import run_command
from tests.support.forge import find_forge
from zkmargin.contracts.compile import compile_contracts, install_compiler
from zkmargin.contracts.deployment import Deployment
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.package import NAME, collect_abis, write_package
from zkmargin.prover.paths import NODE_MODULES

ADDRESS = "0x" + "00" * 19 + "01"
DEPLOYMENT = Deployment(
    chain_id=31337,
    key_registry=ADDRESS,
    risk_oracle=ADDRESS,
    margin_verifier=ADDRESS,
    collateral_vault=ADDRESS,
    clearing_house=ADDRESS,
    attestation_verifier=ADDRESS,
    cash=ADDRESS,
    weth=ADDRESS,
    weth_slot=12,
    committee="0x" + "11" * 64,
    first_block=0,
)
SECONDS = 300


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package") / "contracts"
    write_package(folder, compile_contracts(), [DEPLOYMENT])
    return folder


def test_the_command_writes_what_npm_packs(package, tmp_path):
    DEPLOYMENT.save(tmp_path / "deployment.json")
    command = ("new", "package", "--deployment", str(tmp_path / "deployment.json"), "--out", str(tmp_path / "made"))
    assert run_command(*command).returncode == 0
    assert "it is a folder" in run_command(*command).stderr
    (tmp_path / "file").write_text("")
    assert "it exists" in run_command(*command[:-1], str(tmp_path / "file")).stderr
    files = sorted(str(path.relative_to(package)) for path in package.rglob("*") if path.is_file())
    assert files == sorted(str(p.relative_to(tmp_path / "made")) for p in (tmp_path / "made").rglob("*") if p.is_file())
    npm = shutil.which("npm")
    assert npm, "npm is a prerequisite"
    done = subprocess.run(
        [npm, "pack", "--dry-run", "--json", "--offline"], cwd=package, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    (packed,) = json.loads(done.stdout)
    assert packed["name"] == NAME
    assert sorted(item["path"] for item in packed["files"]) == files, "everything that was written is packed"


def test_the_constants_are_the_abis(package):
    script = f"import * as abi from {json.dumps(str(package / 'abi/index.js'))}; console.log(JSON.stringify(abi))"
    node = shutil.which("node")
    done = subprocess.run([node, "--input-type=module", "-e", script], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    exported = json.loads(done.stdout)
    assert exported["iAccountViewsAbi"] == compile_contracts()["IAccountViews"].abi
    names = {entry.get("name") for entry in exported["clearingHouseAbi"]}
    assert {"trade", "open", "attestBatch", "freeze", "accountOf"} <= names, "the desks' functions are called at it"
    assert sum(entry["type"] == "constructor" for entry in exported["clearingHouseAbi"]) == 1
    assert not any(name.startswith("test") or name == "accountDeskAbi" for name in exported)
    assert set(exported) == {f"{name[0].lower()}{name[1:]}Abi" for name in collect_abis(compile_contracts())}


def test_addresses_are_there_by_chain(package):
    assert Deployment.load(package / "deployments/31337.json") == DEPLOYMENT
    other = dataclasses.replace(DEPLOYMENT, weth_slot=13)
    with pytest.raises(CallInvalid, match="one deployment for each chain"):
        write_package(package.parent / "again", {}, [DEPLOYMENT, other])
    assert not (package.parent / "again").exists()


def test_an_existing_folder_stays(package):
    before = sorted(package.rglob("*"))
    with pytest.raises(FileExistsError):
        write_package(package, compile_contracts())
    assert sorted(package.rglob("*")) == before
    assert not [path for path in package.parent.iterdir() if path.name.startswith(".")]


CONSUMER = """// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ZkMarginFixture} from "zkmargin/forge/ZkMarginFixture.sol";
import {TestUSDC} from "zkmargin/src/test/TestTokens.sol";
import {IAccountViews} from "zkmargin/src/interfaces/IAccountViews.sol";

contract Mine {
    IAccountViews public immutable VIEWS;

    constructor(IAccountViews views) {
        VIEWS = views;
    }
}
"""


@pytest.mark.slow
def test_foundry_takes_it_as_a_dependency(package, tmp_path):
    modules = tmp_path / "node_modules"
    (modules / NAME).parent.mkdir(parents=True)
    shutil.copytree(package, modules / NAME)
    (modules / "@openzeppelin").symlink_to(NODE_MODULES / "@openzeppelin")
    toml = (package / "README.md").read_text().split("```toml\n")[1].split("```")[0]
    (tmp_path / "foundry.toml").write_text(f"[profile.default]\n{toml}allow_paths = ['{NODE_MODULES}']\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/Mine.sol").write_text(CONSUMER)
    command = [str(find_forge()), "build", "--offline", "--use", str(install_compiler())]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path(tmp_path / "out/Mine.sol/Mine.json").exists()
