"""`zkmargin disclose`: one fact, all, or a period of a hidden account, shown to one third party and checked."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.account import parse_number
from zkmargin.scripts.cli.connection import Connection, with_wallet
from zkmargin.scripts.cli.inputs import require_writable
from zkmargin.scripts.cli.options import AsJson, DeploymentFile, RpcUrl

if TYPE_CHECKING:
    from zkmargin.contracts.risk_oracle import RiskOracle
    from zkmargin.contracts.trading import Venue
    from zkmargin.contracts.venue import Contracts
    from zkmargin.engine.margin.claims import Claim
    from zkmargin.engine.presets import Preset
    from zkmargin.prover.attestation import AttestationRequest

app = typer.Typer(
    no_args_is_help=True, help="Show a third party one fact of a hidden account, its whole state, or a period."
)

Out = Annotated[Path, typer.Option(help="Where the file for the recipient is written.")]
Recipient = Annotated[str, typer.Option(help="Address of who asks.")]
Challenge = Annotated[str, typer.Option(help="32 bytes, 0x-hex, that the recipient chose: `disclose challenge`.")]


@app.command()
def challenge(as_json: AsJson = False) -> None:
    """Draw a challenge: 32 random bytes that one disclosure has to answer.

    Example: zkmargin disclose challenge
    """
    drawn = "0x" + secrets.token_hex(32)
    if as_json:
        console.print_json({"challenge": drawn})
    else:
        console.out.print(drawn)


@app.command()
@with_wallet
def claim(
    connection: Connection,
    recipient: Recipient,
    challenge: Challenge,
    name: Annotated[str | None, typer.Option(help="A claim that is shipped, as survives_20 or ratio_150.")] = None,
    position: Annotated[str | None, typer.Option(help="Show how many lots of this instrument it holds.")] = None,
    document: Annotated[Path | None, typer.Option(help="A claim of your own, as JSON (docs/disclosure.md).")] = None,
    out: Out = Path("disclosure.json"),
    as_json: AsJson = False,
) -> None:
    """Prove one claim about the account to whoever chose the challenge; nothing else is shown.

    Example: zkmargin disclose claim --name survives_20 --recipient 0x... --challenge 0x... --keystore alice.json
    """
    from zkmargin.engine.margin.claims import PositionClaim, to_document
    from zkmargin.prover.attestation import ProvenAttestation
    from zkmargin.prover.disclosure import build_claim

    _require_out(out, connection, document)
    chosen, given = _choose(name, position, document), parse_number(challenge, "challenge")
    with connection.resume() as (node, trader):
        node.catch_up(trader)
        if position is not None:
            lots = trader.positions.get(position, 0)
            chosen = PositionClaim(position, lots, lots)
        assert chosen is not None
        epoch = node.current_epoch()
        session, account = node.begin(epoch), trader.client.account
        transition = build_claim(session, account, epoch, chosen, recipient, given)
        proof = node.provers.transition.prove(transition)
        shown = ProvenAttestation(message=transition.message, proof=proof.to_bytes())
        content = {"claim": to_document(chosen), "attestation": shown.to_json_dict()}
    _write(out, content, str(chosen), as_json)


@app.command()
@with_wallet
def state(connection: Connection, out: Out = Path("disclosure.json"), as_json: AsJson = False) -> None:
    """Prove the whole state: cash and every position, but no key. It can be shown on, and names no recipient.

    Example: zkmargin disclose state --keystore alice.json --out state.json
    """
    from zkmargin.prover.disclosure import disclose_state
    from zkmargin.prover.groth16.keys import load_proving_key
    from zkmargin.prover.groth16.provers import RevealProver

    _require_out(out, connection)
    with connection.resume() as (node, trader):
        preset, allow = node.facts.preset, node.chain.is_development
        prover = RevealProver(load_proving_key("reveal", preset, allow_insecure=allow), preset)
        shown = disclose_state(prover, trader.client.account, node.domain, node.facts.key_version)
    _write(out, {"state": shown.to_json_dict()}, "its whole state", as_json)


@app.command()
@with_wallet
def period(
    connection: Connection,
    number: Annotated[int, typer.Option(min=0, help="How many changes of the viewing key come before it.")] = 0,
    present: Annotated[
        bool, typer.Option("--present", help="Also the present period, whose key opens what is still to come.")
    ] = False,
    out: Out = Path("disclosure.json"),
    as_json: AsJson = False,
) -> None:
    """Give away the viewing key of a period that a later key ended: all of the account in it, and nothing else.

    Example: zkmargin disclose period --number 0 --keystore alice.json --out period.json
    """
    from zkmargin.prover.account.account import compute_account_id, derive_key
    from zkmargin.prover.account.recovery import count_rekeys, trace_period

    _require_out(out, connection)
    with connection.join() as (node, wallet):
        records = node.contracts.read_records(node.facts.preset)
        account = compute_account_id(node.domain, wallet.address, connection.index)
        if number == count_rekeys(account, records.history) and not present:
            raise typer.BadParameter(
                f"period {number} is the present one: its key opens what is still to come; move to another key first, "
                "or give --present"
            )
        key = connection.read_viewing_key() or derive_key(wallet, node.domain, account, number)
        traced = trace_period(
            account, records.history, node.domain, node.facts.preset, records.settlements, key, number
        )
        states = sum(1 for _ in traced)
        content = {"account": "0x" + account.hex(), "number": number, "key": f"0x{key.reveal():064x}"}
    _write(out, {"period": content}, f"the viewing key of period {number}: {states} states", as_json)


@app.command()
def check(
    disclosure: Annotated[Path, typer.Argument(help="A file that another command of `disclose` wrote.")],
    deployment: DeploymentFile,
    rpc_url: RpcUrl,
    account: Annotated[str, typer.Option(help="The account that is meant, 0x-hex.")],
    recipient: Annotated[str | None, typer.Option(help="Your address; needed for a claim.")] = None,
    challenge: Annotated[str | None, typer.Option(help="The challenge that you chose; needed for a claim.")] = None,
    max_age: Annotated[int, typer.Option(min=0, help="Oldest prices of a claim, seconds.")] = 3600,
    as_json: AsJson = False,
) -> None:
    """Check a disclosure against the chain, and say what it shows. Needs no wallet and sends nothing.

    Example: zkmargin disclose check disclosure.json --account 0x... --recipient 0x... --challenge 0x...
    """
    from zkmargin.contracts.trading import Venue
    from zkmargin.engine.files import read_object
    from zkmargin.prover.errors import AttestationRefused
    from zkmargin.prover.messages.wallet import Wallet

    content, number = read_object(disclosure), parse_number(account)
    asked = None if {"state", "period"} & content.keys() else _read_request(number, recipient, challenge)
    reader = Venue.connect(rpc_url, deployment, Wallet.create())
    try:
        if "period" in content:
            shown = _check_period(reader.contracts, reader.facts.preset, content["period"], number)
        elif asked is None:
            shown = _check_state(reader, content["state"], number)
        else:
            shown = _check_claim(reader, content, asked, max_age)
        reason = None
    except AttestationRefused as error:
        shown, reason = {}, str(error)
    if as_json:
        console.print_json({"valid": reason is None, "reason": reason, "shows": shown})
    else:
        console.out.print(f"not valid: {reason}" if reason else f"valid: the account {shown['says']}")
    if reason is not None:
        raise typer.Exit(1)


def _choose(name: str | None, position: str | None, document: Path | None) -> Claim | None:
    """The claim that the options name; None where the account's own position is still to be read."""
    from zkmargin.engine.errors import UnknownName
    from zkmargin.engine.files import read_object
    from zkmargin.engine.margin.claims import load_claims, read_claim

    if sum(option is not None for option in (name, position, document)) != 1:
        raise typer.BadParameter("one of --name, --position and --document is needed")
    if name is not None:
        claims = load_claims()
        if name not in claims:
            raise UnknownName("claim", name, claims)
        return claims[name]
    return None if document is None else read_claim(read_object(document))


