"""The package as somebody else has it: installed in an empty environment, used beside folders of the same names.

`make test` lays the package out as the wheel does, around the native module of the checkout, and gives it the
checkout's circuits, contracts and keys. `make test-full` builds the wheel, Rust included, installs it, and makes its
own. The tools of npm are the checkout's, by a link in the home.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from zkmargin.engine import _native as engine_native
from zkmargin.prover import _native
from zkmargin.prover.paths import BUILD, NODE_MODULES
from zkmargin.prover.statement.signals import STATEMENTS
from zkmargin.scripts.setup import set_up

ROOT = Path(__file__).parents[2]
DATA = {".json", ".circom", ".sol", ".js", ".mjs", ".pyi", ".typed", ".toml"}
"""Suffixes of the files without which some command would not run."""
NATIVE = {"engine": engine_native, "prover": _native}
"""The native module of each folder that has one."""
WHEEL = (pytest.mark.slow, pytest.mark.timeout(2_400))
"""Marks of what builds the wheel's Rust, on a machine that does other work too."""
FOLDERS = ("engine", "prover", "committee", "contracts", "audit", "venue", "scripts", "zkmargin")
BOOK = {
    "format": "zkmargin.portfolio/1",
    "name": "small",
    "cash_usd6": 50_000_000_000,
    "positions": {"BTC-PERPETUAL": 3},
}

HALF = """// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
contract Half {
    function half(uint256 x) external pure returns (uint256) { return Math.ceilDiv(x, 2); }
}
"""
"""A contract of a user that imports a package of the home."""


@dataclass(frozen=True)
class Installation:
    """An environment that has the package and its dependencies, and a project of a user's."""

    python: Path
    package: Path
    """`site-packages/zkmargin`."""
    home: Path
    project: Path
    """Has `contracts/`, `scripts/` and `engine.py` of its own."""

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Python in the user's project, which is first on the path, without the variables of this process."""
        environment = {"PATH": os.environ["PATH"], "ZKMARGIN_HOME": str(self.home), "HOME": str(self.home)}
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=self.project, env=environment, capture_output=True, text=True, timeout=1_200, check=check,
        )  # fmt: skip

    def command(self, *arguments: str) -> dict:
        """What a command of `zkmargin` says in JSON."""
        return json.loads(self.run("-m", "zkmargin.scripts.cli.main", *arguments, "--json").stdout)


def lay_out(sources: Path, target: Path) -> None:
    """The files of the wheel but for the native module, which is the checkout's."""
    build = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(target)]
    subprocess.run(build, cwd=sources, check=True, capture_output=True, timeout=120)
    for name, module in NATIVE.items():
        shutil.copy(module.__file__, target / "zkmargin" / name)


def install_wheel(sources: Path, python: Path) -> None:
    """Builds the wheel and installs it; cargo's folder is kept, so that a second build is quick."""
    environment = os.environ | {"CARGO_TARGET_DIR": str(BUILD / "tests/wheel")}
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
    subprocess.run(wheel, cwd=sources, env=environment, check=True, timeout=1_200)
    (made,) = (sources / "dist").glob("*.whl")
    install = [*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(made)]
    subprocess.run(install, check=True, timeout=120)


