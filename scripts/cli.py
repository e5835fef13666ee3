"""The `zkmargin` command."""

import sys

import typer
from rich.markup import escape

from contracts.errors import ContractsError
from engine.errors import EngineError
from prover.errors import ProverError
from scripts import console
from scripts.commands import account, bench, simulate, venue
from scripts.commands.backtest import backtest
from scripts.commands.demo import demo
from scripts.commands.epoch import epoch
from scripts.commands.explain import explain
from scripts.commands.hedge import hedge
from scripts.commands.margin import margin
from scripts.commands.prove import prove, verify
from scripts.commands.size import size
from scripts.commands.stress import stress
from scripts.commands.surface import surface
from scripts.commands.whatif import whatif

app = typer.Typer(
    name="zkmargin",
    help="Zero-knowledge portfolio margin: compute it, prove it, settle it on a chain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (margin, epoch, prove, verify, demo):
    app.command()(command)
for command in (whatif, size, hedge, explain, backtest, surface, stress):
    app.command()(command)
app.add_typer(bench.app, name="bench")
app.add_typer(account.app, name="account")
app.add_typer(venue.app, name="venue")
app.add_typer(simulate.app, name="simulate")


def main() -> None:
    """Run the command; an error of the project is one line on stderr and exit code 1, Ctrl-C is exit code 130."""
    try:
        app(standalone_mode=True)
    except (EngineError, ProverError, ContractsError) as error:
        console.err.print(f"[bold red]error[/] {type(error).__name__}: {escape(str(error))}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.err.print("interrupted")
        sys.exit(130)


if __name__ == "__main__":
    main()
