"""`zkmargin disclose`: one fact, or all, of a hidden account shown to one third party and checked against the chain."""

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
from zkmargin.scripts.cli.options import AsJson, DeploymentFile, RpcUrl

if TYPE_CHECKING:
    from zkmargin.contracts.trading import Venue
    from zkmargin.engine.margin.claims import Claim

app = typer.Typer(no_args_is_help=True, help="Show a third party one fact of a hidden account, or its whole state.")

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

    with connection.resume() as (node, trader):
        preset, allow = node.facts.preset, node.chain.is_development
        prover = RevealProver(load_proving_key("reveal", preset, allow_insecure=allow), preset)
        shown = disclose_state(prover, trader.client.account, node.domain, node.facts.key_version)
    _write(out, {"state": shown.to_json_dict()}, "its whole state", as_json)


@app.command()
def check(
    disclosure: Annotated[Path, typer.Argument(help="A file that `disclose claim` or `disclose state` wrote.")],
    deployment: DeploymentFile,
    rpc_url: RpcUrl,
    account: Annotated[str, typer.Option(help="The account that is meant, 0x-hex.")],
    recipient: Annotated[str, typer.Option(help="Your address; for a claim.")] = "0x" + "00" * 20,
    challenge: Annotated[str, typer.Option(help="The challenge that you chose; for a claim.")] = "0x" + "00" * 32,
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

    content, number, asked = read_object(disclosure), parse_number(account), parse_number(challenge, "challenge")
    reader = Venue.connect(rpc_url, deployment, Wallet.create())
    try:
        if "state" in content:
            shown = _check_state(reader, content["state"], number)
        else:
            shown = _check_claim(reader, content, number, recipient, asked, max_age)
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


def _check_claim(
    venue: Venue, content: Mapping[str, Any], account: bytes, recipient: str, challenge: bytes, max_age: int
) -> dict[str, Any]:
    """What a claim's file shows; raises `AttestationRefused`, or what says that it is no such file."""
    from zkmargin.engine.errors import OutOfRange
    from zkmargin.engine.margin.claims import read_claim, to_document
    from zkmargin.prover.attestation import AttestationRequest, ProvenAttestation
    from zkmargin.prover.disclosure import verify_claim
    from zkmargin.prover.errors import AttestationRefused

    claimed, shown = read_claim(content.get("claim") or {}), ProvenAttestation.parse(content.get("attestation"))
    number = shown.message.epoch
    epoch = venue.read_epoch(number)
    chain = venue.contracts.read_facts(account, number, venue.provers.transition, epoch.policy_bytes)
    if venue.contracts.oracle.is_revoked(number):
        raise AttestationRefused(f"epoch {number} was revoked")
    age = chain.time - epoch.time
    if age > max_age:
        raise OutOfRange("age of the prices, seconds", age, 0, max_age)
    verify_claim(shown, AttestationRequest(account, "", recipient, challenge), claimed, epoch, chain)
    return {"says": str(claimed), "claim": to_document(claimed), "epoch": number, "age": age}


def _check_state(venue: Venue, content: object, account: bytes) -> dict[str, Any]:
    """What a state's file shows; raises like `_check_claim`."""
    from zkmargin.prover.disclosure import ProvenState, verify_state
    from zkmargin.prover.groth16.keys import load_verifying_key
    from zkmargin.prover.groth16.provers import RevealVerifier

    preset = venue.facts.preset
    key = load_verifying_key("reveal", preset, allow_insecure=venue.chain.is_development)
    state = verify_state(ProvenState.parse(content), account, RevealVerifier(key, preset), venue.read_facts(account))
    names = {item.slot: item.name for item in venue.listing.instruments if item is not None}
    held = {names.get(slot, f"slot {slot}"): int(lots) for slot, lots in enumerate(state.positions) if lots}
    lots = ", ".join(f"{count} {name}" for name, count in held.items()) or "nothing"
    return {"says": f"holds {lots}; cash {state.cash / 1e6:,.6f} USD", "positions": held, "cash_usd6": state.cash}


def _write(out: Path, content: Mapping[str, Any], says: str, as_json: bool) -> None:
    out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if as_json:
        console.print_json({"shows": says, "written": str(out)})
    else:
        console.out.print(
            console.make_key_values("Proved, and verified before it was released", {"shows": says, "written": str(out)})
        )
