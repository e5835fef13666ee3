"""No cell of the action table can be flipped unseen: a test of its column fails, for every row and every other value.

ClearingHouse, BatchDesk and RiskOracle are compiled once more with a library that reads the table from the code of a
fixed address. Each mutant is then one word put there, and the tests of `test_action_table` that are marked with the
cell's column are run against it. That the library as shipped holds the same table is a test of its own. DefaultDesk and
SaleDesk are so compiled alone, and a bid and a sale at them held to the row of trades.

In `make test` nothing is compiled for it: the table is one constant, and a few mutants are the deployed code with
another word in its places. Of trades the compiler works parts of the row out beforehand, so that only the library above
shows each of their cells.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.contracts import test_action_table
from tests.contracts.test_action_table import MAX_AGE, make_scene
from tests.support.court import TERMS, SaleCourt
from tests.support.reverts import refused
from tests.support.world import Party, World
from zkmargin.contracts import deploy
from zkmargin.contracts.chain import Chain, run_anvil
from zkmargin.contracts.clearing_house import Margin, Status
from zkmargin.contracts.compile import SETTINGS, compile_contracts, compile_sources, read_sources
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.errors import Reverted
from zkmargin.prover.messages.action_table import ActionKind, EpochRule
from zkmargin.scripts.generate.actions import (
    ROW_BITS,
    SOLIDITY,
    SOURCE,
    WITHOUT_EPOCH,
    TableInvalid,
    check_table,
    encode_table,
    get_values,
)

TABLE = json.loads((Path(__file__).parents[2] / SOURCE).read_text())
LIBRARY = SOLIDITY.removeprefix("contracts/src/")
PLACE = "0x" + "7ab1e".rjust(40, "0")
"""Address whose code is the table of the mutants."""
READ = f"""
        uint256 table;
        assembly ("memory-safe") {{
            extcodecopy({PLACE}, 0, 0, 0x20)
            table := mload(0)
        }}
        uint256 row = (table >>"""
MUTANTS = [
    (kind, column, value)
    for kind, row in TABLE["rows"].items()
    for column in TABLE["columns"]
    for value in get_values(TABLE["columns"], column)
    if value != row[column]
]
FEW = [
    ("DEPOSIT", "sides", True),
    ("DEPOSIT", "paused", False),
    ("ATTEST", "signature", True),
    ("ATTEST", "flows", "IN"),
    ("WITHDRAW", "policy", "initial"),
    ("WITHDRAW_FLAT", "closes", True),
    ("CURE", "provenAt", "RAISE"),
    ("TRADE", "epoch", "PROOF"),
    ("ROLL", "epoch", "NONE"),
    ("ROLL", "signature", False),
]
"""One of most columns, for `make test`; `make test-full` runs them all."""
Put = Callable[[World, dict], None]
"""Puts a table into force."""
COLUMN_TESTS = [test for test in vars(test_action_table).values() if hasattr(test, "column")]
UNREAD_AT_DESK = {
    ("flows", "NOTHING"),
    ("flows", "IN"),
    ("signature", False),
    ("paused", True),
    ("epoch", "PROOF"),
}
"""Cells of a trade that make no difference to a bid or a sale: its flows are the book's, it is always signed, and the
oracle says how old an epoch of trades may be and whether they are paused."""


def compile_variant(*files: str):
    """The contracts of these files, reading the table."""
    sources = read_sources()
    text = sources[LIBRARY]
    for old, new in (
        (" internal pure returns (Rule)", " internal view returns (Rule)"),
        ("uint256 row = (TABLE >>", READ),
    ):
        assert text.count(old) == 1, f"{LIBRARY} is not as this test expects it: {old}"
        text = text.replace(old, new)
    del sources["test/TestHashes.sol"]  # which shows the library's function as pure
    return compile_sources({**sources, LIBRARY: text}, files)


@pytest.fixture(scope="module")
def mutable_world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, run_anvil() as chain:
        variant = compile_variant("ClearingHouse.sol", "BatchDesk.sol", "RiskOracle.sol")
        artifacts = {**compile_contracts(), **variant}
        patch.setattr(deploy, "compile_contracts", lambda: artifacts)
        put_table(chain, TABLE)
        world = World(chain)
        world.prepare()
        yield world


@dataclass
class Hearing:
    """A book in auction at desks whose table can be changed, and who takes it or a part of it."""

    court: SaleCourt
    bidder: Party

    def take(self, desk: str) -> None:
        """Fails under a row of trades that is another, as far as the desk reads it."""
        world, court, bidder = self.court.world, self.court, self.bidder
        make, send = {"DefaultDesk": (court.make_bid, court.bid), "SaleDesk": (court.make_sale, court.sell)}[desk]
        world.set_status(bidder, Status.FROZEN)
        refused("StatusWrong", send, make(bidder=bidder))
        world.set_status(bidder, Status.ACTIVE)
        request = make(bidder=bidder)
        send(request)
        account = world.house.get_account(bidder.id)
        assert (account.status, account.commitment) == (Status.ACTIVE, request.commitment_new)
        assert account.may_hold_derivatives and account.margin is Margin.INITIAL
        assert account.proven_epoch == request.epoch.number
        assert world.chain.time - account.proven_at < MAX_AGE[EpochRule.EXIT]


@pytest.fixture(scope="module")
def hearing() -> Iterator[Hearing]:
    with pytest.MonkeyPatch.context() as patch:
        # With a table to read it is beyond EIP-170 where the optimizer trades size for gas.
        patch.setitem(SETTINGS, "optimizer", {**SETTINGS["optimizer"], "runs": 1})
        variant = compile_variant("DefaultDesk.sol", "SaleDesk.sol")
    with pytest.MonkeyPatch.context() as patch, run_anvil() as chain:
        artifacts = {**compile_contracts(), **{name: variant[name] for name in ("DefaultDesk", "SaleDesk")}}
        patch.setattr(deploy, "compile_contracts", lambda: artifacts)
        put_table(chain, TABLE)
        world = World(chain, terms=TERMS)
        world.prepare()
        bidder = world.open_with("carol")
        court = SaleCourt(world, DefaultDesk(chain, world.house.contract.address, world.domain))
        court.begin_auction()
        yield Hearing(court, bidder)


def to_word(table: dict, size: int) -> bytes:
    return encode_table(table).to_bytes(size, "big")


def put_table(chain: Chain, table: dict) -> None:
    """Where the library of the mutants reads it."""
    chain._request("anvil_setCode", PLACE, "0x" + to_word(table, 32).hex())


def put_beside_code(world: World, table: dict) -> None:
    put_table(world.chain, table)


def put_into_code(world: World, table: dict) -> None:
    """In the place of the shipped table, wherever the deployed code has it: as a constant without leading zeros."""
    size = (encode_table(TABLE).bit_length() + 7) // 8
    for address in (world.house.contract.address, world.oracle.contract.address):
        code = world.chain.get_code(address)
        assert to_word(TABLE, size) in code, "the compiler no longer leaves the table whole"
        code = code.replace(to_word(TABLE, size), to_word(table, size))
        world.chain._request("anvil_setCode", address, "0x" + code.hex())


def mutate(kind, column, value):
    return {**TABLE, "rows": {**TABLE["rows"], kind: {**TABLE["rows"][kind], column: value}}}


def find_failure(world: World, put: Put, table: dict, kind: ActionKind, column: str) -> str | None:
    """Name of the first test of the column that fails for that kind under the table; None if all pass."""
    for test in COLUMN_TESTS:
        if test.column == column and kind in test.kinds:
            mark = world.chain.snapshot()
            try:
                put(world, table)
                test(make_scene(world, kind))
            except (AssertionError, Reverted, pytest.fail.Exception):
                return test.__name__
            finally:
                world.chain.revert(mark)
    return None


def require_killed(world: World, put: Put, kind: str, column: str, value: object) -> None:
    require_control(world, put, kind, column)
    if find_failure(world, put, mutate(kind, column, value), ActionKind[kind], column) is None:
        # Another cell of the row makes it the same: then the generator must not let such a row through.
        with pytest.raises(TableInvalid) as refusal:
            check_table(mutate(kind, column, value))
        assert (refusal.value.kind, refusal.value.column) == (kind, column)
        assert (column, value) == ("provenAt", "RAISE"), "an unseen mutant"
        assert TABLE["rows"][kind]["epoch"] in WITHOUT_EPOCH


@cache
def require_control(world: World, put: Put, kind: str, column: str) -> None:
    """With the table as it is, every test of the column passes."""
    assert find_failure(world, put, TABLE, ActionKind[kind], column) is None


@pytest.mark.parametrize(("kind", "column", "value"), FEW)
def test_a_flipped_cell_fails_a_test(deployed_world, kind, column, value):
    require_killed(deployed_world, put_into_code, kind, column, value)


@pytest.mark.property("P-36")
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "column", "value"), MUTANTS)
def test_no_cell_can_be_flipped_unseen(mutable_world, kind, column, value):
    require_killed(mutable_world, put_beside_code, kind, column, value)


@pytest.mark.property("P-36")
@pytest.mark.slow
@pytest.mark.parametrize(("column", "value"), [mutant[1:] for mutant in MUTANTS if mutant[0] == "TRADE"])
@pytest.mark.parametrize("desk", ["DefaultDesk", "SaleDesk"])
def test_no_cell_of_a_trade_can_be_flipped_unseen_at_the_desks_for_defaults(hearing, desk, column, value):
    chain = hearing.court.world.chain
    mark = chain.snapshot()
    try:
        put_table(chain, mutate("TRADE", column, value))
        if (column, value) in UNREAD_AT_DESK:
            hearing.take(desk)
        else:
            with pytest.raises((AssertionError, Reverted, pytest.fail.Exception)):
                hearing.take(desk)
    finally:
        chain.revert(mark)


def test_every_cell_has_a_test():
    cells = {(kind, test.column) for test in COLUMN_TESTS for kind in test.kinds}
    assert cells == {(ActionKind[kind], column) for kind in TABLE["rows"] for column in TABLE["columns"]}


def test_the_library_holds_the_table(chain):
    library, _ = deploy_contract(chain, "TestHashes")
    word = encode_table(TABLE)
    for number, kind in enumerate(TABLE["kinds"]):
        row = (word >> (ROW_BITS * number)) & ((1 << ROW_BITS) - 1)
        if kind in TABLE["rows"]:
            assert library.call("ruleOf", number) == row, kind
        else:
            with pytest.raises(Reverted, match="ActionUnknown"):
                library.call("ruleOf", number)
            assert row == 0


@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [
        ("DEPOSIT", "flows", "SIDEWAYS"),
        ("DEPOSIT", "policy", "initial"),
        ("DEPOSIT", "policy", "chosen"),
        ("DEPOSIT", "provenAt", "SET"),
        ("CLOSE", "provenAt", "RAISE"),
        ("TRADE", "sides", "both"),
    ],
)
def test_a_row_that_no_contract_could_follow_is_refused(kind, column, value):
    with pytest.raises(TableInvalid) as refusal:
        check_table(mutate(kind, column, value))
    assert (refusal.value.kind, refusal.value.column, refusal.value.value) == (kind, column, value)


def test_a_row_without_a_cell_or_of_an_unknown_kind_is_refused():
    row = {column: value for column, value in TABLE["rows"]["CURE"].items() if column != "frozen"}
    for rows, kind in (({"CURE": row}, "CURE"), ({"SEIZE": TABLE["rows"]["CURE"]}, "SEIZE")):
        with pytest.raises(TableInvalid) as refusal:
            check_table({**TABLE, "rows": rows})
        assert refusal.value.kind == kind
