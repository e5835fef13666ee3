"""The model written again from docs/models.md, for the instruments of its fixture values, and compared with them.

Facts of the market and the sample's windows are read from their files; every formula and number below is the
document's, and none of the engine's.
"""

import itertools
import json
import math
import re
from pathlib import Path
from statistics import NormalDist

import pytest

from zkmargin.scripts.generate.blocks import make_markers

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/models.md").read_text()
MARKET = json.loads((ROOT / "engine/data/deribit_2026-08-22.json").read_text())
RECORD = json.loads((ROOT / "engine/data/scenarios/filtered_2016_2026.json").read_text())
LEVELS = ("initial", "maintenance")
NEAR = 2e-5
"""What six figures and float sums leave, US dollars."""
RANGE = {"BTC": 0.16, "ETH": 0.22}
UP, FLOOR = {"BTC": 0.5, "ETH": 0.4}, {"BTC": 0.4, "ETH": 0.5}
VOLATILITY_FLOOR = {"BTC": 0.0357, "ETH": 0.0487}
ITEMS = {row["name"]: row for row in MARKET["instruments"]}


def read_tables():
    """Instruments by letter, and the document's three tables: rows of cells, by their first column."""
    begin, end = make_markers("fixture values")
    block = TEXT.partition(begin)[2].partition(end)[0]
    names = dict(re.findall(r"^- (\w) is (\S+)$", block, re.MULTILINE))
    tables = []
    for part in re.split(r"\n\n(?=\|)", block)[1:]:
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"]
        tables.append({line[0]: dict(zip(lines[0][1:], line[1:], strict=True)) for line in lines[2:]})
    return names, tables


NAMES, (FACTS, CELLS, MORE, GROUPS, BOOK) = read_tables()


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
        if self.item["kind"] == "bond":
            left = self.years if years is None else years
            return self.size * self.forward ** (max(left, 0.0) / self.years)
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
        move = days = basis = token = 0.0
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
                token = 0.125
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
        after /= 1 + (token if self.item["kind"] == "spot" else 0)
        return dampening * (after - self.value(self.forward))

    def in_window(self, window):
        """Change in value in a window of the sample."""
        place = 0 if self.coin == "BTC" else 1
        move = window[1 + place] * max(MARKET["daily_volatility"][self.coin], VOLATILITY_FLOOR[self.coin])
        level, slope, size = RECORD["volatility_response"][self.coin]
        rise = math.exp(level + slope * move + size * abs(move)) - 1
        volatility = self.item.get("volatility", 0.0) * max(1 + rise * self.power, 0.1) if self.tenor < 1e9 else None
        after = self.value(self.forward * math.exp(move), self.years - 2 / 365, volatility)
        after /= 1 + (window[5] if self.item["kind"] == "spot" else 0)
        return after - self.value(self.forward)

    def delta(self, move=0.0):
        """Delta notional after a move, volatility and time as they are."""
        bump, forward = 1e-4, self.forward * (1 + move)
        change = self.value(forward + bump) - self.value(forward - bump)
        return change / (2 * bump) * MARKET["index"][self.coin]

    @property
    def vega(self):
        """Change in value per volatility point."""
        if self.item["kind"] != "option":
            return 0.0
        volatility, bump = self.item["volatility"], 1e-6
        up, down = (self.value(self.forward, volatility=volatility + step) for step in (bump, -bump))
        return (up - down) / (2 * bump) / 100

    def rate(self, side, level):
        """K of a lot, long with side 1."""
        notional, initial = self.size * MARKET["index"][self.coin], level == "initial"
        if self.item["kind"] == "option":
            return notional * (0.0005 if side > 0 else 0.005 if initial else 0.003)
        if self.item["kind"] == "spot":
            return notional * (0.05 if initial else 0.03) if side > 0 else math.inf
        if self.item["kind"] == "bond":
            moved = self.forward * abs(math.exp(-side * 0.2 * self.years) - 1)
            return self.size * (1.25 * moved + 0.002 if initial else moved + 0.001)
        return notional * (0.006 if initial else 0.004)


@pytest.mark.parametrize("letter", NAMES)
def test_every_cell_is_what_the_formulae_give(letter):
    lot = Lot(NAMES[letter])
    assert len(CELLS) == 43
    for label, values in CELLS.items():
        stated = values if letter in values else MORE[label.partition(":")[0]]
        assert float(stated[letter]) == pytest.approx(lot.in_cell(label), abs=NEAR), label


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
    lot, value = (
        Lot(NAMES[letter]),
        {row: float(values[letter].replace("closed", "inf")) for row, values in FACTS.items()},
    )
    assert value["price"] == pytest.approx(lot.value(lot.forward), abs=NEAR)
    half = RANGE[lot.coin] / 2
    for row, move in (("delta notional", 0.0), ("the same, side down", -half), ("the same, side up", half)):
        assert value[row] == pytest.approx(lot.delta(move), rel=1e-5, abs=NEAR), row
    assert value["vega per point"] == pytest.approx(lot.vega, rel=1e-5, abs=NEAR)
    for level in LEVELS:
        for side, sign in (("long", 1), ("short", -1)):
            assert value[f"K {side}, {level}"] == pytest.approx(lot.rate(sign, level), abs=NEAR)


def read_book():
    """Lots by letter, and cash, of the document's portfolio."""
    text = TEXT.partition("Lots of a portfolio: ")[2].partition("Its requirement")[0]
    lots, _, cash = text.partition(", and cash of")
    number = {letter: int(count.replace(",", "")) for count, letter in re.findall(r"(-?\d[\d,]*) (\w)\b", lots)}
    return number, int(cash.strip().rstrip(".").replace(",", ""))


