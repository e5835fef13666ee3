"""The record of a deployment: its addresses, its file, and the check that a node's chain is the one it is of."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from zkmargin.contracts.chain import Chain
from zkmargin.contracts.errors import CallInvalid, DeploymentMismatch
from zkmargin.engine.errors import MalformedFile
from zkmargin.engine.files import StrictModel, read_model, read_text
from zkmargin.prover.errors import OutOfRange
from zkmargin.prover.messages.fields import to_address
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.ranges import check_range

WETH_LOT = 10**15
"""Wei per lot of the WETH collateral slot: 0.001 ETH."""
COMMITTEE_KEY = re.compile("0x[0-9a-f]{128}")
"""How a record writes it."""
CONTRACTS = (
    "key_registry", "risk_oracle", "margin_verifier", "collateral_vault", "clearing_house", "attestation_verifier",
    "cash", "weth",
)  # fmt: skip
"""Fields that hold a contract's address."""


@dataclass(frozen=True)
class Deployment:
    """Addresses of one deployment, with what is needed to talk to it.

    Raises
    ------
    CallInvalid
        If an address is none.
    OutOfRange
        If a number is outside its range.
    """

    chain_id: int
    key_registry: str
    risk_oracle: str
    margin_verifier: str
    collateral_vault: str
    clearing_house: str
    attestation_verifier: str
    """Checks off-chain attestations for other contracts; holds nothing."""
    cash: str
    """USDC: six decimals, slotless."""
    weth: str
    """Collateral token of `weth_slot`."""
    weth_slot: int
    """Slot of the WETH collateral: its lots are 0.001 ETH."""
    committee: str
    """The escrow committee's key of version 1, x and y of 32 bytes each, 0x-hex."""
    first_block: int
    """Block before the first contract: where reading events begins."""
    first_block_hash: str = ""
    """Hash of that block, 0x-hex, by which two chains of one id are told apart; empty if it is not known."""
    transition_zkey: str = ""
    """SHA-256 of the proving key file of `transition`, version 1, hex, as published: whoever served another file may
    see something of who proves with it. Empty if it is not known."""
    open_zkey: str = ""
    """The same of `open`."""
    reveal_zkey: str = ""
    """The same of `reveal`."""
    rekey_zkey: str = ""
    """The same of `rekey`."""

    def __post_init__(self) -> None:
        check_range("chain id", self.chain_id, 1, 1 << 64)
        check_range("slot of the WETH collateral", self.weth_slot, 0, 1 << 16)
        check_range("first block", self.first_block, 0, 1 << 64)
        for name in CONTRACTS:
            try:
                object.__setattr__(self, name, to_address(getattr(self, name)))
            except ValueError as error:
                raise CallInvalid(f"address of {name}", getattr(self, name), str(error)) from None

        if not COMMITTEE_KEY.fullmatch(self.committee):
            raise CallInvalid("committee's key", self.committee, "0x and 128 hexadecimal digits, x and y")

    @property
    def committee_key(self) -> tuple[int, int]:
        """The committee's key as a point."""
        x, y = (int(self.committee[start : start + 64], 16) for start in (2, 66))
        return x, y

    @property
    def domain(self) -> Domain:
        """Domain of this deployment's signatures."""
        return Domain(chain_id=self.chain_id, clearing_house=self.clearing_house, risk_oracle=self.risk_oracle)

    @property
    def vault_units(self) -> dict[int, int]:
        """The vault's token units per lot, by collateral slot; tokens have 18 decimals."""
        return {self.weth_slot: WETH_LOT}

    def save(self, path: Path) -> None:
        """Writes the record as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Reads what `save` wrote.

        Raises
        ------
        MalformedFile
            If the file cannot be read or is no such record; says what is wrong.
        """
        record = read_model(DeploymentFile, read_text(path), path)
        try:
            return cls(**record.model_dump())
        except (CallInvalid, OutOfRange) as error:
            raise MalformedFile(path, str(error)) from None


class DeploymentFile(StrictModel):
    """A deployment's record as it stands on disk."""

    chain_id: int
    """EIP-155."""
    key_registry: str
    """Address."""
    risk_oracle: str
    """Address."""
    margin_verifier: str
    """Address."""
    collateral_vault: str
    """Address."""
    clearing_house: str
    """Address."""
    attestation_verifier: str
    """Address."""
    cash: str
    """Address of the cash token."""
    weth: str
    """Address of the collateral token."""
    weth_slot: int
    """Slot of the WETH collateral."""
    committee: str
    """The escrow committee's key: 0x, then x and y in 64 hex digits each."""
    first_block: int
    """Block before the first contract."""
    first_block_hash: str = ""
    """0x-hex of 32 bytes, or empty."""
    transition_zkey: str = ""
    """SHA-256 of the published proving key, hex, or empty."""
    open_zkey: str = ""
    """Likewise."""
    reveal_zkey: str = ""
    """Likewise."""
    rekey_zkey: str = ""
    """Likewise."""


def check_deployment(chain: Chain, deployment: Deployment) -> None:
    """Before anything is read or signed: the node's chain is the deployment's, and the contracts are there.

    Raises
    ------
    DeploymentMismatch
        If the chain has another id or another first block, is not yet as long, or has no code at an address.
    """
    where = f"of the node at {chain.url}"
    if chain.id != deployment.chain_id:
        raise DeploymentMismatch(f"chain id {where}", chain.id, f"{deployment.chain_id}, the deployment's")
    latest = chain.get_block("latest").number
    if latest < deployment.first_block:
        raise DeploymentMismatch(
            f"latest block {where}", latest, f"{deployment.first_block} or later, where the deployment begins"
        )
    if deployment.first_block_hash:
        found = "0x" + chain.get_block(deployment.first_block).hash.hex()
        if found != deployment.first_block_hash:
            raise DeploymentMismatch(
                f"hash of block {deployment.first_block} {where}", found, f"{deployment.first_block_hash}, as recorded"
            )
    for name in CONTRACTS:
        address = getattr(deployment, name)
        if not chain.get_code(address):
            raise DeploymentMismatch(f"code of {name} at {address} on chain {chain.id}", "empty", "a contract's")
