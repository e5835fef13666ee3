"""`zkmargin prove` and `zkmargin verify`: a portfolio's margin proved off-chain, and the proof checked by anyone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict, cast

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Market, MarketPreset, PolicyName, Portfolio, PresetName

if TYPE_CHECKING:
    from zkmargin.engine.account import AccountState
    from zkmargin.engine.epoch.record import Epoch
    from zkmargin.prover.account.account import Account
    from zkmargin.prover.actions.transition import AnyTransition, Transition
    from zkmargin.prover.attestation import ProvenAttestation
    from zkmargin.prover.groth16.keys import VerifyingKey
    from zkmargin.prover.messages.records import Attestation
    from zkmargin.prover.messages.typed_data import Domain

RECIPIENT, CHALLENGE = "0x" + "00" * 19 + "03", bytes(32)
FIELDS = {"preset": str, "market": str, "policy": str, "commitment": str, "attestation": dict}
"""What a proof file has that `verify` reads, with the type of each."""


class ProofFile(TypedDict):
    """What `zkmargin prove` writes."""

    preset: str
    """Size of the statement."""
    market: str
    """As it was asked for: a shipped market's name, or a path."""
    policy: str
    """Its name."""
    policy_hash: NotRequired[str]
    """Of the policies that were built, 0x-hex."""
    snapshot_hash: NotRequired[str]
    """Of the market, 0x-hex; `verify` compares it."""
    time: NotRequired[int]
    """Of the market, unix seconds."""
    key_hash: NotRequired[str]
    """Of the verification key, 0x-hex; `verify` compares it."""
    commitment: str
    """The portfolio's, a decimal number."""
    attestation: dict[str, Any]
    """The message with its proof."""


def make_domain() -> Domain:
    """A deployment that does not exist: these proofs are for a look at the prover, no chain will take them."""
    from zkmargin.prover.messages.typed_data import Domain

    return Domain(chain_id=31337, clearing_house="0x" + "00" * 19 + "01", risk_oracle="0x" + "00" * 19 + "02")


def prove(
    portfolio: Portfolio,
    market: Market = DEFAULT_MARKET,
    policy: Annotated[PolicyName, typer.Option(help="What the portfolio shall meet.")] = PolicyName.INITIAL,
    preset: MarketPreset = None,
    out: Annotated[Path, typer.Option(help="Where the proof and its public facts are written.")] = Path("proof.json"),
    as_json: AsJson = False,
) -> None:
    """Prove that a hidden portfolio meets a policy. Refuses before proving, with what is missing, when it does not.

    Example: zkmargin prove --portfolio hedged_vol_book --policy maintenance --out proof.json
    """
    from zkmargin.engine.account import load_portfolio
    from zkmargin.engine.house import House
    from zkmargin.prover.attestation import ProvenAttestation
    from zkmargin.scripts.cli.inputs import load_market, load_state, require_writable

    require_writable(out, portfolio, market)
    held, snapshot = load_portfolio(portfolio), load_market(market, preset)
    built = House(snapshot).epoch(1)
    account, transition = _attest(load_state(held, snapshot, market), built, policy.value)
    proof, key_hash, seconds = _prove(transition, built)
    document: ProofFile = {
        "preset": snapshot.listing.preset.name,
        "market": market,
        "policy": policy.value,
        "policy_hash": "0x" + built.policy_hash.hex(),
        "snapshot_hash": "0x" + built.snapshot_hash.hex(),
        "time": built.time,
        "key_hash": "0x" + key_hash.hex(),
        "commitment": str(account.commitment),
        "attestation": ProvenAttestation(message=transition.message, proof=proof).to_json_dict(),
    }
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    summary = {
        "policy": policy.value,
        "commitment": document["commitment"],
        "seconds": round(seconds, 3),
        "written": str(out),
    }
    console.show_values("Proved, and verified before it was released", summary, as_json)


def _attest(state: AccountState, built: Epoch, policy: str) -> tuple[Account, Transition[Attestation]]:
    """A fresh wallet's account with that state, and its attestation of the policy."""

    from zkmargin.prover.account.account import Account, compute_account_id, derive_key
    from zkmargin.prover.attestation import AttestationRequest, build_attestation
    from zkmargin.prover.messages.wallet import Wallet
    from zkmargin.prover.session import Session

    domain, wallet, generation = make_domain(), Wallet.create(), built.generation
    key = derive_key(wallet, domain, compute_account_id(domain, wallet.address, 0))
    fresh = Account.create(domain, wallet.address, 0, key, built.snapshot.listing.preset, generation)
    account = fresh.advance(state, generation)
    session = Session(domain, built.snapshot.listing.preset, 1, built, valid_until=(1 << 40) - 1)
    asked = AttestationRequest(account.id, policy, RECIPIENT, CHALLENGE)
    return account, build_attestation(session, account, asked)


def _prove(transition: AnyTransition, built: Epoch) -> tuple[bytes, bytes, float]:
    """The proof's bytes, the hash of the key that it verifies under, and the seconds that it took."""
    from zkmargin.prover.groth16.keys import load_proving_key
    from zkmargin.prover.groth16.provers import TransitionProver

    size = built.snapshot.listing.preset
    with console.show_steps(2) as steps:
        steps.start(f"loading the key of {size.name}")
        prover = TransitionProver(load_proving_key("transition", size, allow_insecure=True), size)
        steps.done()
        steps.start("proving")
        start = time.perf_counter()
        proof = prover.prove(transition)
        seconds = time.perf_counter() - start
        steps.done()
    return proof.to_bytes(), prover.key.verifying_key.hash, seconds


