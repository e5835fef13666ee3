"""Deploys the whole system: key registry, which checks proofs, risk oracle, vault, the desks for accounts, batches and
defaults, the clearing house by which calls reach them, and what checks attestations for other contracts; on development
chains also test tokens.

The vault and the clearing house name each other, and both are immutable, so the clearing house's address is computed
before it exists (CREATE: deployer and nonce); its constructor refuses if that went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import rlp
from eth_typing import ABIFunction
from eth_utils.abi import function_abi_to_4byte_selector
from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

from zkmargin.contracts.chain import Chain, Receipt, require_accounts, require_development_chain
from zkmargin.contracts.compile import Artifact, compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.default_terms import DefaultTerms
from zkmargin.contracts.deployment import WETH_LOT, Deployment
from zkmargin.contracts.errors import AnswerMalformed, CallInvalid, DeploymentMismatch, Reverted
from zkmargin.contracts.key_material import KeyMaterial, encode_key
from zkmargin.contracts.messages import signer_id
from zkmargin.engine.units import SECONDS_PER_DAY
from zkmargin.prover.messages.fields import ZERO_ADDRESS, to_address
from zkmargin.prover.ranges import check_range

LEAST_DELAY = 14 * SECONDS_PER_DAY
"""Seconds that a later key version waits at least, except on development chains: time for everyone to leave before a
key that its owner could have forged is live."""

LEAST_SETTLEMENT_DELAY = 600
"""Seconds that a settlement waits at least, except on development chains: time for the guardian to look at it."""
LEAST_TIMELOCK = 2 * SECONDS_PER_DAY
"""Seconds from an owner's announcement to its act at least, except on development chains."""
ROUTED = ("DeadlineDesk", "DefaultDesk", "SaleDesk", "RekeyDesk")
"""Desks that are made between the vault and the clearing house, which finds them by the selector of a call."""
DECIMALS = {"cash": 6, "weth": 18}
"""Decimals of each token: a unit of cash is a micro-dollar, and `WETH_LOT` counts in wei."""


def deploy_contract(chain: Chain, name: str, *arguments: object, sender: str | None = None) -> tuple[Contract, Receipt]:
    """Deploys the contract of that name.

    Raises
    ------
    CallInvalid
        If no contract has that name.
    Reverted
        If its constructor refused.
    """
    artifacts = compile_contracts()
    if name not in artifacts or artifacts[name].bytecode == "0x":
        raise CallInvalid(
            "contract", name, f"one of {sorted(key for key, item in artifacts.items() if item.bytecode != '0x')}"
        )
    artifact = artifacts[name]
    factory = chain.w3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    receipt = chain.send(None, factory.constructor(*arguments).data_in_transaction, sender=sender, name=f"new {name}")
    if receipt.contract_address is None:
        raise AnswerMalformed(f"receipt of new {name}", "no contract's address")
    return Contract(chain, artifact, receipt.contract_address), receipt


