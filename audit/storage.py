"""The contracts themselves: their code, how they are wired, and what they store at the block that is audited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from zkmargin.audit.ledger import Ledger
from zkmargin.audit.report import Place, Report
from zkmargin.audit.source import Source
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deployment import CONTRACTS, Deployment
from zkmargin.contracts.errors import AnswerMalformed, DeploymentMismatch, Reverted
from zkmargin.contracts.messages import NamedPoint, compute_points_root
from zkmargin.contracts.vault import PaymentState
from zkmargin.prover.messages.typed_data import load_table

RING = 256
"""Epochs that the oracle keeps."""
WIRING = (
    ("house", "REGISTRY", "key_registry"),
    ("house", "ORACLE", "risk_oracle"),
    ("house", "VERIFIER", "margin_verifier"),
    ("house", "VAULT", "collateral_vault"),
    ("oracle", "REGISTRY", "key_registry"),
    ("vault", "CLEARING_HOUSE", "clearing_house"),
    ("vault", "CLOCK", "risk_oracle"),
    ("vault", "CASH", "cash"),
)
"""(contract, getter, field of the deployment record that it must name)."""
PARTS = (("DESK", "AccountDesk"), ("BATCHES", "BatchDesk"), ("VIEWS", "AccountViews"), ("WALLETS", "WalletSignatures"))
"""Contracts that the clearing house names: getter and name in the sources."""
DESKS = ("AccountDesk", "BatchDesk")
"""Those whose code runs in the clearing house's storage, with immutable values of their own."""
SHARED = ("REGISTRY", "ORACLE", "VERIFIER", "WALLETS")
"""Getters in which a desk must agree with the clearing house."""
TOLD = (("registry", "ACTIVATION_DELAY"), ("oracle", "SETTLEMENT_DELAY"), ("oracle", "FIRST_GENERATION"))
"""Immutable numbers of a deployment's own choice; the report tells the delays."""
NAMES = {
    "key_registry": "KeyRegistry",
    "risk_oracle": "RiskOracle",
    "margin_verifier": "KeyRegistry",
    "collateral_vault": "CollateralVault",
    "clearing_house": "ClearingHouse",
    "attestation_verifier": "AttestationVerifier",
}
"""Name in the sources of each contract of a deployment record; tokens are others'."""