def _read_request(account: bytes, recipient: str | None, challenge: str | None) -> AttestationRequest:
    """What the recipient asked for; a claim is checked against nothing else than its own address and challenge."""
    from zkmargin.prover.attestation import AttestationRequest

    if recipient is None or challenge is None:
        raise typer.BadParameter("a claim is checked for its recipient: --recipient and --challenge are needed")
    return AttestationRequest(account, "", recipient, parse_number(challenge, "challenge"))


def _check_claim(venue: Venue, content: Mapping[str, Any], asked: AttestationRequest, max_age: int) -> dict[str, Any]:
    """What a claim's file shows; raises `AttestationRefused`, or what says that it is no such file."""
    from zkmargin.engine.errors import OutOfRange
    from zkmargin.engine.margin.claims import read_claim, to_document
    from zkmargin.prover.attestation import ProvenAttestation
    from zkmargin.prover.disclosure import verify_claim

    claimed, shown = read_claim(content.get("claim") or {}), ProvenAttestation.parse(content.get("attestation"))
    number = shown.message.epoch
    _require_serving(venue.contracts.oracle, number)
    epoch = venue.read_epoch(number)
    chain = venue.contracts.read_facts(asked.account, number, venue.provers.transition, epoch.policy_bytes)
    age = chain.time - epoch.time
    if age > max_age:
        raise OutOfRange("age of the prices, seconds", age, 0, max_age)
    verify_claim(shown, asked, claimed, epoch, chain)
    return {"says": str(claimed), "claim": to_document(claimed), "epoch": number, "age": age}