def verify(
    proof: Annotated[Path, typer.Argument(help="A file that `zkmargin prove` wrote.")],
    market: Annotated[
        str | None, typer.Option(help="The market to build the policy from; by default the one that the file names.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="Verification key, as `zkmargin key export` writes it; by default this machine's."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof: the policy is built again from the market, so only the commitment is taken from the file.

    Checked: that the proof verifies under the key, for that policy of that market and that commitment. Only claimed:
    where the market's numbers come from, which is the text of its source.

    Example: zkmargin verify proof.json --key transition.vkey.json
    """
    from zkmargin.engine.house import House
    from zkmargin.scripts.cli.inputs import load_market

    document, commitment, shown = _read_proof(proof)
    built = House(load_market(market or document["market"], document["preset"])).epoch(1)
    verifying = _load_key(key, document["preset"])
    refusal = _find_other(document, built, verifying)
    refusal = refusal or _find_refusal(shown, commitment, document["policy"], built, verifying)
    if as_json:
        checked = {"key_hash": "0x" + verifying.hash.hex(), "snapshot_hash": "0x" + built.snapshot_hash.hex()}
        claimed = {"source": built.snapshot.source, "time": built.time}
        console.print_json({"valid": refusal is None, "reason": refusal, "checked": checked, "claimed": claimed})
    elif refusal is None:
        console.out.print(f"valid: the committed portfolio meets {document['policy']!r} at the market of {built.time}")
        console.out.print(f"checked: proof, policy, key 0x{verifying.hash.hex()}")
        console.out.print(f"claimed by the market file, not checked: {built.snapshot.source}")
    else:
        console.out.print(f"not valid: {refusal}")
    if refusal is not None:
        raise typer.Exit(1)


def _read_proof(path: Path) -> tuple[ProofFile, int, ProvenAttestation]:
    """The fields of a proof file, its commitment and its attestation; raises `MalformedFile`, `UnknownName`."""
    from zkmargin.engine.errors import MalformedFile, UnknownName
    from zkmargin.engine.files import read_object
    from zkmargin.prover.attestation import ProvenAttestation

    document = read_object(path)
    for name, kind in FIELDS.items():
        if type(document.get(name)) is not kind:
            raise MalformedFile(path, f"{name} is {document.get(name)!r:.80}; allowed: a {kind.__name__}")
    for name, allowed in (("preset", PresetName), ("policy", PolicyName)):
        if document[name] not in set(allowed):
            raise UnknownName(f"{name} in {path}", document[name], allowed)
    commitment = document["commitment"]
    if not (commitment.isascii() and commitment.isdigit() and len(commitment) <= 78):
        raise MalformedFile(path, f"commitment is {commitment!r:.80}; allowed: a decimal number")
    return cast(ProofFile, document), int(commitment), ProvenAttestation.parse(document["attestation"])


def _load_key(path: Path | None, preset: str) -> VerifyingKey:
    """The verification key of a file, or this machine's."""
    from zkmargin.engine.errors import MalformedFile
    from zkmargin.engine.files import read_object
    from zkmargin.engine.presets import get_preset
    from zkmargin.prover.errors import ProverError
    from zkmargin.prover.groth16.keys import VerifyingKey, load_verifying_key

    if path is None:
        return load_verifying_key("transition", get_preset(preset), allow_insecure=True)
    try:
        return VerifyingKey.from_json(read_object(path))
    except (ProverError, KeyError, TypeError, ValueError) as error:
        raise MalformedFile(path, f"no verification key: {error}") from None


def _find_other(document: ProofFile, built: Epoch, key: VerifyingKey) -> str | None:
    """What the file says that it was proved with, where that is another key or another market than what is at hand."""
    for what, name, found in (("key", "key_hash", key.hash), ("market", "snapshot_hash", built.snapshot_hash)):
        claimed = document.get(name, "0x" + found.hex())
        if claimed != "0x" + found.hex():
            return f"another {what}: the file names {claimed}, at hand is 0x{found.hex()}"
    return None


def _find_refusal(
    shown: ProvenAttestation, commitment: int, policy: str, built: Epoch, key: VerifyingKey
) -> str | None:
    """Why the attestation does not show that the policy is met; None if it does."""
    from zkmargin.prover.attestation import AttestationRequest, ChainFacts, verify_attestation
    from zkmargin.prover.errors import AttestationRefused
    from zkmargin.prover.groth16.provers import TransitionVerifier

    size = built.snapshot.listing.preset
    chain = ChainFacts(  # of a deployment that does not exist: its account is active and its key live
        domain=make_domain(),
        verifier=TransitionVerifier(key, size),
        is_active=True,
        is_key_live=True,
        commitment=commitment,
        generation=built.generation,
        key_version=1,
        epoch=built.number,
        epoch_generation=built.generation,
        policy_hash=built.policy_hash,
        policy_bytes=built.policy_bytes,
        time=0,
    )
    asked = AttestationRequest(shown.message.account, policy, RECIPIENT, CHALLENGE)
    try:
        verify_attestation(shown, asked, chain)
    except AttestationRefused as error:
        return str(error)
    return None