class Portfolio:
    """The document's portfolio, by the document's formulae: nothing but its lots and cash is read from the tables."""

    def __init__(self):
        lots, self.cash = read_book()
        self.lots = [(Lot(NAMES[letter]), count) for letter, count in lots.items()]

    def total(self, value, coin=None):
        return sum(count * value(lot) for lot, count in self.lots if coin in (None, lot.coin))

    def charge(self, level):
        return sum(abs(count) * lot.rate(1 if count > 0 else -1, level) for lot, count in self.lots)

    def buffer(self, coin):
        crowd, half, largest = MARKET["crowding"][coin], RANGE[coin] / 2, 0.0
        for side, sign in (("down", 1), ("up", -1)):
            exposure = sign * self.total(lambda lot, sign=sign: lot.delta(-sign * half), coin)
            a = MARKET["contagion_multiplier"] * crowd["impact"] / (2 * crowd[f"depth_{side}"])
            most = 0.02 * 9 * 1.25 * RANGE[coin] / a
            knots = [most * (step / 3) ** 2 for step in range(4)]
            for low, high in itertools.pairwise(knots):
                chord = a * (low + high + 2 * crowd[f"ladder_{side}"]) * exposure - a * low * high
                largest = max(largest, chord if exposure > 0 else 0.0)
        return largest

    def concentration(self, coin):
        vega, depth = abs(self.total(lambda lot: lot.vega, coin)), {"BTC": 820_000, "ETH": 95_000}[coin]
        most = {"BTC": 4_900_000, "ETH": 800_000}[coin]
        free, y = most / 4, 2.6
        return max(0.0, y / (2 * depth) * ((free + most) * vega - free * most - free**2))

    def transfer_charge(self):
        forecast = MARKET["daily_volatility"]
        relative = sorted(
            abs((math.exp(window[2] * forecast["ETH"]) - 1) * 16 / 22 - (math.exp(window[1] * forecast["BTC"]) - 1))
            for window in RECORD["sample"]
        )
        quantile = relative[math.ceil(0.99 * len(relative)) - 1]
        return max(0.15, math.ceil(1000 * quantile - 1e-9) / 1000)

    def lines(self, coin):
        """By cell: the loss, and what a unit of the transfer adds to it."""
        sign = 1 if coin == "BTC" else -1
        for label in CELLS:
            part = label.partition(": ")[2].split(", ")[0].split("/")[0 if coin == "BTC" else -1]
            found = re.fullmatch(r"([+-][\d.]+) %", part)
            move = float(found[1]) / 100 if found and not re.search(r"[+-]{3}|skew", label) else 0.0
            if move and not re.search("settled|x ", label) and re.search(" d at ", label):
                move = 0.0
            share = move * min(1.0, RANGE[coin] / abs(move)) / RANGE[coin] if move else 0.0
            yield -self.total(lambda lot, label=label: lot.in_cell(label), coin), sign * round(160 * share) / 1000

    def grid(self):
        """The coins' x, and n, at the best transfer: a convex function's minimum, by thirds."""
        lines, c = {coin: list(self.lines(coin)) for coin in RANGE}, self.transfer_charge()

        def worst(coin, n):
            return max(0.0, *(loss + slope * n for loss, slope in lines[coin]))

        def cost(n):
            return worst("BTC", n) + worst("ETH", n) + c * abs(n)

        low, high = -1e10, 1e10
        for _ in range(300):
            left, right = low + (high - low) / 3, high - (high - low) / 3
            low, high = (low, right) if cost(left) <= cost(right) else (left, high)
        n = (low + high) / 2
        return worst("BTC", n), worst("ETH", n), n, cost(n)

    def shortfall(self, level):
        groups = RECORD["sets"][str(len(GROUPS))]["groups"]
        changes = [self.total(lambda lot, window=window: lot.in_window(window)) for window in RECORD["sample"]]
        members = [
            [-change for change, own in zip(changes, groups, strict=True) if own == g] for g in range(len(GROUPS))
        ]
        left, total = 15 * 66, 0.0
        for loss, weight in sorted(((sum(own) / len(own), 15 * min(len(own), 66)) for own in members), reverse=True):
            total += min(weight, left) * loss
            left -= min(weight, left)
        return total / (860 if level == "initial" else 1075)


@pytest.mark.parametrize("level", LEVELS)
def test_the_whole_requirement_follows_from_the_document(level):
    """Every part of it is what the formulae give; the transfer and one concentration charge are above zero."""
    book, initial = Portfolio(), level == "initial"
    first, second, n, netted = book.grid()
    charges = [book.buffer("BTC"), book.buffer("ETH"), book.concentration("BTC"), book.concentration("ETH")]
    parts = {
        "equity": book.cash + book.total(lambda lot: lot.value(lot.forward)),
        "K": book.charge(level),
        **dict(zip(("buffer, BTC", "buffer, ETH", "concentration, BTC", "concentration, ETH"), charges, strict=True)),
        "x, BTC": first,
        "x, ETH": second,
        "n": n,
        "grid": (1.25 if initial else 1.0) * netted,
        "shortfall": book.shortfall(level),
        "debt value and limit": book.cash
        + book.total(lambda lot: lot.value(lot.forward) if lot.item["kind"] in ("perpetual", "future") else 0.0)
        + (0 if initial else 10_000),
    }
    if not initial:
        parts |= dict.fromkeys(("buffer, BTC", "buffer, ETH", "concentration, BTC", "concentration, ETH"), 0.0)
    added = sum(value for name, value in parts.items() if name.startswith(("K", "buffer", "concentration")))
    parts["requirement"] = added + max(parts["grid"], parts["shortfall"])
    assert set(parts) == set(BOOK)
    for name, value in parts.items():
        assert float(BOOK[name][level]) == pytest.approx(value, rel=1e-6, abs=0.02), name
