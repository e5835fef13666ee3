"""Accounts: each action from the state that the one before left, as its rule allows, signed, and proved.

The action that a proof is bound to is put together here from calldata and from the auditor's own ledger, as the
contract puts it together from its storage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from zkmargin.audit.curve import IDENTITY, Claim, Key, Point, find_false
from zkmargin.audit.ledger import Account, Ledger, PostedEpoch
from zkmargin.audit.publishers import recover
from zkmargin.audit.report import Place, Report
from zkmargin.audit.source import EVENTS, Call, Happened, Source
from zkmargin.contracts.clearing_house import ENTRY_POINTS, Margin, Status
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.messages import EpochPoint, EpochPoints, NamedPoint
from zkmargin.engine.presets import Preset
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind, ActionRule, EpochRule, FlowRule, ProvenRule
from zkmargin.prover.messages.fields import ZERO_ADDRESS, ZERO_BYTES32, encode_policy_name
from zkmargin.prover.messages.records import Action, Flow, Move, Open
from zkmargin.prover.messages.typed_data import compute_context, compute_digest
from zkmargin.prover.statement.signals import get_public_signals

KINDS = {function: kind for kind, function in ENTRY_POINTS.items()} | {"roll": ActionKind.ROLL}
"""Kind of an action on one account, by entry point."""
MAINTENANCE = encode_policy_name("maintenance")
LEASES = {encode_policy_name(f"lease_{level}"): level for level in (1, 2, 3)}
"""Level by the policy that its lease asks for."""
MARGINS = {"initial": Margin.INITIAL, "maintenance": Margin.MAINTENANCE, "withdraw": Margin.WITHDRAW}


@dataclass(frozen=True)
class Claimed:
    """A proof on chain, to be verified."""

    circuit: str
    version: int
    claim: Claim
    what: str
    place: Place


@dataclass(frozen=True)
class Given:
    """What calldata say of one account's part of an action, whatever the entry point."""

    account: bytes
    commitment_old: int
    commitment_new: int
    submitter: str
    fee: int
    deadline: int
    proof: Sequence[int]
    signature: bytes
    epoch: Mapping[str, Any]
    """Number, and the policy's point with its path."""
    cash: int = 0
    recipient: str = ZERO_ADDRESS
    policy: bytes = ZERO_BYTES32
    flows: tuple[Flow, ...] = ()
    counterparty: bytes = ZERO_BYTES32
    trade_tag: int = 0
    ciphertext: int = 0
    side: int = 0
    steps: int = 0
    """Steps of the listing that a roll takes."""


