"""What a start of the command imports: help imports nothing that computes, a command only what it needs."""

import json
import subprocess
import sys

import pytest

HEAVY = ("numpy", "scipy", "arch", "sklearn", "matplotlib", "web3", "eth_account", "py_ecc", "solcx")
"""Not pydantic: typer takes it itself, to read options."""


def find_imported(*arguments: str) -> set[str]:
    """Which of `HEAVY` are loaded after the command has run."""
    code = (
        "import json, sys\n"
        f"sys.argv = ['zkmargin', *{list(arguments)!r}]\n"
        "from zkmargin.scripts.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        f"print('\\n' + json.dumps([name for name in {HEAVY!r} if name in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [("--help",), ("prove", "--help"), ("account", "recover", "--help"), ("bench", "engine", "--help")]
)
def test_help_imports_nothing_that_computes(arguments):
    assert find_imported(*arguments) == set()


def test_margin_imports_no_chain_and_no_proof():
    imported = find_imported("margin", "--portfolio", "short_strangle", "--json")
    assert "numpy" in imported
    assert not imported & {"scipy", "arch", "sklearn", "matplotlib", "web3", "eth_account", "py_ecc", "solcx"}


def test_proving_imports_no_chain():
    """The contracts' bindings are not needed to make or to check a proof."""
    code = "import sys, zkmargin.prover.groth16.keys; print({'web3', 'solcx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "set()"
