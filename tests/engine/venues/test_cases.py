"""The case files: order and form of the output, and one refusal per wrong thing, starting from accepted cases."""

import copy
import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.venue_vectors import get_path, read_document
from zkmargin.engine.errors import DuplicateName, MalformedFile, OutOfRange, UnknownName
from zkmargin.engine.venues.cases import compute_margins

ROOT = Path(__file__).parents[3]
PLAIN = re.compile(r"-?[0-9]+\.[0-9]{12,}")
FILES = {
    "derive_pmrm2_portfolios": ("derive-pmrm2", 139),
    "derive_pmrm1_precise": ("derive-pmrm1", 21),
    "derive_pmrm1_integer": ("derive-pmrm1", 44),
    "derive_srm_cases": ("derive-srm", 28),
    "derive_srm_integer": ("derive-srm", 42),
}


@pytest.fixture(scope="module")
def documents():
    return {name: read_document(name) for name in FILES}


def get_scenario_count(document, case):
    return len(case.get("scenarios", document.get("scenarios", [])))


@pytest.mark.parametrize("name", FILES)
def test_every_case_in_file_order_as_plain_decimals(name, documents):
    manager, count = FILES[name]
    cases, found = documents[name]["cases"], compute_margins(manager, get_path(name))
    assert [margin["id"] for margin in found] == [case["id"] for case in cases]
    assert len(found) == count
    for case, margin in zip(cases, found, strict=True):
        switched_off = {"enabled"} if not case.get("enabled_upstream", True) else set()
        assert set(margin) == {"id", "MM", "IM", "scenario_pnl"} | switched_off
        assert margin.get("enabled", False) is False
        assert len(margin["scenario_pnl"]) == get_scenario_count(documents[name], case)
        for amount in (margin["MM"], margin["IM"], *margin["scenario_pnl"]):
            assert PLAIN.fullmatch(amount), amount


def test_the_switched_off_case_is_the_known_one():
    found = compute_margins("derive-pmrm2", get_path("derive_pmrm2_portfolios"))
    assert [margin["id"] for margin in found if "enabled" in margin] == ["test_67_misc_skew_scenario_with_spot_move"]


def test_the_command_prints_the_same_list():
    path = get_path("derive_srm_integer")
    command = [sys.executable, "-m", "zkmargin.scripts.cli.main", "venue", "derive-srm", str(path), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == compute_margins("derive-srm", path)


def keep_case(document, identifier):
    document = {**document, "cases": [case for case in document["cases"] if case["id"] == identifier]}
    assert document["cases"]
    return copy.deepcopy(document)


def put(document, place, value):
    *parents, last = place
    for part in parents:
        document = document[part]
    document[last] = value


CASE = ("cases", 0)
PM2 = ("derive_pmrm2_portfolios", "test_16_risk_cancelling_general_covered_call")
PM1 = ("derive_pmrm1_precise", "Test1")
PM1_NAMED = ("derive_pmrm1_integer", "test_general_portfolio_pm")
SRM = ("derive_srm_cases", "Test28")
SRM_NAMED = ("derive_srm_integer", "test_general_portfolio")
OPTION = (*CASE, "portfolio", "options", 0)


@pytest.mark.parametrize(
    ("start", "place", "value", "error", "message"),
    [
        (PM2, ("colour",), "blue", MalformedFile, "colour: Extra inputs are not permitted"),
        (PM2, ("meta", "colour"), "blue", MalformedFile, "meta.colour: Extra inputs are not permitted"),
        (PM2, (*CASE, "colour"), "blue", MalformedFile, "cases.0.colour: Extra inputs are not permitted"),
        (PM2, (*OPTION, "gamma"), "1", MalformedFile, "cases.0.portfolio.options.0.gamma: Extra inputs"),
        (PM2, (*CASE, "market", "expiries", 0, "svi", "c"), "1", MalformedFile, "expiries.0.svi.c: Extra inputs"),
        (PM2, (*CASE, "params", "im_factr"), "1", MalformedFile, "params.im_factr: Extra inputs"),
        (PM2, (*CASE, "expected", "PNL"), "1", MalformedFile, "expected.PNL: Extra inputs"),
        (PM2, (*OPTION, "mark_vol"), "NaN", MalformedFile, "mark_vol: .*number is 'NaN'; allowed: a finite decimal"),
        (PM2, (*OPTION, "mark_vol"), float("nan"), MalformedFile, "mark_vol: .*number is nan"),
        (PM2, (*OPTION, "mark_vol"), "Infinity", MalformedFile, "mark_vol: .*number is 'Infinity'"),
        (PM2, (*OPTION, "mark_vol"), "-0.5", MalformedFile, "mark_vol: .*greater than or equal to 0; found '-0.5'"),
        (PM2, (*OPTION, "mark_vol"), 0.5, MalformedFile, "mark_vol: .*number is 0.5; allowed: a finite decimal"),
        (PM2, (*OPTION, "amount"), "1e30", MalformedFile, "amount: .*number is '1e30'; allowed"),
        (PM2, (*OPTION, "is_call"), "true", MalformedFile, "is_call: .*found 'true'"),
        (PM2, (*CASE, "market", "spot"), "0", MalformedFile, "market.spot: .*greater than 0; found '0'"),
        (PM2, (*CASE, "market", "spot_confidence"), "1.1", MalformedFile, "spot_confidence: .*found '1.1'"),
        (
            PM2,
            (*CASE, "market", "expiries", 0, "forward"),
            "90000",
            OutOfRange,
            "fixed .* variable is '90000'; allowed",
        ),
        (PM2, (*CASE, "scenarios", 0, "vol"), "sideways", MalformedFile, "scenarios.0.vol: .*found 'sideways'"),
        (PM2, (*CASE, "scenarios", 0, "spot"), "-1", MalformedFile, "scenarios.0.spot: .*found '-1'"),
        (PM2, (*OPTION, "sec_to_expiry"), -60, OutOfRange, "sec_to_expiry of an option in case test_16.* is -60"),
        (PM2, (*CASE, "market", "expiries", 0, "sec_to_expiry"), 11076452, DuplicateName, "11076452"),
        (PM1, (*CASE, "market", "rates"), "0", MalformedFile, "market.rates: Extra inputs"),
        (PM1, ("scenarios", 0, "dampening"), "1", MalformedFile, "scenarios.0.dampening: Extra inputs"),
        (PM1, (*OPTION, "sec_to_expiry"), 5, UnknownName, "sec_to_expiry of an option in case Test1"),
        (PM1_NAMED, (*OPTION, "underlying"), "doge", UnknownName, "underlying in case .*'doge'"),
        (PM1_NAMED, (*OPTION, "expiry"), "20250101", UnknownName, "expiry in case .*'20250101'"),
        (PM1_NAMED, (*OPTION, "sec_to_expiry"), 7, UnknownName, "sec_to_expiry of expiry 20230118"),
        (PM1_NAMED, ("market_default", "skew"), "1", MalformedFile, "market_default.skew: Extra inputs"),
        (PM1_NAMED, (*CASE, "market_overrides", "rate"), "1", MalformedFile, "market_overrides.rate: Extra inputs"),
        (PM1_NAMED, (*CASE, "market_overrides", "vol", 0, 2), "-0.1", MalformedFile, "vol.0.2: .*found '-0.1'"),
        (SRM, (*OPTION, "mark"), "1", MalformedFile, "options.0.mark: Extra inputs"),
        (SRM, (*OPTION, "sec_to_expiry"), -5, OutOfRange, "BTC sec_to_expiry with a forward in case Test28 is -5"),
        (SRM, (*OPTION, "sec_to_expiry"), 5, UnknownName, "BTC sec_to_expiry with a forward in case Test28"),
        (SRM, (*CASE, "market", "stable_price"), "0", MalformedFile, "stable_price: .*found '0'"),
        (SRM_NAMED, (*CASE, "portfolio", "bases", 0, "amount"), "-1", MalformedFile, "bases.0.amount: .*found '-1'"),
        (
            SRM_NAMED,
            ("market_default", "sec_to_expiry", "20230104"),
            -1,
            UnknownName,
            "sec_to_expiry of expiry 20230104",
        ),
    ],
)
def test_one_wrong_thing(start, place, value, error, message, documents, tmp_path):
    name, identifier = start
    document = keep_case(documents[name], identifier)
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(document))
    assert len(compute_margins(FILES[name][0], path)) == 1
    put(document, place, value)
    path.write_text(json.dumps(document))
    with pytest.raises(error, match=message):
        compute_margins(FILES[name][0], path)


