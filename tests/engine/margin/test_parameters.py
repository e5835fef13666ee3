"""Parameter files: every number has unit, range and source; what is out of range or inconsistent is refused."""

import json

import pytest

from zkmargin.engine.errors import MalformedFile, OutOfRange, UnknownName
from zkmargin.engine.margin.parameters import DEFAULT, FOLDER, load_parameters, read_parameters

DOCUMENT = json.loads((FOLDER / f"{DEFAULT}.json").read_text())


def read(change):
    document = json.loads(json.dumps(DOCUMENT))
    change(document["parameters"], document)
    return read_parameters(json.dumps(document), "test")


def test_the_shipped_file_is_complete():
    for name, entry in DOCUMENT["parameters"].items():
        assert entry["unit"] and entry["source"] and entry["range"], name
    parameters = load_parameters()
    assert parameters.name == DEFAULT and parameters.unaccepted_collateral == ("BTC",)
    assert read(lambda *_: None) == parameters


def set_value(name, *keys, value):
    def change(parameters, _):
        if not keys:
            parameters[name]["value"] = value
            return
        inner = parameters[name]["value"]
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (set_value("price_range", "BTC", value=0.6), OutOfRange),
        (set_value("price_range", "BTC", value=-0.1), OutOfRange),
        (set_value("price_range", "BTC", value=float("nan")), OutOfRange),
        (set_value("price_range", "BTC", value="0.1"), OutOfRange),
        (set_value("price_range", "BTC", value=True), OutOfRange),
        (set_value("price_range", value=0.16), MalformedFile),
        (set_value("price_range", value={"BTC": 0.16}), MalformedFile),
        (set_value("haircut", "initial", value={"ETH": 0.05}), MalformedFile),
        (set_value("tail_moves", value=[0.5]), MalformedFile),
        (set_value("tail_moves", value=[-0.96, 5.0]), OutOfRange),
        (set_value("shortfall_scenarios", value="../x"), MalformedFile),
        (set_value("factor", "initial", value=1.255), MalformedFile),
        (set_value("transfer_charge_floor", value=0.1285), MalformedFile),
        (set_value("factor", "maintenance", value=1.5), MalformedFile),
        (set_value("option_short", "maintenance", value=0.05), MalformedFile),
        (set_value("haircut", "maintenance", "ETH", value=0.5), MalformedFile),
        (set_value("debt_limit", value=2e7), OutOfRange),
        (set_value("debt_limit", value={"initial": 0.0, "maintenance": 1e6}), OutOfRange),
        (lambda parameters, _: parameters.pop("linear"), MalformedFile),
        (lambda parameters, _: parameters.update(other=parameters["linear"]), MalformedFile),
        (lambda parameters, _: parameters["linear"].update(unit=" "), MalformedFile),
        (lambda parameters, _: parameters["linear"].pop("source"), MalformedFile),
        (lambda parameters, _: parameters["tenor_floor"].update(range=[0.1]), MalformedFile),
        (lambda _, document: document.update(format="x"), MalformedFile),
    ],
)
def test_refusals(change, error):
    with pytest.raises(error):
        read(change)


def test_unknown_file():
    with pytest.raises(UnknownName, match="house_v1"):
        load_parameters("house_v0")