def deploy(
    chain: Chain,
    keys: KeyMaterial,
    publishers: Sequence[str],
    *,
    threshold: int = 3,
    generation: int = 0,
    owner: str | None = None,
    guardian: str | None = None,
    activation_delay: int = 0,
    settlement_delay: int = 0,
    tokens: Mapping[str, str] | None = None,
    terms: DefaultTerms | None = None,
) -> Deployment:
    """Deploys everything from the node's first account and registers `keys` as version 1, which the desk for defaults
    serves.

    Parameters
    ----------
    publishers : sequence of str
        Whose signatures make an epoch, 0x-hex; at least three. Each is an address, or a verifier's address and a key
        (ERC-7913).
    threshold : int
        How many of them an epoch needs; more than half.
    generation : int
        Generation of the first listing.
    owner, guardian : str, optional
        Owner of registry and oracle, and who may pause, revoke, veto and suspend; the deployer by default, on
        development chains only. Elsewhere the owner is a timelock of at least `LEAST_TIMELOCK` (`deploy_timelock`
        makes one) and the guardian a third, who acts at once. The clearing house has no owner. The
        oracle is `owner`'s at once. The registry is handed over in two steps: the deployer, who registers version 1,
        names `owner` here, and stays its owner until `owner` calls `acceptOwnership`
        (`contracts.key_registry.KeyRegistry.accept_ownership`).
    activation_delay : int
        Seconds until a later key version is live; at least `LEAST_DELAY`, except on development chains.
    settlement_delay : int
        Seconds from the posting of a settlement until it serves, in which the guardian may veto it; at least
        `LEAST_SETTLEMENT_DELAY`, except on development chains, and half an hour at most.
    tokens : mapping of str to str, optional
        Addresses under "cash" and "weth"; by default test tokens are deployed, on development chains only.
    terms : DefaultTerms, optional
        Of defaults; the same bounds hold on every chain.

    Raises
    ------
    NotADevelopmentChain
        If the keys are insecure, test tokens are wanted, or a delay is below the least one, on any other chain.
    AccountsMissing
        If the node holds no account to send from.
    OutOfRange
        If a number is outside its range.
    CallInvalid
        If owner, guardian or a token's decimals are not what is asked for above.
    Reverted
        If a contract refused, for example a key that is not sound; carries the reason.
    """
    check_range("threshold", threshold, 1, 1 << 8)
    check_range("generation", generation, 0, 1 << 16)
    check_range("activation delay, seconds", activation_delay, 0, 1 << 40)
    check_range("settlement delay, seconds", settlement_delay, 0, 1 << 40)
    if keys.insecure:
        require_development_chain(chain)
    if tokens is None:
        require_development_chain(chain, "test tokens")
    if activation_delay < LEAST_DELAY:
        require_development_chain(chain, f"an activation delay of {activation_delay} s, below {LEAST_DELAY}")
    if settlement_delay < LEAST_SETTLEMENT_DELAY:
        require_development_chain(chain, f"a settlement delay of {settlement_delay} s, below {LEAST_SETTLEMENT_DELAY}")
    require_accounts(chain, 1)
    deployer = chain.accounts[0]
    owner, guardian = (
        _read_address(name, given or deployer) for name, given in (("owner", owner), ("guardian", guardian))
    )
    if not chain.is_development:
        _require_governance(chain, owner, guardian, deployer)
    if tokens:
        _require_decimals(chain, tokens)
    first = chain.get_block("latest")
    cash, weth = (tokens["cash"], tokens["weth"]) if tokens else _deploy_tokens(chain)
    (weth_slot,) = keys.preset.vault_slots

    registry, _ = deploy_contract(chain, "KeyRegistry", deployer, guardian, activation_delay)
    registry.send("register", encode_registration(keys))
    ordered = [bytes.fromhex(signer.removeprefix("0x")) for signer in sorted(publishers, key=signer_id)]
    oracle, _ = deploy_contract(
        chain, "RiskOracle", owner, guardian, registry.address, generation, settlement_delay, ordered, threshold
    )
    # The registry checks proofs, too.
    shared = (registry.address, oracle.address, registry.address)
    desk, _ = deploy_contract(chain, "AccountDesk", *shared)
    batches, _ = deploy_contract(chain, "BatchDesk", *shared, desk.call("WALLETS"))
    verifiers = _deploy_desk_verifiers(chain, keys)
    with chain.asking("eth_getTransactionCount"):
        nonce = int(chain.w3.eth.get_transaction_count(to_checksum_address(deployer)))
    expected = compute_create_address(deployer, nonce + 1 + len(ROUTED))
    vault, _ = deploy_contract(chain, "CollateralVault", expected, oracle.address, cash, [(weth_slot, weth, WETH_LOT)])
    parts = (*shared, vault.address, desk.address, batches.address)
    desk_parts = (*shared, desk.call("WALLETS"), vault.address, 1)
    routes = _deploy_routed_desks(chain, desk_parts, verifiers, terms or DefaultTerms())
    house, _ = deploy_contract(chain, "ClearingHouse", *parts, routes)
    attestations, _ = deploy_contract(chain, "AttestationVerifier", house.address)
    if owner != deployer:
        registry.send("transferOwnership", owner)
    return Deployment(
        chain_id=chain.id,
        key_registry=registry.address,
        risk_oracle=oracle.address,
        margin_verifier=registry.address,
        collateral_vault=vault.address,
        clearing_house=house.address,
        attestation_verifier=attestations.address,
        cash=to_checksum_address(cash),
        weth=to_checksum_address(weth),
        weth_slot=weth_slot,
        committee="0x" + b"".join(word.to_bytes(32, "big") for word in keys.committee).hex(),
        first_block=first.number,
        first_block_hash="0x" + first.hash.hex(),
        transition_zkey=keys.proving_keys.get("transition", ""),
        open_zkey=keys.proving_keys.get("open", ""),
        reveal_zkey=keys.proving_keys.get("reveal", ""),
        rekey_zkey=keys.proving_keys.get("rekey", ""),
    )


def make_route(name: str, address: str) -> tuple[str, list[bytes]]:
    """What the clearing house is told of the desk of that name at an address: every function that it does not have
    itself goes there."""
    artifacts = compile_contracts()
    selectors = _list_selectors(artifacts[name]) - _list_selectors(artifacts["ClearingHouse"])
    return address, sorted(selectors)


def _list_selectors(artifact: Artifact) -> set[bytes]:
    return {
        function_abi_to_4byte_selector(cast(ABIFunction, item)) for item in artifact.abi if item["type"] == "function"
    }