@dataclass
class AccountAudit:
    """Replays what the clearing house says, and gathers every proof."""

    source: Source
    ledger: Ledger
    report: Report
    keys: Mapping[tuple[str, int], Key]
    """By circuit and version."""
    presets: Mapping[int, Preset]
    claims: list[Claimed] = field(default_factory=list)
    _rows: dict[str, int] = field(default_factory=dict)
    """How many rows of a batch were matched with events, by transaction."""

    def take(self, event: Happened) -> None:
        """Replays one event of the clearing house."""
        handler: Callable[[Happened, Mapping[str, Any]], None] | None = getattr(self, f"_take_{event.name}", None)
        if handler is not None:
            handler(event, event.fields)
        elif event.name not in EVENTS["house"]:
            self.report.skip("history", f"event {event.name}, which this auditor does not replay")
            if isinstance(account := event.fields.get("account"), bytes):
                self.ledger.unfollowed.add(account.hex())

    # --------------------------------------------------------------------------------------------------------- openings
    def _take_AccountOpened(self, event: Happened, fields: Mapping[str, Any]) -> None:
        account, place, ledger = bytes(fields["account"]), event.place, self.ledger
        what = f"opening of account 0x{account.hex()}"
        domain = self.source.contracts.domain
        parts = [domain.chain_id, domain.clearing_house, fields["auth"], fields["index"]]
        expected = keccak(abi_encode(["uint256", "address", "address", "uint256"], parts))
        self.report.require("history", f"number of the {what}", account, expected, place)
        if account.hex() in ledger.accounts:
            self.report.add("history", what, "a second one", "an account that was never opened", place)
        self.report.require("history", f"listing version of the {what}", fields["generation"], ledger.generation, place)
        self._check_allowed(what, fields["keyVersion"], place, while_paused=False)
        ledger.accounts[account.hex()] = Account(
            auth=str(fields["auth"]),
            status=Status.ACTIVE,
            key_version=fields["keyVersion"],
            generation=fields["generation"],
            commitment=fields["commitment"],
        )
        call = self.source.read_call("house", place)
        if call.function != "open":
            self.skip_call(call)
            return
        request = call.arguments["request"]
        escrow = [request[name] for name in ("ephemeralX", "ephemeralY", "escrowedKey", "keyVersion")]
        message = Open(
            account=account,
            auth=fields["auth"],
            index=fields["index"],
            key_version=fields["keyVersion"],
            generation=fields["generation"],
            commitment=fields["commitment"],
            escrow_hash=keccak(abi_encode(["uint256", "uint256", "uint256", "uint16"], escrow)),
            submitter=request["submitter"],
            deadline=request["deadline"],
        )
        digest = compute_digest(self.source.contracts.domain, message)
        for name in ("ephemeralX", "ephemeralY", "escrowedKey", "commitment"):
            self.report.require("history", f"{name} of the {what}", fields[name], request[name], place)
        self.check_signature(what, str(fields["auth"]), digest, bytes(request["signature"]), call, place)
        self.check_deadline(what, request["deadline"], place)
        registered = ledger.keys.get(fields["keyVersion"])
        if registered is None:
            self.report.add("history", f"key version of the {what}", fields["keyVersion"], "a registered one", place)
            return
        signals = {
            "commitment": fields["commitment"],
            "ephemeralX": fields["ephemeralX"],
            "ephemeralY": fields["ephemeralY"],
            "escrowedKey": fields["escrowedKey"],
            "committeeX": registered.committee[0],
            "committeeY": registered.committee[1],
            "context": compute_context(digest),
        }
        self.claim_signals("open", fields["keyVersion"], signals, request["proof"], f"proof of the {what}", place)

    # ---------------------------------------------------------------------------------------------------------- actions
    def _take_Flowed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        kind, call = ActionKind(fields["kind"]), self.source.read_call("house", event.place)
        action = None
        if KINDS.get(call.function) is kind and bytes(call.arguments["request"]["account"]) == fields["account"]:
            given = _read_request(call)
            action = self._check_action(kind, given, call, event)
            flows = tuple(Flow(slot=flow["slot"], lots=flow["lots"]) for flow in fields["flows"])
            self._compare(action, event, {
                "commitment_new": fields["commitment"], "cash_flow": fields["cashFlow"], "flows": flows,
                "epoch": fields["epoch"], "generation_new": fields["generation"], "recipient": fields["recipient"],
                "fee": fields["fee"],
            })  # fmt: skip
        else:
            self.skip_call(call)
        self.write(kind, fields["account"], fields["commitment"], fields["generation"], fields["epoch"], event.place)
        ledger = self.ledger
        ledger.hidden_cash += fields["cashFlow"]
        for flow in fields["flows"]:
            ledger.hidden_lots[flow["slot"]] = ledger.hidden_lots.get(flow["slot"], 0) + flow["lots"]
        if fields["fee"]:
            ledger.move(ledger.fees, fields["submitter"], fields["fee"])

    def _take_Traded(self, event: Happened, fields: Mapping[str, Any]) -> None:
        call = self.source.read_call("house", event.place)
        request = self._find_trade(call, fields, event.place)
        if request is None:
            self.skip_call(call)
        else:
            sides = _read_sides(request, call.arguments["request"]["epoch"])
            for given, suffix in zip(sides, ("Plus", "Minus"), strict=True):
                action = self._check_action(ActionKind.TRADE, given, call, event)
                self._compare(action, event, {
                    "commitment_new": fields[f"commitment{suffix}"], "ciphertext": fields[f"ciphertext{suffix}"],
                    "fee": fields[f"fee{suffix}"], "trade_tag": fields["tradeTag"], "epoch": fields["epoch"],
                    "generation_new": fields["generation"],
                })  # fmt: skip
        for name in ("plus", "minus"):
            commitment, fee = fields[f"commitment{name.capitalize()}"], fields[f"fee{name.capitalize()}"]
            place, epoch = event.place, fields["epoch"]
            self.write(ActionKind.TRADE, fields[name], commitment, fields["generation"], epoch, place)
            self.ledger.hidden_cash -= fee
            if fee:
                self.ledger.move(self.ledger.fees, fields["submitter"], fee)

    def _take_Attested(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self._keep_attestation(fields)
        call = self.source.read_call("house", event.place)
        given: Given | None = None
        if call.function == "attest":
            given = _read_request(call)
        elif call.function == "attestBatch":
            request = call.arguments["request"]
            rows = [row for row in request["rows"] if bytes(row["account"]) == fields["account"]]
            if len(rows) == 1:
                given = _read_attest_row(request, rows[0])
            else:
                self.report.skip("proofs", "an account that stands in several rows of one batch of attestations")
        if given is None:
            self.skip_call(call)
            return
        action = self._check_action(ActionKind.ATTEST, given, call, event)
        self._compare(action, event, {"policy": bytes(fields["policy"]), "epoch": fields["epoch"]})

    def _keep_attestation(self, fields: Mapping[str, Any]) -> None:
        account = self.ledger.accounts.get(fields["account"].hex())
        if account is None:
            return
        kept = fields["time"], fields["epoch"], account.commitment, account.key_version
        level = LEASES.get(fields["policy"])
        if fields["policy"] == MAINTENANCE and fields["epoch"] >= account.attested[1]:
            account.attested = kept
        elif level is not None and fields["epoch"] >= account.levels.get(level, (0, 0))[1]:
            account.levels[level] = (*kept, bytes(fields["pointHash"]).hex())

    def _take_Skipped(self, event: Happened, fields: Mapping[str, Any]) -> None:
        account = self.get(fields["account"], event.place)
        if account is not None:
            self.report.count("history")
            if account.may_hold_derivatives:
                what = f"skip of account 0x{fields['account'].hex()}"
                self.report.add("history", what, "of one that may hold derivatives", "of a flat one", event.place)
            account.generation = int(fields["generation"])

    def _take_Moved(self, event: Happened, fields: Mapping[str, Any]) -> None:
        number, version, place = bytes(fields["account"]), int(fields["keyVersion"]), event.place
        account, call = self.get(number, place), self.source.read_call("house", place)
        if account is None:
            return
        self._check_allowed(f"move of account 0x{number.hex()}", version, place, while_paused=True)
        account.key_version, account.margin, account.must_rekey = version, 0, False
        if call.function != "move":
            self.skip_call(call)
            return
        request, what = call.arguments["request"], f"move of account 0x{number.hex()}"
        message = Move(account=number, key_version=version, commitment=account.commitment, deadline=request["deadline"])
        digest = compute_digest(self.source.contracts.domain, message)
        self.check_signature(what, account.auth, digest, bytes(request["signature"]), call, place)
        self.check_deadline(what, request["deadline"], place)
        signals = {"commitmentOld": account.commitment, "context": compute_context(digest)}
        self.claim_signals("transition", version, signals, request["proof"], f"proof of the {what}", place)

    def _take_Confirmed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        account = self.get(fields["account"], event.place)
        if account is not None:
            account.proven_epoch, account.margin = int(fields["epoch"]), 0

    def _take_Invalidated(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self.ledger.burned.add(f"{fields['account'].hex()} {fields['digest'].hex()}")

    def _take_FeesCollected(self, event: Happened, fields: Mapping[str, Any]) -> None:
        submitter, amount = str(fields["submitter"]), int(fields["amount"])
        what = f"fees that {submitter} collects"
        self.report.require("vault", what, amount, self.ledger.fees.get(submitter, 0), event.place)
        self.ledger.fees[submitter] = 0

    # ------------------------------------------------------------------------------------------ one action's steps
    def _check_action(self, kind: ActionKind, given: Given, call: Call, event: Happened) -> Action | None:
        """The action as the proof is bound to it, after every check but the proof's, which is put on the list."""
        place, rule = event.place, ACTION_RULES[kind]
        what = f"{kind.name.lower()} of account 0x{given.account.hex()}"
        drafted = self.draft(kind, given, what, place)
        if drafted is None:
            return None
        account, action, posted = drafted
        digest = compute_digest(self.source.contracts.domain, action)
        is_due = account.status == Status.FROZEN or self._is_left_behind(account)
        if rule.needs_signature and not (rule.takes_steps and not given.signature and is_due):
            self.check_signed(what, account, action.account, digest, given.signature, call, place)
        self.claim(action, digest, rule, given.proof, posted, what, place)
        return action

    def draft(
        self, kind: ActionKind, given: Given, what: str, place: Place
    ) -> tuple[Account, Action, PostedEpoch | None] | None:
        """The account, the action as far as its row says, and its epoch, after the checks of all three."""
        report, rule, account = self.report, ACTION_RULES[kind], self.get(given.account, place)
        if account is None:
            return None
        report.require(
            "history", f"commitment that the {what} starts from", given.commitment_old, account.commitment, place
        )
        if account.status == Status.CLOSED or (account.status == Status.FROZEN and not rule.while_frozen):
            report.add("history", f"status before the {what}", Status(account.status).name, "one that allows it", place)
        if account.must_rekey and rule.has_sides:
            report.add("history", f"viewing key before the {what}", "that of before a default", "a new one", place)
        self._check_allowed(what, account.key_version, place, while_paused=rule.while_paused)
        self.check_deadline(what, given.deadline, place)
        posted = self._check_epoch(rule, given, account, what, place) if rule.needs_epoch else None
        generation = account.generation + given.steps if posted is None else posted.generation
        action = Action(
            kind=kind,
            account=given.account,
            counterparty=given.counterparty,
            key_version=account.key_version,
            epoch=0 if posted is None else posted.number,
            policy=given.policy if rule.policy is None else encode_policy_name(rule.policy),
            generation_old=account.generation,
            generation_new=generation,
            commitment_old=account.commitment,
            commitment_new=given.commitment_new,
            trade_tag=given.trade_tag,
            ciphertext=given.ciphertext,
            side=given.side,
            cash_flow=_to_cash_flow(rule, given),
            flows=given.flows,
            recipient=given.recipient,
            submitter=given.submitter,
            fee=given.fee,
            deadline=given.deadline,
        )
        return account, action, posted

    def check_signed(
        self, what: str, account: Account, number: bytes, digest: bytes, signature: bytes, call: Call, place: Place
    ) -> None:
        """That auth signed a digest, and did not burn it."""
        if f"{number.hex()} {digest.hex()}" in self.ledger.burned:
            self.report.add("signatures", f"digest of the {what}", "one that auth had burned", "one that counts", place)
        self.check_signature(what, account.auth, digest, signature, call, place)

    def _check_allowed(self, what: str, version: int, place: Place, *, while_paused: bool) -> None:
        """That neither a pause nor the state of its key stood against an action."""
        report, ledger = self.report, self.ledger
        report.count("history")
        if ledger.is_paused and not while_paused:
            report.add("history", what, "taken during a pause", "none until the pause ends", place)
        if not ledger.is_usable(version, self.source.read_time(place.block)):
            report.add("history", f"key version of the {what}", version, "one that is live", place)

    def _check_epoch(
        self, rule: ActionRule, given: Given, account: Account, what: str, place: Place
    ) -> PostedEpoch | None:
        ledger, report, number = self.ledger, self.report, int(given.epoch["number"])
        posted = ledger.epochs.get(number)
        if posted is None:
            report.add("history", f"epoch of the {what}", number, "one that was posted", place)
            return None
        report.count("history")
        age = self.source.read_time(place.block) - posted.time
        limit = ledger.max_age_exit if rule.epoch is EpochRule.EXIT else ledger.max_age_proof
        if age > limit:
            report.add("history", f"age of the {what}'s epoch, seconds", age, f"at most {limit}", place)
        if number < ledger.min_epoch or ledger.is_revoked(number):
            report.add("history", f"epoch of the {what}", f"{number}, superseded or revoked", "one that serves", place)
        if posted.key_version != account.key_version:
            expected = f"{account.key_version}, the account's"
            report.add("history", f"key version of the {what}'s epoch", posted.key_version, expected, place)
        if posted.generation not in (account.generation, account.generation + 1):
            expected = f"{account.generation} or one more"
            report.add("history", f"listing version of the {what}'s epoch", posted.generation, expected, place)
        if rule.proven_at is ProvenRule.SET and number < account.proven_epoch:
            expected = f"{account.proven_epoch} or later, that of the last proof"
            report.add("history", f"epoch of the {what}", number, expected, place)
        self._check_point(rule, given, posted, what, place)
        return posted

    def _check_point(self, rule: ActionRule, given: Given, posted: PostedEpoch, what: str, place: Place) -> None:
        """That the policy's point, with its Merkle path, is one that the epoch posted."""
        policy = given.policy if rule.policy is None else encode_policy_name(rule.policy)
        points = EpochPoints(posted.number, tuple(NamedPoint(*point) for point in posted.points))
        found = EpochPoint(posted.number, given.epoch["x"], given.epoch["y"], tuple(map(bytes, given.epoch["path"])))
        try:
            expected = points.select(policy)
        except CallInvalid:
            self.report.add("history", f"policy of the {what}", policy, "one of the epoch's", place)
        else:
            self.report.require("history", f"point and path of the {what}", found, expected, place)

    def claim(
        self,
        action: Action,
        digest: bytes,
        rule: ActionRule,
        proof: Sequence[int],
        posted: PostedEpoch | None,
        what: str,
        place: Place,
    ) -> None:
        """Puts the proof of `transition` on the list, for what the action says."""
        preset = self.presets.get(action.key_version)
        if preset is None:
            self.report.skip("proofs", f"no key file of version {action.key_version}")
            return
        policy, settlement = self._find_points(action, rule, posted, place)
        if policy is None or settlement is None:
            missing = "policy" if policy is None else "settlement"
            self.report.add("history", f"{missing} point of the {what}", "none", "one that was posted", place)
            return
        names = get_public_signals("transition", preset)
        values = {
            "commitmentOld": action.commitment_old,
            "commitmentNew": action.commitment_new,
            "tradeTag": action.trade_tag,
            "ciphertext": action.ciphertext,
            "side": action.side,
            "write": int(rule.writes),
            "context": compute_context(digest),
            "cashFlow": action.cash_flow,
        }
        inputs = [(names[name].offset, value) for name, value in values.items() if value]
        inputs += [(names["flow"].offset + flow.slot, flow.lots) for flow in action.flows]
        points = tuple(point for point in (policy, settlement) if point != IDENTITY)
        claim = Claim(tuple(inputs), points, tuple(proof))
        self.claims.append(Claimed("transition", action.key_version, claim, f"proof of the {what}", place))

    def claim_signals(
        self, circuit: str, version: int, values: Mapping[str, int], proof: Sequence[int], what: str, place: Place
    ) -> None:
        """Puts a proof on the list whose other public inputs are zero."""
        preset = self.presets.get(version)
        if preset is None or (circuit, version) not in self.keys:
            self.report.skip("proofs", f"no key file of {circuit}, version {version}")
            return
        names = get_public_signals(circuit, preset)
        inputs = tuple((names[name].offset, value) for name, value in values.items())
        self.claims.append(Claimed(circuit, version, Claim(inputs, (), tuple(proof)), what, place))

    def _find_points(
        self, action: Action, rule: ActionRule, posted: PostedEpoch | None, place: Place
    ) -> tuple[Point | None, Point | None]:
        """Points of policy and settlement; None for one that nobody posted."""
        policy: Point | None = IDENTITY
        if rule.policy == "flat":
            registered = self.ledger.keys.get(action.key_version)
            policy = registered.flat if registered else None
        elif posted is not None:
            policy = next(((x, y) for name, x, y in posted.points if name == action.policy), None)
        steps = action.generation_new - action.generation_old
        if steps == 0:
            return policy, IDENTITY
        stored = self.ledger.settlements.get(f"{action.key_version} {action.generation_old} {steps}")
        live = self.ledger.to_live(self.source.read_time(place.block))
        if stored is not None and (live < stored.ready_at or stored.is_superseded):
            what = f"live time of a {ActionKind(action.kind).name.lower()} over {steps} steps"
            expected = f"{stored.ready_at} or later, when the settlement serves, unless its publishers were replaced"
            self.report.add("history", what, live, expected, place)
        return policy, (stored.x, stored.y) if stored else None

    def _compare(self, action: Action | None, event: Happened, expected: Mapping[str, Any]) -> None:
        """That the event says what the calldata say."""
        for name, value in expected.items() if action is not None else ():
            found = getattr(action, name)
            self.report.require("history", f"{name} of {event.name}, by its calldata,", found, value, event.place)

    def write(
        self, kind: ActionKind, number: bytes, commitment: int, generation: int, epoch: int, place: Place
    ) -> None:
        """Takes over into the ledger what a written action changes."""
        account, rule = self.get(number, place), ACTION_RULES[kind]
        if account is None:
            return
        steps = int(generation) - account.generation
        if rule.takes_steps:  # a settlement is the quorum's word, as an epoch is, and proves no margin
            taken = self.ledger.settlements.get(f"{account.key_version} {account.generation} {steps}")
            account.proven_epoch, account.margin = max(account.proven_epoch, taken.number if taken else 0), 0
        account.commitment, account.generation = int(commitment), int(generation)
        if rule.proven_at is ProvenRule.SET:
            posted = self.ledger.epochs.get(epoch)
            account.proven_at, account.proven_epoch = posted.time if posted else 0, int(epoch)
            account.margin = int(MARGINS[rule.policy or ""])
        account.may_hold_derivatives |= rule.has_sides
        if rule.policy == "flat":
            account.may_hold_derivatives = False
        if rule.closes:
            account.status = Status.CLOSED

    def check_signature(self, what: str, auth: str, digest: bytes, signature: bytes, call: Call, place: Place) -> None:
        """That auth signed, or sent the call itself."""
        signer = recover(digest, signature)
        if (not signature and call.sender == auth) or (signer is not None and signer == bytes.fromhex(auth[2:])):
            self.report.count("signatures")
        elif self.source.chain.get_code(auth, block=self.source.block.number):
            self.report.skip("signatures", "of contract wallets, which only their own code can check")
        else:
            self.report.add("signatures", f"signature of the {what}", signer or "nobody's", f"{auth}, its auth", place)

    def check_deadline(self, what: str, deadline: int, place: Place) -> None:
        """That a request was carried in within its deadline."""
        time = self.source.read_time(place.block)
        self.report.count("history")
        if time > deadline:
            self.report.add("history", f"block time of the {what}", time, f"at most its deadline, {deadline}", place)

    def _is_left_behind(self, account: Account) -> bool:
        return self.ledger.generation >= account.generation + 2

    def get(self, number: bytes, place: Place) -> Account | None:
        """The account of that number, which must be there."""
        account = self.ledger.accounts.get(bytes(number).hex())
        if account is None:
            self.report.add("history", f"account 0x{bytes(number).hex()}", "acting", "one that was opened", place)
        return account

    def skip_call(self, call: Call) -> None:
        """Notes that a call's calldata are not known."""
        reason = call.reason or f"part of a call of {call.function}, which does not name it"
        for check in ("signatures", "proofs"):
            self.report.skip(check, reason)

    def _find_trade(self, call: Call, fields: Mapping[str, Any], place: Place) -> Mapping[str, Any] | None:
        """The request, or the row of a batch, that an event is of; rows are taken in order."""
        if call.function == "trade":
            request: Mapping[str, Any] = call.arguments["request"]
            return request
        if call.function != "tradeBatch":
            return None
        rows = call.arguments["request"]["rows"]
        start = self._rows.get(place.transaction, 0)
        for index in range(start, len(rows)):
            row: Mapping[str, Any] = rows[index]
            if (bytes(row["plus"]["account"]), row["tradeTag"]) == (fields["plus"], fields["tradeTag"]):
                self._rows[place.transaction] = index + 1
                return row
        return None

    # ----------------------------------------------------------------------------------------------------------- proofs
    def verify(self, sample: int | None, progress: Callable[[str], None]) -> None:
        """Verifies the proofs that were gathered: all, or the `sample` latest ones of each key."""
        groups: dict[tuple[str, int], list[Claimed]] = {}
        for claimed in self.claims:
            groups.setdefault((claimed.circuit, claimed.version), []).append(claimed)
        for (circuit, version), members in groups.items():
            key = self.keys[circuit, version]
            chosen = members if sample is None else members[len(members) - min(sample, len(members)) :]
            if len(chosen) < len(members):
                self.report.skip(
                    "proofs", f"left out, as only {sample} of each key were asked for", len(members) - len(chosen)
                )
            progress(f"{len(chosen)} proofs of {circuit}, key version {version}")
            false = find_false(key, [claimed.claim for claimed in chosen])
            self.report.count("proofs", len(chosen))
            for place in false:
                claimed = chosen[place]
                self.report.add("proofs", claimed.what, "one that does not verify", "a valid one", claimed.place)


# ------------------------------------------------------------------------------------------------------------ calldata
def read_given(own: Mapping[str, Any], epoch: Mapping[str, Any], **others: Any) -> Given:
    """Of the fields that requests of one action and sides of a trade share; `others` by their names in `Given`."""
    return Given(
        account=bytes(own["account"]),
        commitment_old=own["commitmentOld"],
        commitment_new=own["commitmentNew"],
        submitter=own["submitter"],
        fee=own["fee"],
        deadline=own["deadline"],
        proof=own["proof"],
        signature=bytes(own["signature"]),
        epoch=epoch,
        **others,
    )


def _read_request(call: Call) -> Given:
    request = call.arguments["request"]
    return read_given(
        request,
        request["epoch"],
        cash=request["cash"],
        recipient=request["recipient"],
        policy=bytes(request["policy"]),
        flows=tuple(Flow(slot=flow["slot"], lots=flow["lots"]) for flow in request["flows"]),
        steps=call.arguments.get("steps", 0),
    )


def _read_sides(request: Mapping[str, Any], epoch: Mapping[str, Any]) -> tuple[Given, Given]:
    """Both sides of a trade, plus first."""

    def read(side: int, own: Mapping[str, Any], other: Mapping[str, Any]) -> Given:
        return read_given(
            own,
            epoch,
            counterparty=bytes(other["account"]),
            trade_tag=request["tradeTag"],
            ciphertext=own["ciphertext"],
            side=side,
        )

    plus, minus = request["plus"], request["minus"]
    return read(1, plus, minus), read(-1, minus, plus)


def _read_attest_row(request: Mapping[str, Any], row: Mapping[str, Any]) -> Given:
    return Given(
        account=bytes(row["account"]),
        commitment_old=row["commitment"],
        commitment_new=0,
        submitter=request["submitter"],
        fee=0,
        deadline=request["deadline"],
        proof=row["proof"],
        signature=b"",
        epoch=request["epoch"],
        policy=bytes(request["policy"]),
    )


def _to_cash_flow(rule: ActionRule, given: Given) -> int:
    """Micro-dollars that enter the hidden account (docs/protocol.md, section 9)."""
    if rule.flows is FlowRule.OUT:
        return -(given.cash + given.fee)
    return given.cash - given.fee if rule.flows is FlowRule.IN else -given.fee