@pytest.mark.parametrize("start", [PM2, PM1])
def test_an_expiry_before_now(start, documents, tmp_path):
    name, identifier = start
    document = keep_case(documents[name], identifier)
    case = document["cases"][0]
    case["portfolio"]["options"] = []
    case["market"]["expiries"][0]["sec_to_expiry"] = -60
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(document))
    with pytest.raises(OutOfRange, match=f"seconds to expiry -60 of case {identifier} is -60.*no expiry before now"):
        compute_margins(FILES[name][0], path)


@pytest.mark.parametrize(
    ("name", "other"), [("derive_srm_cases", "derive-pmrm1"), ("derive_pmrm1_integer", "derive-srm")]
)
def test_a_file_of_another_manager(name, other):
    with pytest.raises(MalformedFile):
        compute_margins(other, get_path(name))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "{"])
@pytest.mark.parametrize("manager", ["derive-pmrm1", "derive-pmrm2", "derive-srm"])
def test_no_case_file(text, manager, tmp_path):
    path = tmp_path / "cases.json"
    path.write_text(text)
    with pytest.raises(MalformedFile):
        compute_margins(manager, path)


def test_a_repeated_key(tmp_path):
    path = tmp_path / "cases.json"
    path.write_text('{"cases": [], "cases": []}')
    with pytest.raises(DuplicateName, match="cases"):
        compute_margins("derive-pmrm2", path)


def test_published_results_and_provenance_may_be_left_out(documents, tmp_path):
    document = keep_case(documents[PM2[0]], PM2[1])
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(document))
    full = compute_margins("derive-pmrm2", path)
    case = document["cases"][0]
    for key in ("expected", "tolerance", "contract_output_wei_exact", "source", "enabled_upstream"):
        del case[key]
    path.write_text(json.dumps({"cases": [case]}))
    assert compute_margins("derive-pmrm2", path) == full


def test_a_switched_off_case_keeps_its_place(documents, tmp_path):
    document = keep_case(documents[SRM_NAMED[0]], SRM_NAMED[1])
    document["cases"].append({**document["cases"][0], "id": "again", "enabled_upstream": False})
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(document))
    first, second = compute_margins("derive-srm", path)
    assert second == {**first, "id": "again", "enabled": False}
    assert int(Decimal(first["MM"])) == 394_499