@pytest.fixture(scope="module", params=["layout", pytest.param("wheel", marks=WHEEL)])
def installation(request, tmp_path_factory) -> Installation:
    folder = tmp_path_factory.mktemp(request.param)
    sources, project, home = folder / "sources", folder / "project", folder / "home"
    sources.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("target", "*.so", "__pycache__"))
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "package.json"):
        shutil.copy(ROOT / name, sources)
    shutil.copy(ROOT / "package-lock.json", sources)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "environment")], check=True)
    python = folder / "environment/bin/python"
    site = next((folder / "environment/lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    if request.param == "layout":
        lay_out(sources, site)
    else:
        install_wheel(sources, python)
    for name in ("contracts", "scripts"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("raise ImportError('the folder of a user')\n")
    (project / "engine.py").write_text("raise ImportError('the module of a user')\n")
    (project / "book.json").write_text(json.dumps(BOOK))
    home.mkdir()
    (home / "node_modules").symlink_to(NODE_MODULES)
    if request.param == "layout":
        set_up(["mini"])
        for name in ("mini", "contracts"):
            shutil.copytree(BUILD / name, home / "build" / name)
    return Installation(python, site / "zkmargin", home, project)


def list_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_it_installs_one_package_and_all_its_data(installation):
    beside = {path.name for path in installation.package.parent.iterdir() if path.suffix not in (".pth", ".dist-info")}
    assert beside - {"__pycache__"} == {"zkmargin"}
    shipped = list_files(installation.package)
    needed = {"package.json", "package-lock.json"}
    needed |= {f"{name}/{Path(module.__file__).name}" for name, module in NATIVE.items()}
    for name in FOLDERS:
        prefix = "" if name == "zkmargin" else f"{name}/"
        files = (path for path in (ROOT / name).rglob("*") if path.suffix in DATA | {".py"})
        needed |= {prefix + str(path.relative_to(ROOT / name)) for path in files if "native" not in path.parts}
    assert shipped == needed


def test_it_is_used_beside_folders_of_the_same_names(installation):
    found = installation.run("-c", "import zkmargin.engine; print(zkmargin.engine.__file__)").stdout.strip()
    assert Path(found) == installation.package / "engine/__init__.py"
    report = installation.command("margin", "--portfolio", "short_strangle")
    assert report["levels"]["initial"]["requirement"] > report["levels"]["maintenance"]["requirement"] > 0


def test_without_a_set_up_it_names_the_command(installation, tmp_path):
    home = tmp_path / "home"
    code = f"import os; os.environ['ZKMARGIN_HOME'] = {str(home)!r}; from zkmargin.scripts.cli.main import main; main()"
    for arguments, words in (
        (("prove", "--portfolio", "book.json", "--preset", "mini"), "run `zkmargin setup --preset mini`"),
        (("demo", "--preset", "mini"), "run `zkmargin setup --preset mini`"),
    ):
        shown = installation.run("-c", code, *arguments, check=False)
        assert shown.returncode == 1 and words in shown.stderr and "Traceback" not in shown.stderr


@pytest.mark.slow
def test_it_compiles_makes_keys_proves_and_verifies_in_its_home(installation):
    """What is there already is not compiled again: by name and text the sources are those of the checkout."""
    before, build = list_files(installation.package), installation.home / "build"
    given = {path: path.stat().st_mtime_ns for path in [*build.glob("mini/*.r1cs"), *build.glob("contracts/*.json")]}
    installation.run("-m", "zkmargin.scripts.cli.main", "setup", "--preset", "mini")
    assert {"mini/transition.zkey", "mini/open.zkey", "committee.json"} <= list_files(build)
    assert len(list(build.glob("contracts/*.json"))) == len(list_files(build / "contracts")) >= 1
    if given:
        assert {path: path.stat().st_mtime_ns for path in given} == given
        assert len(list(build.glob("contracts/*.json"))) + len(STATEMENTS) == len(given)
    summary = installation.command("prove", "--portfolio", "book.json", "--preset", "mini")
    assert summary["policy"] == "initial" and (installation.project / "proof.json").is_file()
    checked = installation.command("verify", "proof.json")
    assert (checked["valid"], checked["reason"]) == (True, None)
    assert list_files(installation.package) == before


def test_it_compiles_a_contract_with_the_tools_of_its_home(installation):
    (installation.project / "contracts/Half.sol").write_text(HALF)
    code = (
        "from pathlib import Path\n"
        "from zkmargin.contracts import compile as compiler\n"
        "compiler.SOURCES = Path('contracts')\n"
        "print(list(compiler.compile_contracts()))\n"
    )
    assert installation.run("-c", code).stdout.strip() == "['Half']"
    assert (installation.home / "build/solc.js").is_file()