def _require_serving(oracle: RiskOracle, number: int) -> None:
    """Raises `AttestationRefused` for an epoch whose prices the venue takes no more: superseded, or revoked."""
    from zkmargin.prover.errors import AttestationRefused

    lowest = oracle.get_min_epoch()
    if number < lowest:
        raise AttestationRefused(f"epoch {number} was superseded; the lowest that serves is {lowest}")
    if oracle.is_revoked(number):
        raise AttestationRefused(f"epoch {number} was revoked")


def _check_state(venue: Venue, content: object, account: bytes) -> dict[str, Any]:
    """What a state's file shows; raises like `_check_claim`."""
    from zkmargin.prover.disclosure import ProvenState, verify_state
    from zkmargin.prover.groth16.keys import load_verifying_key
    from zkmargin.prover.groth16.provers import RevealVerifier

    preset = venue.facts.preset
    key = load_verifying_key("reveal", preset, allow_insecure=venue.chain.is_development)
    epoch = venue.current_epoch()
    facts = venue.contracts.read_facts(account, epoch.number, venue.provers.transition, epoch.policy_bytes)
    state = verify_state(ProvenState.parse(content), account, RevealVerifier(key, preset), facts)
    names = {item.slot: item.name for item in epoch.snapshot.listing.instruments if item is not None}
    held = {names.get(slot, f"slot {slot}"): int(lots) for slot, lots in enumerate(state.positions) if lots}
    lots = ", ".join(f"{count} {name}" for name, count in held.items()) or "nothing"
    return {"says": f"holds {lots}; cash {state.cash / 1e6:,.6f} USD", "positions": held, "cash_usd6": state.cash}


def _check_period(contracts: Contracts, preset: Preset, content: object, account: bytes) -> dict[str, Any]:
    """Every state of the account in the period whose viewing key the file has; raises like `_check_claim`."""
    from zkmargin.prover.account.key_file import read_hex_secret
    from zkmargin.prover.account.recovery import Transitioned, count_rekeys, trace_period
    from zkmargin.prover.errors import AttestationRefused, OutOfRange, RecoveryError

    if not isinstance(content, dict) or type(number := content.get("number")) is not int:
        raise AttestationRefused("the file has no period: account, number and key")
    if content.get("account") != "0x" + account.hex():
        raise AttestationRefused("the file is of another account")
    records = contracts.read_records(preset)
    states = []
    try:
        key = read_hex_secret(content.get("key"))
        for event, after in trace_period(
            account, records.history, contracts.domain, preset, records.settlements, key, number
        ):
            name = event.kind.name if isinstance(event, Transitioned) else type(event).__name__
            states.append(
                {
                    "event": name.lower(),
                    "generation": after.generation,
                    "commitment": str(after.commitment),
                    "cash_usd6": after.state.cash,
                    "positions": {str(slot): int(lots) for slot, lots in enumerate(after.state.positions) if lots},
                }
            )
    except (ValueError, OutOfRange, RecoveryError) as error:
        raise AttestationRefused(str(error)) from None
    ended = number < count_rekeys(account, records.history)
    says = f"had {len(states)} states in period {number}, which {'has ended' if ended else 'goes on'}"
    return {"says": says, "period": number, "has_ended": ended, "states": states}


def _require_out(out: Path, connection: Connection, document: Path | None = None) -> None:
    """Refuses, before anything is proved, an output that would take the place of what the command reads."""
    read = (connection.keystore, connection.password_file, connection.key_file, connection.deployment)
    require_writable(out, *read, document)


def _write(out: Path, content: Mapping[str, Any], says: str, as_json: bool) -> None:
    """Puts the file in its place, readable by its owner alone."""
    from zkmargin.engine.files import PRIVATE, write_whole

    write_whole(out, json.dumps(content, indent=2) + "\n", mode=PRIVATE)
    console.show_values("Proved, and verified before it was released", {"shows": says, "written": str(out)}, as_json)
