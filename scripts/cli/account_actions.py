"""Commands of `zkmargin account` that act: each proves on this machine and sends one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.connection import Connection, with_wallet
from zkmargin.scripts.cli.options import AsJson, Cash, Collateral, PolicyName

if TYPE_CHECKING:
    from zkmargin.contracts.chain import Receipt
    from zkmargin.contracts.trading import Trader
    from zkmargin.prover.client import SignedAction
    from zkmargin.venue.node import Node

Recipient = Annotated[str | None, typer.Option(help="Who is paid; by default the wallet.")]


def parse_lots(texts: Sequence[str]) -> dict[str, int]:
    """Lots by instrument name of NAME:LOTS."""
    from zkmargin.engine.desk.orders import parse_orders

    return {order.name: order.lots for order in parse_orders(texts)} if texts else {}


def show_receipt(title: str, trader: Trader, receipt: Receipt, as_json: bool) -> None:
    """The account and the transaction."""
    document = {
        "account": "0x" + trader.id.hex(),
        "transaction": receipt.transaction_hash,
        "block": receipt.block_number,
        "gas_used": receipt.gas_used,
    }
    console.show_values(title, document, as_json)


@with_wallet
def open_account(connection: Connection, as_json: AsJson = False) -> None:
    """Open the wallet's account of that index: empty, its viewing key escrowed to the committee.

    Example: zkmargin account open --keystore alice.json
    """
    with connection.join() as (node, wallet):
        trader = node.make_trader(wallet=wallet, index=connection.index, key=connection.read_viewing_key())
        show_receipt("Opened", trader, node.open_account(trader), as_json)


@with_wallet
def fund(
    connection: Connection,
    cash: Cash = "0",
    collateral: Collateral = (),  # type: ignore[assignment]
    mint: Annotated[bool, typer.Option("--mint", help="Make the test tokens first; development chains only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Pay the wallet's tokens into the account's inbox; `account deposit` takes them into the hidden state.

    Example: zkmargin account fund --cash 10000 --mint --keystore alice.json
    """
    from zkmargin.contracts.chain import require_development_chain
    from zkmargin.contracts.errors import CallInvalid
    from zkmargin.engine.units import usd

    amount, lots = usd(cash), parse_lots(collateral)
    with connection.resume() as (node, trader):
        slots, contracts = node.read_lots(lots), node.contracts
        if mint:
            require_development_chain(node.chain, "test tokens")
            if amount > 0:
                contracts.cash.mint(node.submitter, amount)
            for slot, count in slots.items():
                contracts.weth.mint(node.submitter, count * contracts.deployment.vault_units.get(slot, 0))
        receipts = node.fund(trader, cash_usd6=amount, lots=slots)
        if not receipts:
            raise CallInvalid("what to fund", "nothing", "--cash or --collateral")
        show_receipt("Funded", trader, receipts[-1], as_json)


def _absorb(
    connection: Connection,
    title: str,
    cash: str,
    collateral: Sequence[str],
    make: Callable[[Node, Trader, int, Mapping[int, int]], SignedAction],
    as_json: bool,
) -> None:
    """An action that takes of the inbox: `make` is given micro-dollars and lots by slot, at the listing in force."""
    from zkmargin.engine.units import usd

    amount, lots = usd(cash), parse_lots(collateral)
    with connection.resume() as (node, trader):
        node.catch_up(trader)
        action = make(node, trader, amount, node.read_lots(lots))
        show_receipt(title, trader, node.submit(trader, action), as_json)


@with_wallet
def deposit(
    connection: Connection,
    cash: Cash = "0",
    collateral: Collateral = (),  # type: ignore[assignment]
    as_json: AsJson = False,
) -> None:
    """Take that much of the inbox into the hidden account.

    Example: zkmargin account deposit --cash 10000 --keystore alice.json
    """

    def make(node: Node, trader: Trader, amount: int, slots: Mapping[int, int]) -> SignedAction:
        return trader.client.deposit(amount, slots, deadline=node.deadline)

    _absorb(connection, "Deposited", cash, collateral, make, as_json)