@dataclass
class StorageAudit:
    """Asks the contracts, at one block, for what the ledger says that they hold."""

    source: Source
    ledger: Ledger
    report: Report

    def ask(self, part: str, function: str, *arguments: object) -> Any:
        """What a view says at the block; None if it refuses."""
        return self._ask_contract(self.source.get_contract(part), function, *arguments)

    def _ask_contract(self, contract: Contract, function: str, *arguments: object) -> Any:
        try:
            return contract.call(function, *arguments, block=self.source.block.number)
        except (Reverted, AnswerMalformed, DeploymentMismatch):
            return None

    # ------------------------------------------------------------------------------------------------------- deployment
    def check_deployment(self) -> None:
        """The record against the chain, before anything is replayed."""
        record, chain, report, place = self.source.contracts.deployment, self.source.chain, self.report, self.source.end
        report.require("deployment", "chain id of the node", chain.id, record.chain_id, place)
        if record.first_block_hash:
            found = "0x" + chain.get_block(record.first_block).hash.hex()
            what = f"hash of block {record.first_block}"
            report.require("deployment", what, found, record.first_block_hash, Place(record.first_block))
        else:
            report.skip("deployment", "the record names no hash of the first block")
        for part, getter, field in WIRING:
            what = f"{getter} of the {part} contract"
            report.require("deployment", what, self.ask(part, getter), getattr(record, field), place)
        self._check_desks()
        token, units = self.ask("vault", "collateralOf", record.weth_slot) or ("none", 0)
        expected = record.weth, record.vault_units[record.weth_slot]
        report.require(
            "deployment", f"token and lot of collateral slot {record.weth_slot}", (token, units), expected, place
        )

    def _check_desks(self) -> None:
        """That the code which the clearing house runs in its own storage asks the contracts that it asks itself."""
        for getter, name in PARTS:
            address = self.ask("house", getter)
            if name not in DESKS or address is None:
                continue
            desk = Contract(self.source.chain, compile_contracts()[name], address)
            for shared in SHARED:
                found, expected = self._ask_contract(desk, shared), self.ask("house", shared)
                self.report.require("deployment", f"{shared} of {name}", found, expected, self.source.end)

    def check_code(self) -> None:
        """Every contract's code; of its immutable values, that each is one that some contract here must hold."""
        record, place = self.source.contracts.deployment, self.source.end
        named = [(name, getattr(record, field)) for field, name in NAMES.items()]
        named += [(name, self.ask("house", getter)) for getter, name in PARTS]
        allowed = self._list_words([*(address for _, address in named), record.cash, record.weth])
        for name, address in dict.fromkeys(named):
            artifact = compile_contracts()[name]
            code = self.source.chain.get_code(address, block=self.source.block.number) if address else b""
            found, expected = bytearray(code), bytes.fromhex(artifact.deployed[2:])
            values = [code[start : start + length] for start, length in artifact.immutables]
            self._check_immutables(name, address, values, allowed)
            for start, length in artifact.immutables:
                found[start : start + length] = bytes(length) if len(found) >= start + length else b""
            self.report.count("code")
            if bytes(found) != expected:
                what = f"code of {name} at {address}"
                self.report.add("code", what, f"{len(code)} bytes that are not", "what its source compiles to", place)
        for field in CONTRACTS:
            if field not in NAMES:
                self.report.skip("code", f"{field} is a token with a source of its own")

    def _list_words(self, addresses: Sequence[str | None]) -> set[bytes]:
        """Every value, of 32 bytes, that an immutable may have in whatever contract: addresses of this deployment, its
        chain's id, the numbers that it chose, and what EIP-712 keeps of the domain's name and version."""
        numbers = [self.source.chain.id, *(self.ask(part, getter) or 0 for part, getter in TOLD)]
        words = {bytes.fromhex(address[2:]).rjust(32, b"\0") for address in addresses if address}
        words |= {int(number).to_bytes(32, "big") for number in numbers}
        for text in _list_domain_texts():
            words |= {keccak(text), text.ljust(31, b"\0") + bytes([len(text)])}
        return words

    def _check_immutables(self, name: str, address: str | None, values: Sequence[bytes], allowed: set[bytes]) -> None:
        """Each place of each immutable: a getter reads one of them only."""
        if not address:
            return
        own = compute_domain_separator(self.source.chain.id, address)
        foreign = sorted({value.hex() for value in values if value not in allowed and value != own})
        self.report.count("code")
        if foreign:
            what, expected = f"immutable values of {name} at {address}", "addresses and numbers of this deployment"
            self.report.add("code", what, f"also {', '.join(foreign)}", expected, self.source.end)

    def describe_governance(self) -> None:
        """Who may change what, and how late, into the facts; development shortcuts are named."""
        facts: dict[str, Any] = {}
        for part in ("oracle", "registry"):
            owner = self.ask(part, "owner")
            if owner is None:
                self.report.skip("governance", f"the {part} contract names no owner")
                continue
            views = Contract(self.source.chain, compile_contracts()["VenueTimelock"], to_checksum_address(owner))
            try:
                delay: Any = views.call("getMinDelay", block=self.source.block.number)
            except (Reverted, AnswerMalformed, DeploymentMismatch):
                delay = "none: the owner is no timelock"
            facts[part] = {"owner": owner, "delay_seconds": delay, "guardian": self.ask(part, "guardian")}
            self.report.count("governance")
        facts["settlement_delay_seconds"] = self.ask("oracle", "SETTLEMENT_DELAY")
        facts["key_activation_delay_seconds"] = self.ask("registry", "ACTIVATION_DELAY")
        terms = self.ask("oracle", "paymentTerms") or (None,) * 3
        facts["payment_delay_seconds"], facts["payment_daily_share_bp"] = terms[1:]
        facts["publishers"] = [f"0x{signer.hex()}" for signer in self.ledger.signers]
        facts["threshold"] = self.ledger.threshold
        self.report.facts["governance"] = facts

    # ---------------------------------------------------------------------------------------------------- at the end
    def check(self) -> None:
        """Storage against the ledger, after the last event."""
        self._check_oracle()
        self._check_registry()
        self._check_accounts()
        self._check_vault()

    def _require(self, what: str, found: object, expected: object) -> None:
        self.report.require("storage", what, found, expected, self.source.end)

    def _check_oracle(self) -> None:
        ledger = self.ledger
        self._require("latest number of the oracle", self.ask("oracle", "latestNumber"), ledger.latest)
        self._require("lowest number that serves", self.ask("oracle", "minEpoch"), ledger.min_epoch)
        self._require("listing version of the oracle", self.ask("oracle", "generation"), ledger.generation)
        self._require("publishers", list(self.ask("oracle", "getSigners") or ()), ledger.signers)
        self._require("threshold", self.ask("oracle", "threshold"), ledger.threshold)
        for number, posted in ledger.epochs.items():
            if number > ledger.latest - RING and not _is_overwritten(number, ledger):
                points = compute_points_root(NamedPoint(*point) for point in posted.points)[:22]
                expected = (number, posted.time, posted.generation, posted.key_version, points)
                self._require(f"record of epoch {number}", self.ask("oracle", "getEpoch", number), expected)
            self._require(
                f"revocation of epoch {number}", self.ask("oracle", "isRevoked", number), ledger.is_revoked(number)
            )
        for place, settled in ledger.settlements.items():
            found = self.ask("oracle", "settlementFor", *map(int, place.split()))
            if found is None:
                self.report.skip("storage", "a settlement point that does not serve (yet, or any more)")
                continue
            point = settled.x, settled.y, settled.number
            self._require(f"settlement point {place} (version, from, steps)", found, point)

    def _check_registry(self) -> None:
        self._require("latest key version", self.ask("registry", "latest"), max(self.ledger.keys, default=0))
        for version, key in self.ledger.keys.items():
            self._require(f"version of key 0x{key.transition_hash.hex()}",
                          self.ask("registry", "versionOf", key.transition_hash), version)  # fmt: skip
            if not self.ask("registry", "isLive", version):
                self.report.skip("storage", f"key version {version} is not live, so its getters refuse")
                continue
            flat = self.ask("registry", "flatPoint", version)
            self._require(f"flat point of version {version}", flat, key.flat)
            stored = self.ask("registry", "transitionKey", version)
            self._require(f"transition key of version {version}", stored, (key.transition_contract, key.slots))
            stored = self.ask("registry", "openKey", version)
            self._require(f"open key of version {version}", stored, key.open_contract)

    def _check_accounts(self) -> None:
        for number, account in self.ledger.accounts.items():
            if number in self.ledger.unfollowed:
                self.report.skip("storage", "an account with events that this auditor does not replay")
                continue
            expected = (
                *(account.auth, account.status, account.key_version, account.generation, account.may_hold_derivatives),
                *(account.margin, account.proven_at, account.proven_epoch, account.commitment),
            )
            self._require(f"account 0x{number}", self.ask("house", "accountOf", bytes.fromhex(number)), expected)
        for submitter, fees in self.ledger.fees.items():
            self._require(f"fees of {submitter}", self.ask("house", "feesOf", submitter), fees)

    def _check_vault(self) -> None:
        ledger, record = self.ledger, self.source.contracts.deployment
        for place, amount in ledger.inbox.items():
            account, token = place.split()
            self._require(f"inbox of {place}", self.ask("vault", "inbox", bytes.fromhex(account), token), amount)
        for place, queued in ledger.payments.items():
            token, number = place.split()
            payment = queued.to_payment(token, int(number))
            fields = (payment.account, payment.recipient, payment.token, payment.number, payment.due_at,
                      int(payment.state), payment.amount)  # fmt: skip
            self._require(f"payment {number} of {token}", self.ask("vault", "isRecorded", fields), True)
        for token in (record.cash, record.weth):
            held = ledger.held.get(token, 0)
            if not ledger.is_vault_followed:
                self.report.skip("storage", "books of a vault with events that this auditor does not replay")
                continue
            self._require(f"{token} that the hidden accounts hold", self.ask("vault", "held", token), held)
            waiting = sum(queued.amount for place, queued in ledger.payments.items()
                          if place.startswith(token) and queued.state != PaymentState.RETURNED)  # fmt: skip
            inboxes = sum(amount for place, amount in ledger.inbox.items() if place.endswith(token))
            self._check_balance(token, held + waiting + inboxes, record)

    def _check_balance(self, token: str, needed: int, record: Deployment) -> None:
        erc20 = self.source.contracts.cash if token == record.cash else self.source.contracts.weth
        try:
            balance = erc20.contract.call("balanceOf", record.collateral_vault, block=self.source.block.number)
        except (Reverted, AnswerMalformed, DeploymentMismatch):
            balance = None
        self.report.count("vault")
        if balance is None or balance < needed:
            what = f"balance of the vault in {token}"
            self.report.add("vault", what, balance, f"{needed} or more: held, inboxes and payments", self.source.end)
        self.report.facts.setdefault("vault", {})[token] = {"balance": str(balance), "owed": str(needed)}


def compute_domain_separator(chain_id: int, contract: str) -> bytes:
    """EIP-712's separator of messages that a contract verifies; contracts keep it as an immutable."""
    kind = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    hashes = [kind, *map(keccak, _list_domain_texts())]
    return keccak(abi_encode(["bytes32"] * 3 + ["uint256", "address"], [*hashes, chain_id, contract]))


def _list_domain_texts() -> list[bytes]:
    """Name and version of the EIP-712 domain."""
    return [str(load_table()["domain"][part]).encode() for part in ("name", "version")]


def _is_overwritten(number: int, ledger: Ledger) -> bool:
    return any(other > number and other % RING == number % RING for other in ledger.epochs)
