"""The contracts themselves: their code, how they are wired, and what they store at the block that is audited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from typing import Any, TypeVar

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from zkmargin.audit.desks import DeskTerms
from zkmargin.audit.ledger import Ledger
from zkmargin.audit.report import Place, Report
from zkmargin.audit.source import Source
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deployment import CONTRACTS, Deployment
from zkmargin.contracts.desks import PARTS, SOURCES, VERIFIERS, Routes, at, check_creation
from zkmargin.contracts.errors import AnswerMalformed, DeploymentMismatch, Reverted
from zkmargin.contracts.messages import NamedPoint, compute_points_root
from zkmargin.contracts.vault import PaymentState
from zkmargin.engine.units import SECONDS_PER_DAY
from zkmargin.prover.messages.typed_data import load_table

T = TypeVar("T")

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
DESKS = ("AccountDesk", "BatchDesk")
"""Those whose code runs in the clearing house's storage, with immutable values of their own."""
SHARED = ("REGISTRY", "ORACLE", "VERIFIER", "WALLETS")
"""Getters in which a desk must agree with the clearing house."""
TOLD = (("registry", "ACTIVATION_DELAY"), ("oracle", "SETTLEMENT_DELAY"), ("oracle", "FIRST_GENERATION"))
"""Immutable numbers of a deployment's own choice; the report tells the delays."""
LEASES = ("LEASE_1", "LEASE_2", "LEASE_3")
"""Getters of the desk of deadlines."""
STORED = [name for _, _, name in VERIFIERS.values()]
"""Contracts that check proofs by one stored key."""
WINDOWS = range(600, SECONDS_PER_DAY + 1)
"""Seconds that may lie between a revelation and the first sale."""


