"""Options that several commands have, each declared once. Closed sets are enumerations: another value is refused.

Declared here so that `--help` imports nothing of the engine; a test holds names and defaults to the engine's.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class PresetName(StrEnum):
    """Sizes of the statement (`engine.presets.PRESETS`)."""

    MINI = "mini"
    STANDARD = "standard"
    WIDE = "wide"
    XL = "xl"


class PolicyName(StrEnum):
    """Policies of an epoch (`engine.margin.house.NAMES`)."""

    INITIAL = "initial"
    MAINTENANCE = "maintenance"
    WITHDRAW = "withdraw"
    NET_DELTA = "net_delta"


class Level(StrEnum):
    """Levels of the margin requirement (`engine.margin.parameters.LEVELS`)."""

    INITIAL = "initial"
    MAINTENANCE = "maintenance"


DEFAULT_MARKET = "deribit_2026-08-22"

Market = Annotated[str, typer.Option(help="A shipped market's name, or the path of a JSON file.")]
Portfolio = Annotated[str, typer.Option(help="A shipped portfolio's name, or the path of a JSON file.")]
MarketPreset = Annotated[
    PresetName | None,
    typer.Option(help="Size of the statement: by default the market's own; mini takes its reduced listing."),
]
Prices = Annotated[
    list[str], typer.Option(help="NAME:USD, US dollars per coin, instead of the mark; repeat or use commas.")
]
NO_PRICES: list[str] = []
"""Every order at its mark; never changed."""
DeploymentFile = Annotated[
    Path,
    typer.Option(envvar="ZKMARGIN_DEPLOYMENT", help="Addresses of a deployment, as `zkmargin deploy` writes them."),
]
RpcUrl = Annotated[str, typer.Option(envvar="ZKMARGIN_RPC_URL", help="URL of the chain's node.")]
Collateral = Annotated[
    list[str], typer.Option(help="NAME:LOTS of a collateral instrument, such as WETH-SPOT:100; repeat or use commas.")
]
Cash = Annotated[str, typer.Option(help="US dollars, such as 1500.25; at most six decimals.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
