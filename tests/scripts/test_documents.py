"""What README.md and the documents repeat of the ledgers is what the ledgers say, and nothing else in them changes."""

import copy

import pytest

from zkmargin.scripts.generate import tables
from zkmargin.scripts.generate.blocks import MarkersMissing, make_markers, replace_block
from zkmargin.scripts.generate.documents import DOCUMENTS, ROOT, load_ledgers, replace_blocks
from zkmargin.scripts.generate.figures import render_figures, render_target
from zkmargin.scripts.generate.times import render_times
from zkmargin.scripts.measure.held_out import summarise

LEDGERS = load_ledgers()
TEXTS = {path: (ROOT / path).read_text() for path in DOCUMENTS}
LEDGER_BLOCKS = [
    (path, name)
    for path, blocks in DOCUMENTS.items()
    for name in blocks
    if name not in ("fixture values", "fully paid option")
]
BEGIN, END = make_markers("figures")
SEARCHED = ("shortfall", "rows", "51", "markets", "deribit_2026-02-05", "adversary")
RUNS, BASE_DEBT = ("cascade", "runs"), ("rules", "base", "bad_debt_usd", "mean")


@pytest.mark.parametrize(("path", "name"), LEDGER_BLOCKS)
def test_a_block_shows_the_ledgers(path, name):
    """The model's own blocks are compared by `test_generate.py`."""
    assert replace_block(TEXTS[path], name, DOCUMENTS[path][name](LEDGERS)) == TEXTS[path]


@pytest.mark.parametrize(
    ("path", "name", "key", "value", "shown"),
    [
        ("README.md", "figures", ("gas", "gas", "trade"), 777_001, "| 777k |"),
        ("README.md", "figures", ("prover", "standard", "prove_s"), 77.77, "| 77.77 s; "),
        ("README.md", "figures", ("prover", "scaling", "standard", "prove_s"), 7.77, "7.77 s; "),
        ("README.md", "figures", ("engine", "batch_ms"), 77_770.0, "77.77 s"),
        ("README.md", "figures", ("engine", "ratio_int32"), 7.77, "(7.77)"),
        ("README.md", "figures", ("constraints", "standard", "transition", "constraints"), 77_777, "77,777 "),
        ("README.md", "figures", ("held_out", "summary", "breaches"), 7_777, "7777 of "),
        ("docs/assurance.md", "presets", ("prover", "scaling", "xl", "compile_peak_mb"), 7_654, "7654 MB"),
        ("docs/assurance.md", "evidence", ("soundness", "policies", "policies_cheated"), 3, ": 3 feasible"),
        ("docs/backtests.md", "default fund", ("default_fund", "models", "house_initial", "cover_1_usd"), 7e9, "7000"),
        ("docs/cavb.md", "cascades", (*RUNS, "all", "scenarios", "calm", *BASE_DEBT), 777e6, "| 777 |"),
        ("docs/cavb.md", "october", (*RUNS, "stress=2", "scenarios", "october", *BASE_DEBT), 777e6, "| 777 |"),
        ("docs/clearing.md", "committee", ("prover", "committee", "share_ms"), 77.7, "77.7 ms"),
        ("docs/clearing.md", "circuits", ("constraints", "mini", "rekey", "constraints"), 7_777, "7,777"),
        ("docs/gas.md", "split", ("gas_split", "deposit", "pairing"), 777_700, "| 777.7 |"),
        ("docs/gas.md", "batches", ("batches", "attest", "32"), 32 * 777_000, "| 777k |"),
        ("docs/models.md", "shipped markets", (*SEARCHED, "worst_ratio"), 77.77, "77.77"),
        ("docs/models.md", "sample error", ("shortfall", "bootstrap", "relative_standard_deviation"), 0.777, "77.7%"),
        ("docs/models.md", "netting quantiles", ("shortfall", "netting", "q99_at_model_volatility"), 0.777, "77.7%"),
        ("docs/prover.md", "times", ("prover", "wasm", "load_known_s"), 7.77, "| 7.77 s, missed | 0.3 s |"),
        ("docs/surface.md", "fits", ("surface", "markets", "deribit_2026-08-22", "repaired"), 77, "| 77 |"),
    ],
)  # fmt: skip
def test_a_ledger_that_moved_makes_the_document_stale(path, name, key, value, shown):
    moved = copy.deepcopy(LEDGERS)
    place = moved
    for step in key[:-1]:
        place = place[step]
    assert key[-1] in place
    place[key[-1]] = value
    body = DOCUMENTS[path][name](moved)
    assert shown not in TEXTS[path] and shown in body
    assert replace_block(TEXTS[path], name, body) != TEXTS[path]


def test_a_target_that_is_missed_by_little_is_missed():
    moved = copy.deepcopy(LEDGERS)
    moved["prover"]["standard"]["prove_s"] = 0.1501
    assert "| prove `standard` | 0.15 s, missed | 0.15 s |" in render_times(moved)
    moved["prover"]["standard"]["prove_s"] = 0.15
    assert "| prove `standard` | 0.15 s | 0.15 s |" in render_times(moved)


def test_the_target_is_met_or_missed_as_measured():
    engine = {"accounts": 1_000, "ratio_to_matmul": 0.7, "ratio_int32": 0.71, "ratio_dense": 0.2}
    told = " ".join(render_target(engine).split())
    assert "met with float64 lots (0.70) and by dense books (0.20), missed with int32 lots (0.71)." in told
    assert "missed" not in render_target(engine | {"ratio_int32": 0.6})


def test_the_held_out_table_sums_up_as_the_ledger_does():
    """Its last row is the summary."""
    summary = summarise(LEDGERS["held_out"]["markets"])
    row = tables.render_held_out(LEDGERS).splitlines()[-1]
    assert row == (
        f"| all | {summary['markets']} | {summary['books']:,} | {summary['breaches']} | {summary['worst_ratio']:.3f} | "
        f"{summary['searches_above_1']} of {summary['searches']} | {summary['worst_of_the_search']:.2f} |"
    )


def test_what_stands_around_a_block_stays():
    text = replace_block(f"# Title\n{BEGIN}\nold\n{END}\nThe end.\n", "figures", render_figures(LEDGERS))
    assert text == f"# Title\n{BEGIN}\n\n{render_figures(LEDGERS)}\n\n{END}\nThe end.\n"
    assert replace_blocks(TEXTS["README.md"], "README.md", LEDGERS) == TEXTS["README.md"]


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{END}", f"{BEGIN}{BEGIN}{END}"])
def test_a_marker_that_is_missing_or_twice_is_an_error(text):
    with pytest.raises(MarkersMissing):
        replace_block(text, "figures", "")


@pytest.mark.parametrize(("path", "name"), LEDGER_BLOCKS)
def test_every_file_that_is_named_exists_and_lines_are_short(path, name):
    body = DOCUMENTS[path][name](LEDGERS)
    assert max(map(len, body.splitlines())) <= 120
    assert all((ROOT / link.split(")")[0]).is_file() for link in body.split("](")[1:])
