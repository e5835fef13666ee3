"""Where things lie: sources travel with the package, and everything that is built or installed goes to one home.

In a checkout the home is the repository's top. An installed package writes nothing beside its own code: its home is a
folder of the user. `ZKMARGIN_HOME` names another home in both cases. `zkmargin setup` fills it::

    node_modules/   circom, solc, snarkjs, Anvil and the libraries of the sources, by npm
    build/          compiled circuits and contracts, development keys
"""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
"""Holds engine, prover, contracts and scripts: the repository's top in a checkout, else `site-packages/zkmargin`."""
IS_CHECKOUT = (PACKAGE / "pyproject.toml").is_file()
"""A wheel carries no pyproject.toml."""


def find_home() -> Path:
    """`ZKMARGIN_HOME`; else the top of the checkout; else the user's folder for data (`XDG_DATA_HOME`)."""
    if named := os.environ.get("ZKMARGIN_HOME"):
        return Path(os.path.abspath(named))
    if IS_CHECKOUT:
        return PACKAGE
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "zkmargin"


HOME = find_home()
BUILD = HOME / "build"
NODE_MODULES = HOME / "node_modules"
CIRCUITS = PACKAGE / "prover/circuits"


def describe_setup(preset: str | None = None) -> str:
    """The command that makes what is missing, for the text of an error."""
    return "run `zkmargin setup" + (f" --preset {preset}`" if preset else "`")
