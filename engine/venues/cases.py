"""From a file of cases to the margins of each, by manager: what `zkmargin venue` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import localcontext
from pathlib import Path
from typing import Any, Protocol

from zkmargin.engine.files import parse_json, read_model, read_text
from zkmargin.engine.venues.decimals import CONTEXT, render
from zkmargin.engine.venues.derive import pmrm1 as derive_pmrm1
from zkmargin.engine.venues.derive import pmrm2 as derive_pmrm2
from zkmargin.engine.venues.derive import srm as derive_srm
from zkmargin.engine.venues.derive.pmrm1_cases import NamedFile as NamedPmrm1File
from zkmargin.engine.venues.derive.pmrm1_cases import PreciseFile
from zkmargin.engine.venues.derive.pmrm2_cases import Pmrm2File
from zkmargin.engine.venues.derive.srm_cases import ExactFile
from zkmargin.engine.venues.derive.srm_cases import NamedFile as NamedSrmFile
from zkmargin.engine.venues.evaluation import compute_venue_margin
from zkmargin.engine.venues.interface import Margin, VenueModel

Cases = Iterator[tuple[str, bool, VenueModel]]
"""Identifier of a case, whether its source runs it, and its model."""


class _Case(Protocol):
    """What every format says of a case."""

    id: str
    enabled_upstream: bool


def _is_named(text: str) -> bool:
    """Whether a file has one default market for all its cases; text that is no object is left to `read_model`."""
    try:
        document = parse_json(text)
    except ValueError:
        return False
    return isinstance(document, Mapping) and "market_default" in document


def read_pmrm2(text: str, source: object) -> Cases:
    """Cases of PMRM_2, each with its market, parameters and scenarios."""
    for case in read_model(Pmrm2File, text, source).cases:
        yield case.id, case.enabled_upstream, derive_pmrm2.DerivePmrm2(case)


def read_pmrm1(text: str, source: object) -> Cases:
    """Cases of PMRM v1 in either of its formats; `market_default` is what tells them apart."""
    if _is_named(text):
        named = read_model(NamedPmrm1File, text, source)
        accounts: Iterator[tuple[_Case, derive_pmrm1.Account]] = (
            (case, derive_pmrm1.build_named(case, named.market_default)) for case in named.cases
        )
        parameters, scenarios = named.params, named.scenarios
    else:
        precise = read_model(PreciseFile, text, source)
        accounts = ((case, derive_pmrm1.build_precise(case)) for case in precise.cases)
        parameters, scenarios = precise.params, precise.scenarios
    for case, account in accounts:
        yield case.id, case.enabled_upstream, derive_pmrm1.DerivePmrm1(account, parameters, scenarios)


def read_srm(text: str, source: object) -> Cases:
    """Cases of the standard manager in either of its formats; `market_default` is what tells them apart."""
    if _is_named(text):
        named = read_model(NamedSrmFile, text, source)
        accounts: Iterator[tuple[_Case, derive_srm.Account]] = (
            (case, derive_srm.build_named(case, named.market_default)) for case in named.cases
        )
        parameters = named.params
    else:
        exact = read_model(ExactFile, text, source)
        accounts = ((case, derive_srm.build_exact(case)) for case in exact.cases)
        parameters = exact.params
    for case, account in accounts:
        yield case.id, case.enabled_upstream, derive_srm.DeriveSrm(account, parameters)


READERS = {"derive-pmrm2": read_pmrm2, "derive-pmrm1": read_pmrm1, "derive-srm": read_srm}
"""Reader of each manager's files, by the name of its command."""


def build_document(identifier: str, enabled: bool, margin: Margin) -> dict[str, object]:
    """One case as it is printed."""
    document: dict[str, object] = {
        "id": identifier,
        "MM": render(margin.maintenance),
        "IM": render(margin.initial),
        "scenario_pnl": [render(amount) for amount in margin.scenario_pnl],
    }
    return document if enabled else document | {"enabled": False}


def compute_margins(manager: str, path: Path) -> list[dict[str, Any]]:
    """Margins of every case of a file in its order, as the documents that the command prints.

    MM and IM are equity minus requirement in US dollars; a case that its source has switched off is computed as well
    and carries "enabled": false.

    Raises
    ------
    MalformedFile
        If the file has an unknown, missing or repeated key, or a value out of its range; carries place and value.
    OutOfRange, UnknownName
        If a case names an expiry before now, or an expiry or underlying that its market does not have.
    """
    with localcontext(CONTEXT):
        return [
            build_document(identifier, enabled, compute_venue_margin(model))
            for identifier, enabled, model in READERS[manager](read_text(path), path)
        ]
