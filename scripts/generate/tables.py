"""Tables and sentences of the documents that repeat figures of the ledgers in `costs/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zkmargin.engine.presets import PRESETS, get_preset
from zkmargin.scripts.generate.blocks import Row, render_paragraph, render_rows

MARKET_GROUPS = {"1.5 to 2 days to the first expiry": (0.0, 2.0), "2 to 2.5 days": (2.0, 2.5)}
"""Days to the first expiry, the upper end included."""
CASCADES = {
    "october": "october, calibrated",
    "crowded": "crowded, smaller shock",
    "positioned": "positioned before it applied",
    "outside": "four of five outside",
    "whales": "whales",
    "split": "whales, split fifty-fold",
    "calm": "calm",
}
"""Scenarios of the simulation and what they are called in the document."""
HABITS = {
    "usual": "usual: margin is added when short, profits leave",
    "maintenance": "usual, maintenance alone is attested",
    "weekly": "so, with round flows once a week",
    "wide": "six times the requirement or more, no withdrawals",
}
"""How owners act in the experiment on privacy, and what the document calls it."""
STATEMENT_KINDS = ("base", "calldata", "pairing", "curve", "signatures")
"""Kinds of gas that cannot be less with the statement as it is."""
BATCHED = ("attest", "trade")
"""What batches carry."""


# ------------------------------------------------------------------------------------------------- docs/assurance.md
def render_presets(ledgers: Mapping[str, Any]) -> str:
    """Time and memory of compiling and setting up each preset, and the size of its proving key."""
    rows = [("preset", "compile", "peak", "development set-up", "peak", "proving key")]
    for name in PRESETS:
        found = ledgers["prover"]["scaling"][name]
        rows.append(
            (
                f"`{name}`",
                f"{found['compile_s']:.0f} s",
                f"{found['compile_peak_mb']} MB",
                f"{found['set_up_s']:.1f} s",
                f"{found['set_up_peak_mb']} MB",
                f"{found['key_mb']:.0f} MB",
            )
        )
    return render_rows(*rows)


def render_evidence(ledgers: Mapping[str, Any]) -> str:
    """What the two random attacks tried and found, and at which commit."""
    found = {
        "malicious": "{malicious_witnesses:,} altered witnesses of `transition` at `mini`: {accepted} accepted with "
        "another meaning",
        "policies": "{policies:,} random policies that pass every check: {policies_cheated} feasible where the rule is "
        "not met",
    }
    return "\n".join(
        render_paragraph(
            f"- {told.format(**ledgers['soundness'][name])}",
            f"(`python -m tests.support.soundness {name} --write`, at commit {ledgers['soundness'][name]['commit']}).",
            indent="  ",
        )
        for name, told in found.items()
    )


# ---------------------------------------------------------------------------------------------------- docs/models.md
def render_held_out(ledgers: Mapping[str, Any]) -> str:
    """Books and searches on markets that nothing was fitted to, by days to the first expiry."""
    markets = list(ledgers["held_out"]["markets"].values())
    groups = {
        name: [market for market in markets if low < market["days_to_expiry"] <= high]
        for name, (low, high) in MARKET_GROUPS.items()
    }
    head = ("markets", "number", "books", "breaches", "worst ES / IM", "searches above 1", "worst of the search")
    return render_rows(head, *((name, *_sum_up(group)) for name, group in {**groups, "all": markets}.items()))


def _sum_up(markets: list[dict[str, Any]]) -> tuple[str, ...]:
    searches = [market["search"] for market in markets if "search" in market]
    above, starts = (sum(search[key] for search in searches) for key in ("starts_above_1", "starts"))
    return (
        str(len(markets)),
        f"{sum(market['books'] for market in markets):,}",
        str(sum(market["breaches"] for market in markets)),
        f"{max(market['worst_ratio'] for market in markets):.3f}",
        f"{above} of {starts}",
        f"{max(search['worst_ratio'] for search in searches):.2f}",
    )


def render_multipliers(ledgers: Mapping[str, Any]) -> str:
    """What each multiplier of the shortfall would leave below the full sample, and what it would cost."""
    rows: list[Row] = [("kappa", "books below ES_full", "chains with one", "worst ES / IM", "mean over-ask")]
    for found in ledgers["multipliers"]["multipliers"]:
        shares = (f"{found['kappa']:.4g}", str(found["breaches"]), str(found["markets_with_one"]))
        about = ", shipped" if found["shipped"] else ""
        rows.append(
            (shares[0] + about, *shares[1:], f"{found['worst_ratio']:.3f}", f"{found['mean_over_ask'] * 100:.2f} %")
        )
    return render_rows(*rows)


def render_shipped_markets(ledgers: Mapping[str, Any]) -> str:
    """The worst books that the search finds on the shipped markets, at standard."""
    found = ledgers["shortfall"]["rows"][str(get_preset("standard").excess_rows)]["markets"]
    worst = {name: market["adversary"]["worst_ratio"] for name, market in found.items()}
    told = ", ".join(f"{ratio:.2f} (`{name}`)" for name, ratio in worst.items())
    return render_paragraph(f"On the shipped markets the search ends at {told} (`costs/shortfall.json`).")


def render_sample_error(ledgers: Mapping[str, Any]) -> str:
    """Standard deviation of the full sample's shortfall, by the bootstrap."""
    found = ledgers["shortfall"]["bootstrap"]
    return render_paragraph(
        f"A block bootstrap (blocks of {found['block_windows']} windows, {found['resamples']} resamples) gives ES a",
        f"relative standard deviation of {found['relative_standard_deviation']:.1%} (median over books).",
    )


