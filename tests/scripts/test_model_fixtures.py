"""The model written again from docs/models.md, for the instruments of its fixture values, and compared with them.

Facts of the market and the sample's windows are read from their files; every formula and number below is the
document's, and none of the engine's.
"""

import json
import math
import re
from pathlib import Path
from statistics import NormalDist

import pytest

from zkmargin.scripts.generate.model_fixtures import BEGIN, END, FixtureMarkersMissing, replace_fixtures

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/models.md").read_text()
MARKET = json.loads((ROOT / "engine/data/deribit_2026-08-22.json").read_text())
RECORD = json.loads((ROOT / "engine/data/scenarios/filtered_2016_2026.json").read_text())
NEAR = 2e-5
"""What six figures and float sums leave, US dollars."""
RANGE = {"BTC": 0.16, "ETH": 0.22}
UP, FLOOR = {"BTC": 0.5, "ETH": 0.4}, {"BTC": 0.4, "ETH": 0.5}
VOLATILITY_FLOOR = {"BTC": 0.0357, "ETH": 0.0487}
ITEMS = {row["name"]: row for row in MARKET["instruments"]}


def read_tables():
    """Instruments by letter, and the document's three tables: rows of cells, by their first column."""
    block = TEXT.partition(BEGIN)[2].partition(END)[0]
    names = dict(re.findall(r"^- (\w) is (\S+)$", block, re.MULTILINE))
    tables = []
    for part in re.split(r"\n\n(?=\|)", block)[1:]:
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"]
        tables.append({line[0]: dict(zip(lines[0][1:], line[1:], strict=True)) for line in lines[2:]})
    return names, tables


NAMES, (FACTS, CELLS, GROUPS) = read_tables()


def cut(value, low=0.0, high=1.0):
    return min(max(value, low), high)


class Lot:
    """One lot of an instrument, by the document's formulae."""

    def __init__(self, name):
        self.item = item = ITEMS[name]
        self.coin, self.size, self.forward = item["underlying"], item["lot_size"], item["forward"]
        self.years = (item["expiry"] - MARKET["time"]) / (365 * 86_400) if "expiry" in item else math.inf
        self.tenor = 365 * self.years

    def black(self, forward, years, volatility):
        strike, sign = self.item["strike"], 1 if self.item["is_call"] else -1
        if years <= 0:
            return max(sign * (forward - strike), 0.0)
        spread = volatility * math.sqrt(years)
        d1 = math.log(forward / strike) / spread + spread / 2
        normal = NormalDist().cdf
        return sign * (forward * normal(sign * d1) - strike * normal(sign * (d1 - spread)))

    def value(self, forward, years=None, volatility=None):
        if self.item["kind"] != "option":
            return self.size * forward
        years = self.years if years is None else years
        return self.size * self.black(forward, max(years, 0.0), volatility or self.item["volatility"])

    @property
    def power(self):
        return (30 / max(self.tenor, 1)) ** (0.3 if self.tenor <= 30 else 0.13)

    def in_cell(self, label):
        """Change in value in a cell, read from its label alone."""
        of_coin = 0 if self.coin == "BTC" else -1
        parts = [part.split("/")[of_coin] for part in label.partition(": ")[2].split(", ")]
        move = days = basis = 0.0
        volatility, settlements, is_path = self.item.get("volatility"), [0.0, 0.0], False
        for part in parts:
            if found := re.fullmatch(r"([+-][\d.]+) %", part):
                move = float(found[1]) / 100
            elif found := re.fullmatch(r"([12]) d at ([+-][\d.]+) %", part):
                settlements[int(found[1]) - 1], is_path = float(found[2]) / 100, True
            elif part == "settled":
                is_path = True
            elif found := re.fullmatch(r"([\d.]+) d", part):
                days = float(found[1])
            elif volatility and part == "vol up":
                volatility = max(volatility * (1 + UP[self.coin] * self.power), FLOOR[self.coin])
            elif volatility and part == "vol down":
                volatility *= max(1 - 0.25 * self.power, 0)
            elif found := re.fullmatch(r"([+-])([+-])([+-])", part):
                signs = [1 if sign == "+" else -1 for sign in found.groups()]
                assert math.prod(signs) == 1
                if math.isfinite(self.years):
                    basis = signs[0] * max(0.015, abs(math.exp(signs[0] * 0.1 * self.years) - 1))
                if volatility:
                    short = cut(math.log(45 / self.tenor) / math.log(45 / 14))
                    long = cut(math.log(self.tenor / 45) / math.log(120 / 45))
                    volatility *= 1 + 0.3 * signs[1] * short + 0.15 * signs[2] * long
            elif found := re.fullmatch(r"skew ([+-])", part):
                sign = 1 if found[1] == "+" else -1
                basis = sign * 0.01 if self.item["kind"] == "future" else 0.0
                if volatility:
                    root = math.sqrt(self.years)
                    tilt = cut(math.log(self.item["strike"] / self.forward) / max(0.01, 2.4 * root), -1)
                    volatility *= 1 - sign * max(0.15 - 0.05 * root, 0) * tilt
            else:
                assert part.startswith(("x ", "vol ")), part
        settles = is_path and self.item["kind"] in ("option", "future") and self.years <= 2 / 365
        moved = settlements[self.years > 1 / 365] if settles else move
        dampening = min(1.0, RANGE[self.coin] / abs(move)) if move else 1.0
        after = self.value(self.forward * (1 + moved + basis), self.years - days / 365, volatility)
        return dampening * (after - self.value(self.forward))

    def in_window(self, window):
        """Change in value in a window of the sample."""
        place = 0 if self.coin == "BTC" else 1
        move = window[1 + place] * max(MARKET["daily_volatility"][self.coin], VOLATILITY_FLOOR[self.coin])
        level, slope, size = RECORD["volatility_response"][self.coin]
        rise = math.exp(level + slope * move + size * abs(move)) - 1
        volatility = self.item.get("volatility", 0.0) * max(1 + rise * self.power, 0.1) if self.tenor < 1e9 else None
        return self.value(self.forward * math.exp(move), self.years - 2 / 365, volatility) - self.value(self.forward)


