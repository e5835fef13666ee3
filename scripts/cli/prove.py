"""`zkmargin prove` and `zkmargin verify`: a portfolio's margin proved off-chain, and the proof checked by anyone."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from eth_account import Account as EthAccount

from zkmargin.engine.account import load_portfolio
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.house import House
from zkmargin.engine.market.snapshot import MarketSnapshot, load_snapshot, reduce_to_mini
from zkmargin.prover.account.account import Account, compute_account_id, derive_key
from zkmargin.prover.attestation import ChainFacts, ProvenAttestation, build_attestation, verify_attestation
from zkmargin.prover.errors import AttestationRefused
from zkmargin.prover.groth16.keys import load_proving_key, load_verifying_key
from zkmargin.prover.groth16.provers import TransitionProver, TransitionVerifier
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.messages.wallet import LocalWallet
from zkmargin.scripts.cli import console

DOMAIN = Domain(chain_id=31337, clearing_house="0x" + "00" * 19 + "01", risk_oracle="0x" + "00" * 19 + "02")
"""A deployment that does not exist: these proofs are for a look at the prover, no chain will take them."""
RECIPIENT, CHALLENGE = "0x" + "00" * 19 + "03", bytes(32)


def _load(market: str, preset: str) -> tuple[MarketSnapshot, Epoch]:
    snapshot = load_snapshot(market)
    if preset == "mini":
        snapshot = reduce_to_mini(snapshot)
    return snapshot, House(snapshot).epoch(1)


def prove(
    portfolio: Annotated[str, typer.Option(help="A shipped portfolio's name, or the path of a JSON file.")],
    market: Annotated[
        str, typer.Option(help="A shipped market's name, or the path of a JSON file.")
    ] = "deribit_2026-08-22",
    policy: Annotated[str, typer.Option(help="initial, maintenance, withdraw or net_delta.")] = "initial",
    preset: Annotated[str, typer.Option(help="standard, or mini for the market's reduced listing.")] = "standard",
    out: Annotated[Path, typer.Option(help="Where the proof and its public facts are written.")] = Path("proof.json"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
):
    """Prove that a hidden portfolio meets a policy. Refuses before proving, with what is missing, when it does not.

    Example: zkmargin prove --portfolio hedged_vol_book --policy maintenance --out proof.json
    """
    snapshot, built = _load(market, preset)
    size, state = snapshot.listing.preset, load_portfolio(portfolio).to_state(snapshot.listing)
    wallet = LocalWallet(EthAccount.create())
    number = compute_account_id(DOMAIN, wallet.address, 0)
    fresh = Account.create(DOMAIN, wallet.address, 0, derive_key(wallet, DOMAIN, number), size, built.generation)
    account = fresh.advance(state, built.generation)
    transition = build_attestation(
        account,
        policy,
        domain=DOMAIN,
        key_version=1,
        epoch=built,
        recipient=RECIPIENT,
        challenge=CHALLENGE,
        valid_until=(1 << 40) - 1,
    )
    with console.show_steps(2) as steps:
        steps.start(f"loading the key of {size.name}")
        prover = TransitionProver(load_proving_key("transition", size, allow_insecure=True), size)
        steps.done()
        steps.start("proving")
        start = time.perf_counter()
        proof = prover.prove(transition)
        seconds = time.perf_counter() - start
        steps.done()
    shown = ProvenAttestation(message=transition.message, proof=proof.to_bytes())
    document = {
        "preset": size.name,
        "market": market,
        "policy": policy,
        "policy_hash": "0x" + built.policy_hash.hex(),
        "commitment": str(account.commitment),
        "attestation": shown.to_json_dict(),
    }
    out.write_text(json.dumps(document, indent=2) + "\n")
    summary = {
        "policy": policy,
        "commitment": document["commitment"],
        "seconds": round(seconds, 3),
        "written": str(out),
    }
    if as_json:
        console.print_json(summary)
    else:
        console.out.print(console.make_key_values("Proved, and verified before it was released", summary))


def verify(
    proof: Annotated[Path, typer.Argument(help="A file that `zkmargin prove` wrote.")],
    market: Annotated[
        str | None, typer.Option(help="The market to build the policy from; by default the one that the file names.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a line.")] = False,
):
    """Check a proof: the policy is built again from the market, so only the commitment is taken from the file.

    Example: zkmargin verify proof.json
    """
    document = json.loads(proof.read_text())
    snapshot, built = _load(market or document["market"], document["preset"])
    size = snapshot.listing.preset
    shown = ProvenAttestation.parse(document["attestation"])
    verifier = TransitionVerifier(load_verifying_key("transition", size, allow_insecure=True), size)
    facts = ChainFacts(  # of a deployment that does not exist: its account is active and its key live
        is_active=True,
        is_key_live=True,
        commitment=int(document["commitment"]),
        generation=built.generation,
        key_version=1,
        epoch=built.number,
        epoch_generation=built.generation,
        policy_hash=built.policy_hash,
    )
    refusal = None
    try:
        verify_attestation(
            shown, facts, verifier, domain=DOMAIN, preset=size, policy_bytes=built.policy_bytes,
            account=shown.message.account,
            policy=document["policy"], recipient=RECIPIENT, challenge=CHALLENGE, now=0,
        )  # fmt: skip
    except AttestationRefused as error:
        refusal = str(error)
    if as_json:
        console.print_json({"valid": refusal is None, "reason": refusal})
    elif refusal is None:
        console.out.print(
            f"valid: the committed portfolio meets {document['policy']!r} at {built.snapshot.source}", highlight=False
        )
    if refusal is not None:
        if not as_json:
            console.out.print(f"not valid: {refusal}", highlight=False, markup=False)
        raise typer.Exit(1)