def render_netting_quantiles(ledgers: Mapping[str, Any]) -> str:
    """The netting charge's quantile at three volatilities."""
    netting = ledgers["shortfall"]["netting"]
    forecasts = {name: netting["q99_at_forecast"][f"deribit_{name}"] for name in ("2026-08-22", "2026-02-05")}
    rows = [(f"forecast of {name}", f"{value:.1%}") for name, value in forecasts.items()]
    rows.append(("floor", f"{netting['q99_at_model_volatility']:.1%}"))
    return render_rows(("volatility", "99 % quantile"), *rows)


# ------------------------------------------------------------------------------------------------- docs/backtests.md
def render_default_fund(ledgers: Mapping[str, Any]) -> str:
    """What a crash leaves uncovered, and the fund of one and of two defaults."""
    found = ledgers["default_fund"]
    rows: list[Row] = [(found["crash"], "BTC uncovered", "ETH uncovered", "Cover 1, M$", "Cover 2, M$")]
    for model, level in found["models"].items():
        uncovered = [f"{100 * item['share']:.1f} % ({item['book']})" for item in level["uncovered"].values()]
        covers = [f"{level[key] / 1e6:.0f}" for key in ("cover_1_usd", "cover_2_usd")]
        rows.append((f"beyond {model.removeprefix('house_')}", *uncovered, *covers))
    largest = " and ".join(f"{usd / 1e6:.0f} M$ in {coin}" for coin, usd in found["largest_exposure_usd"].items())
    return f"{render_rows(*rows)}\n\nLargest exposures on `{found['market']}`: {largest}."


# ------------------------------------------------------------------------------------------------------ docs/cavb.md
def render_cascades(ledgers: Mapping[str, Any]) -> str:
    """The buffer against no buffer and against the flat surcharge, by scenario."""
    run = ledgers["cascade"]["runs"]["all"]
    head = ("scenario", "margin, %", "debt, M$", "less base", "less flat", "drawdown less base", "less flat")
    rows = [(name, *_describe_cascade(run["scenarios"][key])) for key, name in CASCADES.items()]
    return render_rows(head, *rows)


def _describe_cascade(found: Mapping[str, Any]) -> tuple[str, ...]:
    rules, (less_base, less_flat) = found["rules"], found["differences"].values()
    return (
        f"{100 * rules['buffer']['margin_per_notional']['mean']:.1f}",
        f"{rules['base']['bad_debt_usd']['mean'] / 1e6:.0f}",
        *(_show(pair["bad_debt_usd"], 1e-6, 0) for pair in (less_base, less_flat)),
        *(_show(pair["drawdown"], 100.0, 1) for pair in (less_base, less_flat)),
    )


def render_october(ledgers: Mapping[str, Any]) -> str:
    """The calibration against what was reported, and what changes of one parameter do."""
    runs = ledgers["cascade"]["runs"]
    targets = [("October 2025, no buffer", "reported", "tolerance", "simulated", "")]
    for target in runs["all"]["targets"]:
        low, high = (_plain(value) for value in target["reported"])
        targets.append(
            (
                target["name"],
                low if low == high else f"{low} to {high}",
                _plain(target["tolerance"]),
                _plain(target["simulated"]["mean"]),
                "met" if target["met"] else "**missed**",
            )
        )
    changed: list[Row] = [
        ("october with", "margin, %", "debt, M$", "less base", "less flat", "drawdown less base", "less flat")
    ]
    changed += [
        (f"`{name}`", *_describe_cascade(run["scenarios"]["october"])) for name, run in runs.items() if name != "all"
    ]
    return f"{render_rows(*targets)}\n\n{render_rows(*changed)}"


