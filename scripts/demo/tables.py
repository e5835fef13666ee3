"""The demo's results for a reader: what the chain saw, what was refused, and what each action cost."""

from collections.abc import Iterable
from typing import Any

from rich.console import RenderableType

from zkmargin.scripts.cli.console import make_table
from zkmargin.scripts.measure.comparison import estimate_derive_gas

GAS_TARGETS = {
    "trade": 400_000,
    "attest": 290_000,
    "withdraw": 300_000,
    "claim": 40_000,
    "deposit": 290_000,
    "open": 420_000,
    "fund": 70_000,
}


DEFAULT_CLAIMS = (
    "owner_changed", "sleeper_paid_only_fee", "saved_by_partial", "shortfall_paid_by_surplus",
    "settlement_waits", "paid_at_expiry", "slots_reused", "all_exited_after_wind_down", "index_after_shortfall",
)  # fmt: skip
"""Facts of a report of `demo --default`."""


def render_report(report: dict[str, Any]) -> Iterable[RenderableType]:
    """Tables of a demo report."""
    trade = report["trade"]
    yield make_table("What the chain saw of the private trade", ("field", "value"), list(trade["chain"].items()))
    yield make_table(
        "What the two parties know of it", ("", ""), [(name, _flat(value)) for name, value in trade["parties"].items()]
    )
    yield make_table(
        "Refused",
        ("case", "stage", "reason"),
        [(row["case"], row["stage"], _short(row["reason"])) for row in report["rejected"]],
    )
    yield make_table(
        "Gas of the whole transaction, median",
        ("action", "gas", "target"),
        [
            (name, f"{gas:,}", f"<= {GAS_TARGETS[name]:,}" if name in GAS_TARGETS else "")
            for name, gas in report["gas"].items()
        ],
        right=(1, 2),
    )
    yield make_table(
        "Seconds, median",
        ("step", "s"),
        [(name, f"{value:.3f}") for name, value in sorted(report["seconds"].items())],
        right=(1,),
    )
    options = report["options"]
    yield make_table(
        f"One initial-margin check of the market maker's {options} options",
        ("", "gas", "positions"),
        [
            ("zkmargin, both sides of a trade in one transaction", f"{report['gas']['trade']:,}", "hidden"),
            ("Derive PMRM2 on chain, one side's check alone", f"{estimate_derive_gas(options):,}", "public"),
        ],
        right=(1,),
    )
    margin = report["margin"]
    initial = margin["levels"]["initial"]
    yield (
        f"The market maker holds {report['positions']['market_maker']} positions: equity {margin['equity']:,.0f} USD, "
        f"initial margin {initial['requirement']:,.0f} USD. {report['circuit']}. Accounts rebuilt from events and "
        f"wallets: {report['recovered']}. One proof verified by {', '.join(report['verified_by'])}."
    )


def render_default(report: dict[str, Any]) -> Iterable[RenderableType]:
    """Tables of the report of `demo --default`."""
    yield make_table(
        f"What happened, at {report['market']}",
        ("step", "gas", "s"),
        [(step["name"], f"{step['gas']:,}", f"{step['seconds']:.3f}") for step in report["steps"]],
        right=(1, 2),
    )
    shown = {True: "yes", False: "no", None: "not shown by this demo"}
    yield make_table("Shown", ("claim", ""), [(name, shown[report[name]]) for name in DEFAULT_CLAIMS])


def _flat(value: object) -> str:
    return ", ".join(f"{lots:+,} {name}" for name, lots in value.items()) if isinstance(value, dict) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= 160 else text[:157] + "..."
