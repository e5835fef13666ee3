"""The commands of `zkmargin`.

The modules of the commands import only what declares their options; what a command works with, it imports when it runs.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from zkmargin.engine.errors import ZkMarginError
from zkmargin.scripts.cli import (
    account,
    account_actions,
    bench,
    catalogue,
    ceremony,
    console,
    disclose,
    key,
    market,
    relay,
    services,
    simulate,
    trade,
    venue,
    wallet,
)
from zkmargin.scripts.cli.audit import audit
from zkmargin.scripts.cli.backtest import backtest
from zkmargin.scripts.cli.crowding import crowding
from zkmargin.scripts.cli.demo import demo
from zkmargin.scripts.cli.deploy import deploy
from zkmargin.scripts.cli.distance import distance
from zkmargin.scripts.cli.epoch import epoch
from zkmargin.scripts.cli.events import events
from zkmargin.scripts.cli.explain import explain
from zkmargin.scripts.cli.hedge import hedge
from zkmargin.scripts.cli.margin import margin
from zkmargin.scripts.cli.prove import prove, verify
from zkmargin.scripts.cli.publish import publish
from zkmargin.scripts.cli.set_up import setup
from zkmargin.scripts.cli.size import size
from zkmargin.scripts.cli.stress import stress
from zkmargin.scripts.cli.surface import surface
from zkmargin.scripts.cli.whatif import whatif

app = typer.Typer(
    name="zkmargin",
    help="Zero-knowledge portfolio margin: compute it, prove it, settle it on a chain.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: tuple[Callable[..., None], ...] = (
    *(margin, epoch, prove, verify, demo, setup),
    *(
        deploy,
        publish,
        events,
        audit,
        services.publisher,
        services.keeper,
        services.watchtower,
        services.committee,
        services.indexer,
        services.api,
    ),
    *(whatif, size, hedge, explain, distance, backtest, surface, stress, crowding),
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(bench.app, name="bench")
app.add_typer(ceremony.app, name="ceremony")
app.add_typer(wallet.app, name="wallet")
for name, action in account_actions.COMMANDS.items():
    account.app.command(name)(action)
app.add_typer(account.app, name="account")
app.add_typer(trade.app, name="trade")
app.add_typer(disclose.app, name="disclose")
app.add_typer(services.app, name="devnet")
app.add_typer(key.app, name="key")
app.add_typer(catalogue.list_app, name="list")
app.add_typer(catalogue.new_app, name="new")
app.add_typer(market.app, name="market")
app.add_typer(relay.app, name="relay")
app.add_typer(venue.app, name="venue")
app.add_typer(simulate.app, name="simulate")

INTERRUPTED = 130
"""What typer ends with after Ctrl-C."""
FAILED = 1
"""Exit code of a command that could not do what it was asked, or whose answer is no."""


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        print(f"zkmargin {version('zkmargin')}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Zero-knowledge portfolio margin: compute it, prove it, settle it on a chain."""


def run() -> None:
    """Run the command; an error of the project or of a file, a package that is not installed, and a compiler or snarkjs
    that does not end in time, is one line on stderr, with --json also a document on stdout, and exit code 1; passes
    Ctrl-C on."""
    try:
        app(standalone_mode=True)
    except (ZkMarginError, OSError) as error:
        _fail(error, str(error))
    except subprocess.TimeoutExpired as error:
        tool = error.cmd if isinstance(error.cmd, str) else " ".join(map(str, error.cmd[:2]))
        _fail(error, f"{tool} took more than {error.timeout:g} seconds and was ended")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == __name__.split(".")[0]:
            raise  # of the project itself: a fault, not an extra that is left out
        _fail(error, f"needs {error.name}: pip install 'zkmargin[services]'")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            raise KeyboardInterrupt from None
        raise


def _fail(error: Exception, text: str) -> NoReturn:
    console.print_error(type(error).__name__, text)
    if "--json" in sys.argv:
        console.print_json_error(type(error).__name__, text, FAILED)
    sys.exit(FAILED)