def _show(interval: Mapping[str, float], factor: float, decimals: int) -> str:
    mean, low, high = (f"{factor * interval[key] + 0.0:.{decimals}f}" for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


# --------------------------------------------------------------------------------------------------- docs/surface.md
def render_fits(ledgers: Mapping[str, Any]) -> str:
    """Errors of the surface's fits by market."""
    rows = [("market", "slices", "repaired", "median error", "worst error", "repair costs at most")]
    for name, found in ledgers["surface"]["markets"].items():
        worst = f"{found['worst_points']:.1f} ({found['worst_coin']} at {found['worst_days']:.1f} days)"
        rows.append(
            (
                name.removeprefix("deribit_"),
                str(found["slices"]),
                str(found["repaired"]),
                f"{found['median_points']:.2f}",
                worst,
                f"{found['repair_points']:.2f}",
            )
        )
    return render_rows(*rows)


# ------------------------------------------------------------------------------------------------------- docs/gas.md
def render_gas_split(ledgers: Mapping[str, Any]) -> str:
    """What each transaction's gas is spent on, in thousands, and how much of a deposit is the statement's."""
    split = ledgers["gas_split"]
    kinds = list(next(iter(split.values())))
    rows = [
        (action, *(f"{gas / 1000:.1f}" for gas in (sum(spent.values()), *spent.values())))
        for action, spent in split.items()
    ]
    deposit = split["deposit"]
    least = sum(deposit[kind] for kind in STATEMENT_KINDS)
    told = render_paragraph(
        "Pairing, curve, signatures, base and calldata cannot be less with this statement: a public signal costs a",
        "product, and a proof 256 bytes.",
        f"Of a deposit these are {least / 1000:.0f}k of {sum(deposit.values()) / 1000:.0f}k.",
    )
    return f"{render_rows(('action', 'gas', *kinds), *rows)}\n\n{told}"


def render_batches(ledgers: Mapping[str, Any]) -> str:
    """Gas of a row of the largest batches, and of a row that comes alone."""
    rows: list[Row] = [("rows of a batch", "gas for each attestation", "gas for each trade")]
    attest, trade = ({int(rows): gas / int(rows) for rows, gas in ledgers["batches"][kind].items()} for kind in BATCHED)
    for count in sorted({*attest, *trade}):
        rows.append((str(count), *(f"{kind[count] / 1000:.0f}k" if count in kind else "" for kind in (attest, trade))))
    return render_rows(*rows)


# -------------------------------------------------------------------------------------------------- docs/clearing.md
def render_committee(ledgers: Mapping[str, Any]) -> str:
    """What members of the committee compute."""
    found = ledgers["prover"]["committee"]
    return render_rows(
        (f"{found['threshold']} of {found['members']} members", "one core"),
        ("a member's share of one decryption", f"{found['share_ms']:.1f} ms"),
        (f"combining {found['threshold']} shares", f"{found['combination_ms']:.1f} ms"),
        ("a key generation, all members together", f"{found['key_generation_all_members_seconds']:.2f} s"),
    )


def render_circuits(ledgers: Mapping[str, Any]) -> str:
    """Sizes of the circuits that reveal an account and move it to a new key."""
    mini, standard = ledgers["constraints"]["mini"], ledgers["constraints"]["standard"]
    rows: list[Row] = [("circuit", "constraints at mini", "at standard", "domain at standard", "public inputs")]
    for name in ("reveal", "rekey"):
        found = standard[name]
        sizes = (mini[name]["constraints"], found["constraints"], found["domain"], found["public_inputs"])
        rows.append((f"`{name}`", *(f"{size:,}" for size in sizes)))
    return render_rows(*rows)


# --------------------------------------------------------------------------------------------------- docs/privacy.md
def render_observer(ledgers: Mapping[str, Any]) -> str:
    """The observer's advantage by habits of the owners, of the classifier whose mean is higher."""
    rows: list[Row] = [("habits of the owners", "long or short", "the tenth it is surest of", "options or not")]
    for name, found in ledgers["privacy"]["habits"].items():
        direction, options = (
            max(found[question].values(), key=lambda each: each["all"]["mean"]) for question in ("direction", "options")
        )
        told = [
            f"{each['mean']:.2f} [{each['low']:.2f}, {each['high']:.2f}]" for each in (direction["all"], options["all"])
        ]
        rows.append((HABITS[name], told[0], f"{direction['surest']['mean']:.2f}", told[1]))
    return render_rows(*rows)


# --------------------------------------------------------------------------------------------- docs/proof-systems.md
def render_backends(ledgers: Mapping[str, Any]) -> str:
    """Size, set-up, proof and verifier of the statement on each proof system."""
    systems = ledgers["backends"]["systems"]
    lines: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "public inputs": lambda found: f"{found['public_inputs']:,}",
        "products": lambda found: f"{found['products']:,}",
        "gates, domain": lambda found: f"{found['gates']:,}, {found['domain']:,}" if "gates" in found else "-",
        "set-up": lambda found: _in("set_up_cpu_s", found, "{:.0f} s"),
        "proving key": lambda found: _in("key_bytes", found, "{:.1f} MB", 1e-6),
        "proof": lambda found: _in("prove_cpu_s", found, "{:.1f} s"),
        "proof's size": lambda found: _in("proof_bytes", found, "{:,} B"),
        "verification": lambda found: _in("verify_gas", found, "{:,} gas"),
        "verifier's code, of 24,576 B": lambda found: _in("code_bytes", found, "{:,} B"),
    }
    rows: list[Row] = [("", *systems)]
    rows += [(name, *(write(found) for found in systems.values())) for name, write in lines.items()]
    return render_rows(*rows)


def _in(key: str, found: Mapping[str, Any], form: str, factor: float = 1) -> str:
    """A figure of a system in words; what was not measured is a dash."""
    return form.format(found[key] * factor if factor != 1 else found[key]) if key in found else "-"