@pytest.mark.parametrize("letter", NAMES)
def test_every_cell_is_what_the_formulae_give(letter):
    lot = Lot(NAMES[letter])
    assert len(CELLS) == 43
    for label, values in CELLS.items():
        assert float(values[letter]) == pytest.approx(lot.in_cell(label), abs=NEAR), label


@pytest.mark.parametrize("letter", NAMES)
def test_every_group_is_the_mean_of_its_windows(letter):
    lot = Lot(NAMES[letter])
    groups = RECORD["sets"][str(len(GROUPS))]["groups"]
    changes = {number: [] for number in range(len(GROUPS))}
    for group, window in zip(groups, RECORD["sample"], strict=True):
        changes[group].append(lot.in_window(window))
    for group, values in GROUPS.items():
        own = changes[int(group)]
        assert float(values[letter]) == pytest.approx(sum(own) / len(own), abs=NEAR), group
        assert int(values["weight"]) == 15 * min(len(own), math.floor(0.025 * len(groups)))


@pytest.mark.parametrize("letter", NAMES)
def test_price_delta_and_rates(letter):
    lot, value = Lot(NAMES[letter]), {row: float(values[letter]) for row, values in FACTS.items()}
    index, bump = MARKET["index"][lot.coin], 1e-4
    assert value["price"] == pytest.approx(lot.value(lot.forward), abs=NEAR)
    slope = (lot.value(lot.forward + bump) - lot.value(lot.forward - bump)) / (2 * bump)
    assert value["delta notional"] == pytest.approx(slope * index, rel=1e-5)  # the index, not the forward
    is_option = lot.item["kind"] == "option"
    rates = (0.0005, 0.005) if is_option else (0.006, 0.006)
    assert [value[f"K {side}, initial"] for side in ("long", "short")] == pytest.approx(
        [rate * index * lot.size for rate in rates], abs=NEAR
    )
    assert (value["vega per point"] > 0) is is_option


def test_a_document_without_its_markers_is_refused():
    with pytest.raises(FixtureMarkersMissing):
        replace_fixtures(TEXT.replace(END, ""))
