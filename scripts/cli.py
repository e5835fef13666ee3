"""The `zkmargin` command."""

import sys

import typer

from engine.errors import EngineError
from scripts import console
from scripts.commands.margin import margin

app = typer.Typer(
    name="zkmargin",
    help="Zero-knowledge portfolio margin: compute it, prove it, settle it on a chain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(margin)


def main() -> None:
    """Run the command; an error of the project is one line on stderr and exit code 1, Ctrl-C is exit code 130."""
    try:
        app()
    except EngineError as error:
        console.err.print(f"[bold red]error[/] {type(error).__name__}: {error}", highlight=False, markup=True)
        sys.exit(1)
    except KeyboardInterrupt:
        console.err.print("interrupted")
        sys.exit(130)


if __name__ == "__main__":
    main()
