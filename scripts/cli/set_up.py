"""`zkmargin setup`: tools, compiled circuits and contracts, development keys."""

import time
from typing import Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import PresetName


def setup(
    preset: Annotated[list[PresetName] | None, typer.Option(help="May be repeated. Default: standard.")] = None,
    tools: Annotated[bool, typer.Option("--tools", help="Only install npm's packages.")] = False,
) -> None:
    """Install npm's packages, compile circuits and contracts, make development keys; what is there already stays.

    In a checkout they go to node_modules/ and build/, else to a folder of the user. ZKMARGIN_HOME names another.

    Example: zkmargin setup --preset mini
    """
    from zkmargin.prover.paths import HOME
    from zkmargin.scripts.setup import install_tools, set_up

    start = time.perf_counter()
    install_tools()
    names = [] if tools else [str(name) for name in preset or [PresetName.STANDARD]]
    if names:
        set_up(names)
    ready = f"keys for {', '.join(names)}" if names else "npm's packages"
    console.err.print(f"{ready} ready in {HOME} ({time.perf_counter() - start:.1f} s)")
