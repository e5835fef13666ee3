"""`zkmargin account`: what the chain and the wallet know of an account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.connection import Connection, PasswordFile, connect_contracts, read_password, with_wallet
from zkmargin.scripts.cli.options import AsJson, DeploymentFile, PresetName, RpcUrl

if TYPE_CHECKING:
    from zkmargin.contracts.clearing_house import AccountView
    from zkmargin.contracts.vault import Payment

app = typer.Typer(
    help="Account numbers, what the chain stores, and recovery from chain and wallet.", no_args_is_help=True
)


@app.command("id")
def show_id(
    deployment: DeploymentFile,
    auth: Annotated[str, typer.Option(help="Address that signs.")],
    index: int = 0,
    as_json: AsJson = False,
) -> None:
    """The account number of an address, before it is opened.

    Example: zkmargin account id --deployment deployment.json --auth 0x7099…79C8
    """
    from zkmargin.contracts.deployment import Deployment
    from zkmargin.engine.errors import WrongKind
    from zkmargin.prover.account.account import compute_account_id
    from zkmargin.prover.messages.fields import to_address

    try:
        to_address(auth)
    except ValueError as error:
        raise WrongKind("auth", auth, str(error)) from None
    number = compute_account_id(Deployment.load(deployment).domain, auth, index)
    console.show_values("Account number", {"auth": auth, "index": index, "account": "0x" + number.hex()}, as_json)


@app.command("show")
@with_wallet
def show(
    connection: Connection,
    account: Annotated[
        str | None, typer.Option(help="Account number, 0x-hex: what the chain has of it, without any wallet.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """An account: what the chain stores of it and, for the wallet's own, positions, cash and payments that wait.

    Example: zkmargin account show --keystore alice.json
    """
    if account is not None:
        number = parse_number(account)
        view = connect_contracts(connection.rpc_url, connection.deployment).house.get_account(number)
        console.show_values(f"Account {account}", describe_account(number, view), as_json)
        return
    with connection.resume() as (node, trader):
        document = describe_account(trader.id, node.contracts.house.get_account(trader.id))
        document |= {"cash_usd6": trader.state.cash, "positions": dict(trader.positions)}
        document |= {"payments": [describe_payment(payment) for payment in trader.payments]}
    console.show_values(f"Account {document['account']}", document, as_json)


def describe_account(number: bytes, view: AccountView) -> dict[str, Any]:
    """What the chain stores of an account, as JSON: a commitment, and no position."""
    return {
        "account": "0x" + number.hex(),
        "auth": view.auth,
        "status": view.status.name.lower(),
        "key_version": view.key_version,
        "generation": view.generation,
        "may_hold_derivatives": view.may_hold_derivatives,
        "proven": view.margin.name.lower(),
        "proven_at": view.proven_at,
        "proven_epoch": view.proven_epoch,
        "commitment": str(view.commitment),
    }


def describe_payment(payment: Payment) -> dict[str, Any]:
    """A payment that is not yet made, as JSON; `due_at` is seconds of the live clock."""
    return {
        "recipient": payment.recipient,
        "token": payment.token,
        "amount": str(payment.amount),
        "due_at": payment.due_at,
        "state": payment.state.name.lower(),
    }


@app.command("recover")
def recover(
    deployment: DeploymentFile,
    rpc_url: RpcUrl,
    keystore: Annotated[
        Path | None, typer.Option(help="Encrypted wallet file (Web3 secret storage); the password is asked for.")
    ] = None,
    key_file: Annotated[
        list[Path] | None, typer.Option(help="Key file of an account whose wallet cannot derive its key; repeatable.")
    ] = None,
    preset: Annotated[PresetName, typer.Option(help="Size of the deployment's statement.")] = PresetName.STANDARD,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild every account of a wallet, and of key files, from chain events alone; exit code 1 if one cannot be.

    Example: zkmargin account recover --deployment deployment.json --rpc-url http://127.0.0.1:8545 --keystore w.json
    """
    if keystore is None and not key_file:
        raise typer.BadParameter("--keystore or --key-file is needed")
    from zkmargin.engine.presets import get_preset
    from zkmargin.prover.account.key_file import load_key_file
    from zkmargin.prover.account.recovery import recover_accounts
    from zkmargin.venue.keystore import open_keystore

    wallet = open_keystore(keystore, read_password(password_file)) if keystore else None
    keys = dict(map(load_key_file, key_file or ()))
    size = get_preset(preset.value)
    venue = connect_contracts(rpc_url, deployment)
    records = venue.read_records(size)
    found = recover_accounts(wallet, venue.domain, size, records.history, records.settlements, keys)
    document: list[dict[str, Any]] = [
        {
            "account": "0x" + account.id.hex(),
            "nonce": account.nonce,
            "cash_usd6": account.state.cash,
            "positions": {str(slot): int(lots) for slot, lots in enumerate(account.state.positions) if lots},
        }
        for account in found.accounts
    ]
    failed = [{"account": "0x" + failure.account.hex(), "reason": failure.reason} for failure in found.failures]
    if as_json:
        console.print_json({"recovered": document, "failed": failed})
    for item in document if not as_json else ():
        console.out.print(
            console.make_key_values(
                item["account"], {"nonce": item["nonce"], "cash": item["cash_usd6"], **item["positions"]}
            )
        )
    if not (document or failed or as_json):
        owner = wallet.address if wallet else "these key files"
        console.out.print(f"no account of {owner} up to block {records.block.number}")
    for item in failed if not as_json else ():
        console.out.print(f"not recovered: {item['account']}: {item['reason']}")
    if failed:
        raise typer.Exit(1)


def parse_number(text: str, what: str = "account") -> bytes:
    """32 bytes of 0x-hex: an account's number, by default."""
    try:
        number = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        number = b""
    if len(number) != 32:
        raise typer.BadParameter(f"{what} {text!r}: 32 bytes in hex are needed")
    return number
