"""The code of a venue and the desks of its clearing house, held against their sources and keys.

The clearing house runs its desks' code in its own storage, so a desk can do with every account what it likes, and
whoever has a trapdoor in the keys of `reveal` or `rekey` can take a frozen account's book or make money. Which call
goes to which desk is fixed by the constructor, which says so once (`DeskRouted`). So whoever is to trust a venue looks
at all of it: that its contracts' code is what the sources compile to, that the clearing house was made by its source's
own constructor, so that it has no other routes than those of which it spoke, where they lead, and by which keys the
desks check proofs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hexbytes import HexBytes

from zkmargin.contracts.chain import Chain
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deploy import ROUTED, make_route
from zkmargin.contracts.errors import DeploymentMismatch
from zkmargin.contracts.key_material import encode_stored_desk_keys
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.presets import Preset
from zkmargin.prover.groth16.keys import VerifyingKey

SOURCES: Mapping[str, str] = {
    "key_registry": "KeyRegistry",
    "risk_oracle": "RiskOracle",
    "margin_verifier": "KeyRegistry",
    "collateral_vault": "CollateralVault",
    "clearing_house": "ClearingHouse",
    "attestation_verifier": "AttestationVerifier",
}
"""Name in the sources of each contract of a deployment record; tokens are others'."""
PARTS = (("DESK", "AccountDesk"), ("BATCHES", "BatchDesk"), ("VIEWS", "AccountViews"), ("WALLETS", "WalletSignatures"))
"""Contracts that the clearing house names: getter and name in the sources."""
VERIFIERS = {"reveal": ("DefaultDesk", "REVEALS", "RevealVerifier"), "rekey": ("RekeyDesk", "REKEYS", "RekeyVerifier")}
"""By circuit: the desk that takes its proofs, its getter, and what checks them, by its name in the sources."""
STOP = b"\0"
"""First byte of a contract that holds a key."""


@dataclass(frozen=True)
class Routes:
    """What a clearing house's constructor said of its desks."""

    desks: Mapping[bytes, str]
    """Address by the first four bytes of a call."""
    transaction: str
    """That made the clearing house, 0x-hex; empty where nothing was said."""

    @classmethod
    def read(cls, house: Contract, first_block: int, last_block: int | None = None) -> Routes:
        """From the events of those blocks, up to the latest by default."""
        events = house.read_events("DeskRouted", first_block=first_block, last_block=last_block)
        desks = {bytes(event["args"]["selector"]): str(event["args"]["desk"]) for event in events}
        return cls(desks, HexBytes(events[0]["transactionHash"]).to_0x_hex() if events else "")

    def find_desks(self) -> dict[str, str]:
        """Address of each desk of `deploy.ROUTED`, by name.

        Raises
        ------
        DeploymentMismatch
            If a call of theirs goes nowhere, one that is not theirs goes anywhere, or a desk's calls go to several.
        """
        calls = {name: set(make_route(name, "")[1]) for name in ROUTED}
        known = set[bytes]().union(*calls.values())
        for what, odd in (("foreign", set(self.desks) - known), ("missing", known - set(self.desks))):
            if odd:
                shown = ", ".join(f"0x{selector.hex()}" for selector in sorted(odd))
                raise DeploymentMismatch(f"{what} calls at desks", shown, f"none beside those of {', '.join(ROUTED)}")
        found = {}
        for name, selectors in calls.items():
            addresses = sorted({self.desks[selector] for selector in selectors})
            if len(addresses) != 1:
                raise DeploymentMismatch(f"address of {name}", ", ".join(addresses), "one for all of its calls")
            found[name] = addresses[0]
        return found


def check_creation(house: Contract, transaction: str) -> None:
    """That a transaction made the clearing house by the creation code of its source, constructor included.

    Raises
    ------
    DeploymentMismatch
        If it did not, or is not there.
    """
    what, expected = f"creation of {house.name} at {house.address}", "by its source's constructor"
    if not transaction:
        raise DeploymentMismatch(what, "without a route to a desk", expected)
    chain, code = house.chain, bytes.fromhex(compile_contracts()[house.name].bytecode[2:])
    with chain.asking(f"transaction {transaction}"):
        sent = chain.w3.eth.get_transaction(HexBytes(transaction))
        made = chain.w3.eth.get_transaction_receipt(HexBytes(transaction))["contractAddress"]
    if made != house.address or not bytes(sent["input"]).startswith(code):
        raise DeploymentMismatch(what, f"transaction {transaction}, which runs other code", expected)


def check_code(chain: Chain, name: str, address: str, *, block: int | None = None) -> bytes:
    """The code at an address, which is that of the contract of that name, immutable values aside.

    Raises
    ------
    DeploymentMismatch
        If it is not.
    """
    code = chain.get_code(address, block=block)
    if not compile_contracts()[name].is_code(code):
        found = f"{len(code)} bytes that are not"
        raise DeploymentMismatch(f"code of {name} at {address}", found, "what its source compiles to")
    return code


def list_parts(
    contracts: Contracts, desks: Mapping[str, str], *, block: int | None = None
) -> Iterator[tuple[str, str]]:
    """(name in the sources, address) of every contract of a venue, tokens and data contracts aside."""
    for field, name in SOURCES.items():
        yield name, getattr(contracts.deployment, field)
    for getter, name in PARTS:
        yield name, str(contracts.house.contract.call(getter, block=block))
    yield from desks.items()
    for desk, getter, name in VERIFIERS.values():
        yield name, str(at(contracts.chain, desk, desks[desk]).call(getter, block=block))


def at(chain: Chain, name: str, address: str) -> Contract:
    """The contract of that name at an address."""
    return Contract(chain, compile_contracts()[name], address)


def check_venue(contracts: Contracts, version: int, reveal: VerifyingKey, rekey: VerifyingKey, preset: Preset) -> None:
    """That a venue runs the code of the sources, and its desks check proofs by these keys.

    Parameters
    ----------
    version : int
        The caller's key version. Desks of another one act on no account of it, so their keys are not compared.
    reveal, rekey : VerifyingKey
        Keys that passed every check.

    Raises
    ------
    DeploymentMismatch
        If a contract has other code, the clearing house was made otherwise, a call goes to another desk, or a stored
        key is another one or of another committee than the record's.
    """
    chain, record, house = contracts.chain, contracts.deployment, contracts.house.contract
    check_code(chain, house.name, house.address)
    routes = Routes.read(house, record.first_block)
    check_creation(house, routes.transaction)
    desks = routes.find_desks()
    for name, address in list_parts(contracts, desks):
        check_code(chain, name, address)
    if at(chain, "DefaultDesk", desks["DefaultDesk"]).call("KEY_VERSION") != version:
        return
    for circuit, data in encode_stored_desk_keys(reveal, rekey, record.committee_key, preset).items():
        desk, getter, name = VERIFIERS[circuit]
        verifier = at(chain, name, str(at(chain, desk, desks[desk]).call(getter)))
        if chain.get_code(str(verifier.call("key"))) != STOP + data:
            raise DeploymentMismatch(f"stored key of {circuit}", "another one", "the one in the caller's files")
