"""`zkmargin venue`: margins of published cases under the venues' own rules."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import AsJson

app = typer.Typer(help="Margins under the rules of derivatives venues, for files of published cases.")

Cases = Annotated[Path, typer.Argument(help="A JSON file of cases; docs/venues.md says which formats are read.")]


def _print(manager: str, cases: Path, as_json: bool) -> None:
    from zkmargin.engine.venues.cases import compute_margins

    documents = compute_margins(manager, cases)
    if as_json:
        console.print_json(documents)
        return
    rows = [
        (
            found["id"],
            f"{Decimal(found['MM']):.2f}",
            f"{Decimal(found['IM']):.2f}",
            len(found["scenario_pnl"]),
            "" if found.get("enabled", True) else "off",
        )
        for found in documents
    ]
    columns = ("case", "MM", "IM", "scenarios", "in its source")
    title = f"{manager}: equity minus requirement, US dollars"
    console.out.print(console.make_table(title, columns, rows, right=(1, 2, 3)))


@app.command()
def derive_pmrm2(cases: Cases, as_json: AsJson = False) -> None:
    """Derive's portfolio margin PMRM_2.

    Example: zkmargin venue derive-pmrm2 tests/vectors/venues/derive_pmrm2_portfolios.json --json
    """
    _print("derive-pmrm2", cases, as_json)


@app.command()
def derive_pmrm1(cases: Cases, as_json: AsJson = False) -> None:
    """Derive's first portfolio margin, both formats of files.

    Example: zkmargin venue derive-pmrm1 tests/vectors/venues/derive_pmrm1_precise.json --json
    """
    _print("derive-pmrm1", cases, as_json)


@app.command()
def derive_srm(cases: Cases, as_json: AsJson = False) -> None:
    """Derive's standard manager, both formats of files.

    Example: zkmargin venue derive-srm tests/vectors/venues/derive_srm_cases.json --json
    """
    _print("derive-srm", cases, as_json)