@dataclass
class StorageAudit:
    """Asks the contracts, at one block, for what the ledger says that they hold."""

    source: Source
    ledger: Ledger
    report: Report
    desks: Mapping[str, str] = field(default_factory=dict)
    """Address of each desk for defaults, by name, once `check_deployment` found them."""

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
        for part, getter, recorded in WIRING:
            what = f"{getter} of the {part} contract"
            report.require("deployment", what, self.ask(part, getter), getattr(record, recorded), place)
        self._find_routes()
        self._check_desks()
        token, units = self.ask("vault", "collateralOf", record.weth_slot) or ("none", 0)
        expected = record.weth, record.vault_units[record.weth_slot]
        report.require(
            "deployment", f"token and lot of collateral slot {record.weth_slot}", (token, units), expected, place
        )

    def _check_desks(self) -> None:
        """That the code which the clearing house runs in its own storage asks the contracts that it asks itself."""
        named: list[tuple[str, Any, tuple[str, ...]]]
        named = [(name, self.ask("house", getter), SHARED) for getter, name in PARTS if name in DESKS]
        named += [(name, address, (*SHARED, "VAULT")) for name, address in self.desks.items()]
        for name, address, getters in named:
            for getter in getters if address is not None else ():
                found, expected = (
                    self._ask_contract(at(self.source.chain, name, address), getter),
                    self.ask("house", getter),
                )
                self.report.require("deployment", f"{getter} of {name}", found, expected, self.source.end)

    def _find_routes(self) -> None:
        """That the clearing house was made by its own constructor, which sent the calls of each desk to one address."""
        contracts, place, last = self.source.contracts, self.source.end, self.source.block.number
        house = contracts.house.contract
        routes = Routes.read(house, contracts.deployment.first_block, last)
        self._hold(lambda: check_creation(house, routes.transaction), None)
        self.desks = self._hold(routes.find_desks, {})
        stored = {selector: self.ask("house", "deskOf", selector) for selector in routes.desks}
        self.report.require("deployment", "desks of the clearing house's calls", stored, dict(routes.desks), place)

    def _hold(self, check: Callable[[], T], otherwise: T) -> T:
        """What a check of the deployment gives; what it refuses is a disagreement."""
        self.report.count("deployment")
        try:
            return check()
        except DeploymentMismatch as error:
            self.report.add("deployment", error.what, error.found, error.expected, self.source.end)
            return otherwise

    def read_terms(self) -> DeskTerms:
        """Of defaults, from the code of the desks."""
        deadlines, defaults = self._at_desk("DeadlineDesk"), self._at_desk("DefaultDesk")

        def ask(desk: Contract, getter: str) -> int:
            return int(self._ask_contract(desk, getter) or 0)

        first, second, third = (ask(deadlines, getter) for getter in LEASES)
        return DeskTerms(
            version=ask(defaults, "KEY_VERSION"),
            deadline=ask(deadlines, "DEADLINE"),
            grace=ask(deadlines, "GRACE"),
            call_grace=ask(deadlines, "CALL_GRACE"),
            leases=(first, second, third),
            window=self._find_window(),
            auction=ask(defaults, "AUCTION"),
            bounty=ask(deadlines, "BOUNTY"),
            late_fee=ask(defaults, "LATE_FEE"),
        )

    def _at_desk(self, name: str) -> Contract:
        return at(self.source.chain, name, self.source.contracts.deployment.clearing_house)

    def _find_window(self) -> int | None:
        """The one number of such a size among the immutable values of the desk for sales, the chain's id aside."""
        code = self._read_code(self.desks.get("SaleDesk"))
        values = {int.from_bytes(value, "big") for value in self._list_immutables("SaleDesk", code)}
        found = [value for value in values if value in WINDOWS and value != self.source.chain.id]
        return found[0] if len(found) == 1 else None

    def get_desk_key(self, circuit: str) -> str | None:
        """Address of the stored key by which a desk checks proofs of a circuit."""
        verifier = self._find_verifier(circuit)
        if verifier is None:
            return None
        contract = at(self.source.chain, VERIFIERS[circuit][2], verifier)
        return str(self._ask_contract(contract, "key"))

    def _find_verifier(self, circuit: str) -> str | None:
        desk, getter, _ = VERIFIERS[circuit]
        if desk not in self.desks:
            return None
        found = self._ask_contract(at(self.source.chain, desk, self.desks[desk]), getter)
        return None if found is None else str(found)

    def check_code(self) -> None:
        """Every contract's code; of its immutable values, that each is one that some contract here must hold."""
        record, place = self.source.contracts.deployment, self.source.end
        named = [(name, getattr(record, part)) for part, name in SOURCES.items()]
        named += [(name, self.ask("house", getter)) for getter, name in PARTS]
        named += self.desks.items()
        named += [(name, self._find_verifier(circuit)) for circuit, (_, _, name) in VERIFIERS.items()]
        # Whoever stored a desk's key has no right any more.
        deployers = [self._ask_contract(at(self.source.chain, name, address), "DEPLOYER")
                     for name, address in named if address and name in STORED]  # fmt: skip
        allowed = self._list_words([*(address for _, address in named), *deployers, record.cash, record.weth])
        for name, address in dict.fromkeys(named):
            code = self._read_code(address)
            self._check_immutables(name, address, self._list_immutables(name, code), allowed)
            self.report.count("code")
            if not compile_contracts()[name].is_code(code):
                what = f"code of {name} at {address}"
                self.report.add("code", what, f"{len(code)} bytes that are not", "what its source compiles to", place)
        for part in CONTRACTS:
            if part not in SOURCES:
                self.report.skip("code", f"{part} is a token with a source of its own")

    def _read_code(self, address: str | None) -> bytes:
        return self.source.chain.get_code(address, block=self.source.block.number) if address else b""

    @staticmethod
    def _list_immutables(name: str, code: bytes) -> set[bytes]:
        return set[bytes]().union(*compile_contracts()[name].read_immutables(code))

    def _list_words(self, addresses: Sequence[str | None]) -> set[bytes]:
        """Every value, of 32 bytes, that an immutable may have in whatever contract: addresses of this deployment, its
        chain's id, the numbers that it chose, and what EIP-712 keeps of the domain's name and version."""
        terms = self.read_terms()
        numbers = [self.source.chain.id, *(self.ask(part, getter) or 0 for part, getter in TOLD)]
        numbers += [*terms.leases, *(number for number in astuple(terms) if isinstance(number, int))]
        words = {bytes.fromhex(address[2:]).rjust(32, b"\0") for address in addresses if address}
        words |= {int(number).to_bytes(32, "big") for number in numbers}
        for text in _list_domain_texts():
            words |= {keccak(text), text.ljust(31, b"\0") + bytes([len(text)])}
        return words

    def _check_immutables(self, name: str, address: str | None, values: set[bytes], allowed: set[bytes]) -> None:
        """That each is a value of this deployment; `Artifact.is_code` compares the places of each with each other."""
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
        self.report.facts["defaults"] = asdict(self.read_terms())

    # ---------------------------------------------------------------------------------------------------- at the end
    def check(self) -> None:
        """Storage against the ledger, after the last event."""
        self._check_oracle()
        self._check_registry()
        self._check_accounts()
        self._check_cases()
        self._check_vault()

    def _require(self, what: str, found: object, expected: object) -> None:
        self.report.require("storage", what, found, expected, self.source.end)

    def _check_oracle(self) -> None:
        ledger = self.ledger
        self._require("latest number of the oracle", self.ask("oracle", "latestNumber"), ledger.latest)
        self._require("lowest number that serves", self.ask("oracle", "minEpoch"), ledger.min_epoch)
        self._require("listing version of the oracle", self.ask("oracle", "generation"), ledger.generation)
        self._require("end of the oracle", self.ask("oracle", "isEnded"), ledger.is_ended)
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

    def _check_cases(self) -> None:
        """What the desks for defaults store."""
        ledger = self.ledger
        desk = self._at_desk("DefaultDesk")
        self._require("surplus", self._ask_contract(desk, "surplus"), ledger.surplus)
        for number, case in ledger.cases.items():
            if number in ledger.unfollowed:
                continue  # counted among the accounts
            expected = (
                *(case.frozen_at, case.revealed_at, case.auction_at, case.least_epoch, case.commitment),
                *(case.book_hash, case.start, case.floor),
            )
            self._require(
                f"case of account 0x{number}", self._ask_contract(desk, "caseOf", bytes.fromhex(number)), expected
            )
        self._check_deadlines()

    def _check_deadlines(self) -> None:
        """What the desk of deadlines stores: the last checkpoint and call, and none after them; every lease."""
        ledger, desk = self.ledger, self._at_desk("DeadlineDesk")
        for checkpoint in range(len(ledger.checkpoints), len(ledger.checkpoints) + 2):
            found = self._ask_contract(desk, "checkpointOf", checkpoint)
            self._require(f"checkpoint {checkpoint}", found, ledger.checkpoints.get(checkpoint, (0, 0)))
        for number in range(len(ledger.calls), len(ledger.calls) + 2):
            call = ledger.calls.get(number)
            stored = (call.level, call.epoch, call.time, call.clock) if call else (0, 0, 0, 0)
            self._require(f"call {number}", self._ask_contract(desk, "callOf", number), stored)
        clock, grace = ledger.get_deadline_clock(), self.read_terms().grace
        for hexed, lease in ledger.leases.items():
            account = ledger.accounts.get(hexed)
            if account is not None and hexed not in ledger.unfollowed:
                holds = lease.is_of(account) and clock <= lease.until + grace
                known = (lease.level, lease.epoch, lease.until) if holds else (0, 0, 0)
                self._require(
                    f"lease of account 0x{hexed}", self._ask_contract(desk, "leaseOf", bytes.fromhex(hexed)), known
                )

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
