"""Typed bindings of a deployment: one method per entry point, typed records in, a receipt out, refusals as `Reverted`.

`Contracts` holds the six contracts and the two tokens of a deployment. A method that sends takes `sender`, an account
of the node (the first by default): whoever submits is not the owner, so any sender will do where the entry point asks
for a signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from zkmargin.contracts.attestation_verifier import AttestationVerifier
from zkmargin.contracts.chain import Block, Chain
from zkmargin.contracts.clearing_house import AccountViews, ClearingHouse, Status
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deployment import Deployment, check_deployment
from zkmargin.contracts.errors import DeploymentMismatch
from zkmargin.contracts.key_registry import KeyRegistry
from zkmargin.contracts.risk_oracle import RiskOracle
from zkmargin.contracts.signatures import ChainSignatureCheck
from zkmargin.contracts.vault import CollateralVault, Token
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.presets import Preset
from zkmargin.prover.account.recovery import Event
from zkmargin.prover.attestation import ChainFacts
from zkmargin.prover.groth16.provers import TransitionVerifier


@dataclass(frozen=True)
class Records:
    """What an owner needs of the chain to rebuild accounts, all as of one block."""

    block: Block
    history: list[Event]
    settlements: Mapping[int, ExpiryStep]
    """By generation, parsed when asked for."""


class Contracts:
    """A deployment's contracts and tokens, ready to call."""

    def __init__(self, chain: Chain, deployment: Deployment):
        artifacts, first = compile_contracts(), deployment.first_block

        def at(name: str, address: str) -> Contract:
            return Contract(chain, artifacts[name], address)

        self.chain, self.deployment, self.domain = chain, deployment, deployment.domain
        self.registry = KeyRegistry(at("KeyRegistry", deployment.key_registry), first)
        self.oracle = RiskOracle(at("RiskOracle", deployment.risk_oracle), first)
        self.vault = CollateralVault(at("CollateralVault", deployment.collateral_vault), first)
        self.house = ClearingHouse(at("ClearingHouse", deployment.clearing_house), first)
        self.attestations = AttestationVerifier(at("AttestationVerifier", deployment.attestation_verifier))
        self.cash = Token(at("TestUSDC", deployment.cash))
        self.weth = Token(at("TestWETH", deployment.weth))
        self.signature_check = ChainSignatureCheck(chain)
        """For counterparties whose auth may be a contract wallet."""

    @cached_property
    def views(self) -> AccountViews:
        """What the accounts have proved."""
        return AccountViews(Contract(self.chain, compile_contracts()["AccountViews"], self.house.get_views()))

    @classmethod
    def connect(cls, chain: Chain, deployment: Deployment) -> Self:
        """The contracts, after `check_deployment`: the way to them before anything is read or signed.

        Raises
        ------
        DeploymentMismatch
            If the node's chain is not the deployment's, or the record mixes the contracts of several deployments.
        """
        check_deployment(chain, deployment)
        contracts = cls(chain, deployment)
        house, vault = contracts.house.contract, contracts.vault.contract
        attestations = contracts.attestations.contract
        for name, contract, getter in (
            ("key_registry", house, "REGISTRY"),
            ("risk_oracle", house, "ORACLE"),
            ("margin_verifier", house, "VERIFIER"),
            ("collateral_vault", house, "VAULT"),
            ("clearing_house", vault, "CLEARING_HOUSE"),
            ("risk_oracle", vault, "CLOCK"),
            ("cash", vault, "CASH"),
            ("clearing_house", attestations, "HOUSE"),
        ):
            found, recorded = contract.call(getter), getattr(deployment, name)
            if found != recorded:
                raise DeploymentMismatch(f"{contract.name}.{getter}", found, f"{recorded}, {name} of the record")
        return contracts

    def read_records(self, preset: Preset) -> Records:
        """History and settlement vectors of one block, which is still the chain's when all is read.

        Raises
        ------
        ChainReorganised
            If the block was replaced meanwhile, several times in a row.
        """

        def read(block: Block) -> Records:
            history = self.house.read_history(last_block=block.number)
            return Records(block, history, self.oracle.read_settlements(preset, last_block=block.number))

        return self.chain.read_at_one_block(read)

    def read_facts(self, account: bytes, epoch: int, verifier: TransitionVerifier, policy_bytes: bytes) -> ChainFacts:
        """What the recipient of an attestation knows when it checks; what is the chain's is read at one block.

        Parameters
        ----------
        epoch : int
            Number of the epoch that the recipient accepts.
        verifier : TransitionVerifier
            Over the `transition` key of the account's key version.
        policy_bytes : bytes
            Canonical bytes of the epoch's policies, from whoever serves them.

        Raises
        ------
        Reverted
            If the oracle no longer has the epoch.
        ChainReorganised
            If the block was replaced meanwhile, several times in a row.
        """

        def read(block: Block) -> ChainFacts:
            stored = self.house.get_account(account, block=block.number)
            posted = self.oracle.get_epoch(epoch, block=block.number)
            return ChainFacts(
                domain=self.domain,
                verifier=verifier,
                is_active=stored.status is Status.ACTIVE,
                is_key_live=self.registry.is_live(stored.key_version, block=block.number),
                commitment=stored.commitment,
                generation=stored.generation,
                key_version=stored.key_version,
                epoch=posted.number,
                epoch_generation=posted.generation,
                policy_hash=self.oracle.read_policy_hash(epoch, last_block=block.number),
                policy_bytes=policy_bytes,
                time=block.time,
            )

        return self.chain.read_at_one_block(read)