@with_wallet
def withdraw(
    connection: Connection,
    cash: Cash = "0",
    collateral: Collateral = (),  # type: ignore[assignment]
    recipient: Recipient = None,
    flat: Annotated[
        bool, typer.Option("--flat", help="For an account without derivatives and debt: needs no epoch.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Pay out while the withdraw policy holds: debited at once, paid by `account claim` after the vault's delay.

    Example: zkmargin account withdraw --cash 500 --keystore alice.json
    """
    from zkmargin.engine.units import usd

    amount, lots = usd(cash), parse_lots(collateral)
    with connection.resume() as (node, trader):
        if flat:
            slots, to = node.read_lots(lots), recipient or trader.address
            action = trader.client.withdraw_flat(amount, slots, recipient=to, deadline=node.deadline)
            receipt = node.submit(trader, action)
        else:
            receipt = trader.withdraw(amount, lots, recipient=recipient)
        show_receipt("Withdrawn; `account claim` pays when it is due", trader, receipt, as_json)


@with_wallet
def claim(connection: Connection, as_json: AsJson = False) -> None:
    """Make the payments to the wallet that are due.

    Example: zkmargin account claim --keystore alice.json
    """
    with connection.resume() as (_, trader):
        show_receipt("Claimed", trader, trader.claim(), as_json)


@with_wallet
def attest(
    connection: Connection,
    policy: Annotated[
        PolicyName, typer.Option(help="Policy of the epoch; maintenance counts as solvency.")
    ] = PolicyName.MAINTENANCE,
    as_json: AsJson = False,
) -> None:
    """Show on chain that the account meets a policy at the latest epoch.

    Example: zkmargin account attest --keystore alice.json
    """
    with connection.resume() as (_, trader):
        show_receipt(f"Attested {policy.value}", trader, trader.attest(policy.value), as_json)


@with_wallet
def cure(
    connection: Connection,
    cash: Cash = "0",
    collateral: Collateral = (),  # type: ignore[assignment]
    as_json: AsJson = False,
) -> None:
    """Take that much of the inbox into the account and prove maintenance margin, in one transaction.

    Example: zkmargin account cure --cash 10000 --keystore alice.json
    """

    def make(node: Node, trader: Trader, amount: int, slots: Mapping[int, int]) -> SignedAction:
        return trader.client.cure(node.current_epoch(), amount, slots, deadline=node.deadline)

    _absorb(connection, "Cured", cash, collateral, make, as_json)


@with_wallet
def roll(connection: Connection, as_json: AsJson = False) -> None:
    """Take the account to the listing in force; nothing is sent if it is there.

    Example: zkmargin account roll --keystore alice.json
    """
    with connection.resume() as (node, trader):
        receipts = node.catch_up(trader, least=1)
        document = {
            "account": "0x" + trader.id.hex(),
            "listing_version": trader.client.account.generation,
            "transactions": [receipt.transaction_hash for receipt in receipts],
        }
    console.show_values("Rolled", document, as_json)


@with_wallet
def rekey(
    connection: Connection,
    new_key_file: Annotated[
        Path | None, typer.Option(help="Makes the new key here, for a wallet that cannot derive one: keep a copy.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Move the account to a new viewing key: who has the old one reads nothing that comes after.

    Example: zkmargin account rekey --keystore alice.json
    """
    from zkmargin.prover.account.key_file import create_key_file
    from zkmargin.prover.groth16.keys import load_proving_key
    from zkmargin.prover.groth16.provers import RekeyProver

    if (connection.key_file is None) != (new_key_file is None):
        raise typer.BadParameter("--key-file and --new-key-file are needed together: the new key goes into a new file")
    with connection.resume() as (node, trader):
        preset, allow = node.facts.preset, node.chain.is_development
        prover = RekeyProver(load_proving_key("rekey", preset, allow_insecure=allow), preset)
        key = create_key_file(new_key_file, trader.id) if new_key_file else None
        show_receipt("Moved to a new viewing key", trader, trader.rekey(prover, key), as_json)


@with_wallet
def close(connection: Connection, recipient: Recipient = None, as_json: AsJson = False) -> None:
    """Pay out everything and end the account for good; it must hold no derivatives and owe nothing.

    Example: zkmargin account close --keystore alice.json
    """
    with connection.resume() as (_, trader):
        show_receipt("Closed; `account claim` pays when it is due", trader, trader.close(recipient=recipient), as_json)


@with_wallet
def export(
    connection: Connection,
    out: Annotated[Path, typer.Option(help="Where the portfolio file goes; readable by you alone.")],
    name: Annotated[str, typer.Option(help="What the portfolio is called.")] = "account",
    as_json: AsJson = False,
) -> None:
    """Write positions by instrument name and cash as a portfolio file, which every other command reads.

    Example: zkmargin account export --out book.json --keystore alice.json
    """
    from zkmargin.engine.account import Portfolio
    from zkmargin.engine.files import PRIVATE, write_whole
    from zkmargin.scripts.cli.inputs import require_writable

    require_writable(out, connection.deployment, connection.keystore)
    with connection.resume() as (node, trader):
        portfolio = Portfolio.from_state(name, trader.state, node.listing)
    write_whole(out, portfolio.to_json(), mode=PRIVATE)
    if as_json:
        console.print_json({"written": str(out), "portfolio": json.loads(portfolio.to_json())})
    else:
        rows = [(item, f"{lots:+,}") for item, lots in portfolio.positions.items()]
        console.out.print(console.make_table(f"{out}: {portfolio.name}", ("instrument", "lots"), rows, right=(1,)))


COMMANDS: dict[str, Callable[..., None]] = {
    "open": open_account,
    "fund": fund,
    "deposit": deposit,
    "withdraw": withdraw,
    "claim": claim,
    "attest": attest,
    "cure": cure,
    "roll": roll,
    "rekey": rekey,
    "close": close,
    "export": export,
}
"""By name, for `zkmargin account`."""