def _deploy_desk_verifiers(chain: Chain, keys: KeyMaterial) -> tuple[str, str]:
    """Addresses of the verifiers of revelations and of moves to a new viewing key, their keys stored."""
    reveals, _ = deploy_contract(chain, "RevealVerifier")
    reveals.send("fix", encode_key(keys.reveal_vkey, "reveal", keys.preset))
    rekeys, _ = deploy_contract(chain, "RekeyVerifier")
    rekeys.send("fix", encode_key(keys.rekey_vkey, "rekey", keys.preset), *keys.committee)
    return reveals.address, rekeys.address


def _deploy_routed_desks(
    chain: Chain, parts: tuple[object, ...], verifiers: tuple[str, str], terms: DefaultTerms
) -> list[tuple[str, list[bytes]]]:
    """What the clearing house is told of the desks that it finds by selector, made with `parts` (DeskParts of
    IClearingHouse.sol); a transaction for each of `ROUTED`."""
    reveals, rekeys = verifiers
    deadlines, _ = deploy_contract(chain, "DeadlineDesk", parts, terms.to_abi())
    defaults, _ = deploy_contract(chain, "DefaultDesk", parts, reveals, terms.to_abi())
    sales, _ = deploy_contract(chain, "SaleDesk", parts, terms.window)
    moves, _ = deploy_contract(chain, "RekeyDesk", parts, rekeys)
    desks = (deadlines, defaults, sales, moves)
    return [make_route(name, desk.address) for name, desk in zip(ROUTED, desks, strict=True)]


def deploy_timelock(
    chain: Chain, proposers: Sequence[str], executors: Sequence[str], *, delay: int = LEAST_TIMELOCK
) -> str:
    """Address of a new timelock, to be given to `deploy` as the owner: OpenZeppelin's, with bounds on its delay.

    Parameters
    ----------
    proposers, executors : sequence of str
        Who announces and cancels, and who carries out. Nobody else administers it.
    delay : int
        Seconds between the two, 2 to 10 days.

    Raises
    ------
    Reverted
        If the delay is outside its bounds (`TimelockDelayOutOfRange`).
    """
    timelock, _ = deploy_contract(chain, "VenueTimelock", delay, list(proposers), list(executors))
    return timelock.address


def _read_address(name: str, given: str) -> str:
    try:
        return to_address(given)
    except ValueError as error:
        raise CallInvalid(name, given, str(error)) from None


def _require_governance(chain: Chain, owner: str, guardian: str, deployer: str) -> None:
    wanted = f"a timelock of at least {LEAST_TIMELOCK} s, on a chain that is not for development"
    if not chain.get_code(owner):
        raise CallInvalid("owner", owner, wanted)
    delay = _ask(chain, "VenueTimelock", owner, "getMinDelay", wanted)
    if delay < LEAST_TIMELOCK:
        raise CallInvalid("owner's delay, seconds", delay, wanted)
    if guardian in (owner, to_checksum_address(deployer), ZERO_ADDRESS):
        raise CallInvalid("guardian", guardian, "somebody who acts at once: not the owner, the deployer or nobody")


def _require_decimals(chain: Chain, tokens: Mapping[str, str]) -> None:
    for name, expected in DECIMALS.items():
        decimals = _ask(chain, "TestUSDC", tokens[name], "decimals", f"a token of {expected} decimals")
        if decimals != expected:
            raise CallInvalid(f"decimals of {name}", decimals, str(expected))


def _ask(chain: Chain, name: str, address: str, function: str, wanted: str) -> int:
    """What the contract at an address answers to a function that the contract of that name has too."""
    try:
        return int(Contract(chain, compile_contracts()[name], address).call(function))
    except (Reverted, AnswerMalformed, DeploymentMismatch):
        raise CallInvalid(f"contract that is asked for {function}", address, wanted) from None


def encode_registration(keys: KeyMaterial) -> dict[str, Any]:
    """A key version as `KeyRegistry.register` takes it."""
    return {
        "transition": encode_key(keys.transition_vkey, "transition", keys.preset),
        "open": encode_key(keys.open_vkey, "open", keys.preset),
        "slots": keys.preset.slots,
        "transitionHash": keys.transition_hash,
        "openHash": keys.open_hash,
        "flatX": keys.flat_point[0],
        "flatY": keys.flat_point[1],
        "committeeX": keys.committee[0],
        "committeeY": keys.committee[1],
    }


def compute_create_address(deployer: str, nonce: int) -> str:
    """Address of the contract that `deployer` creates with transaction number `nonce`."""
    return to_checksum_address(keccak(rlp.encode([to_canonical_address(deployer), nonce]))[-20:])


def _deploy_tokens(chain: Chain) -> tuple[str, str]:
    cash, weth = (deploy_contract(chain, name)[0].address for name in ("TestUSDC", "TestWETH"))
    return cash, weth
