"""Epochs and settlements: who signed them, what they say, and whether it follows from the market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from eth_account import Account as EthAccount
from eth_hash.auto import keccak

from zkmargin.audit.bounds import find_excess
from zkmargin.audit.curve import Key, Point, compute_policy_point, compute_settlement_point
from zkmargin.audit.ledger import LastStep, Ledger, PostedEpoch, PostedSettlement
from zkmargin.audit.published import Published
from zkmargin.audit.report import Place, Report
from zkmargin.audit.source import EVENTS, Call, Happened, Source
from zkmargin.contracts.messages import NamedPoint, compute_points_root
from zkmargin.engine.epoch.expiry import ExpiryStep, compose_expiry_steps, identity_expiry_step
from zkmargin.engine.epoch.liquidation import liquidate
from zkmargin.engine.epoch.record import MAGIC as POLICIES_MAGIC
from zkmargin.engine.epoch.record import Epoch, read_policies
from zkmargin.engine.epoch.succession import check_succession
from zkmargin.engine.errors import EngineError, UnknownName
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.margin.rebuild import PolicyNotRebuilt, check_rebuilt
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.implication import check_implies
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import PRESETS, Preset
from zkmargin.engine.units import SECONDS_PER_DAY
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind, EpochRule
from zkmargin.prover.messages.fields import encode_policy_name
from zkmargin.prover.messages.records import Epoch as EpochMessage
from zkmargin.prover.messages.records import Settlement as SettlementMessage
from zkmargin.prover.messages.records import TypedMessage
from zkmargin.prover.messages.typed_data import HALF_ORDER, compute_digest
from zkmargin.prover.statement.signals import get_public_signals

IMPLICATIONS = (("withdraw", "initial"), ("initial", "maintenance"))
"""Pairs of policies of which the first implies the second for every state."""
ECDSA_LENGTH = 65
SILENCE = NOTICE = 3 * SECONDS_PER_DAY
"""Seconds without an epoch before notice of a venue's end, and from there to the end."""


@dataclass(frozen=True)
class Read:
    """An epoch whose bytes were all found."""

    epoch: Epoch
    policies: Mapping[str, Policy]
    """Those that were signed."""


@dataclass
class PublisherAudit:
    """Replays what the oracle says, and recomputes it."""

    source: Source
    ledger: Ledger
    report: Report
    keys: Mapping[int, Key]
    """Verification key of `transition` by version: those whose files the auditor has."""
    published: Published
    max_lag: int
    first_generation: int
    settlement_delay: int
    """Seconds of the live clock after which a settlement serves."""
    previous: Read | None = field(default=None)
    """The epoch before, if its bytes were found."""

    def resume(self) -> None:
        """Takes up the latest epoch of a ledger that an earlier run left."""
        latest = self.ledger.epochs.get(self.ledger.latest)
        if latest is not None and self.ledger.latest_bytes:
            self.published.take_in(self.ledger.latest_bytes)
            kept, self.report = self.report, Report(0, 0, 0)  # what it says was said by the earlier run
            self.previous = self._read(latest, Place(0))
            self.report = kept

    def take(self, event: Happened) -> None:
        """Replays one event of the oracle."""
        handler = getattr(self, f"_take_{event.name}", None)
        if handler is not None:
            handler(event, event.fields)
        elif event.name not in EVENTS["oracle"]:
            self.report.skip("history", f"event {event.name}, which this auditor does not replay")

    # ------------------------------------------------------------------------------------------------------- governance
    def _take_SignersSet(self, event: Happened, fields: Mapping[str, Any]) -> None:
        ledger = self.ledger
        if ledger.threshold:  # the first are the constructor's
            ledger.min_epoch = ledger.latest + 1
            live, last = self._get_live(event), ledger.last_step
            for posted in (*ledger.settlements.values(), *(last.points.values() if last else ())):
                posted.is_superseded |= live < posted.ready_at
        ledger.signers, ledger.threshold = [bytes(item) for item in fields["signers"]], int(fields["threshold"])

    def _take_PauseSet(self, event: Happened, fields: Mapping[str, Any]) -> None:
        time = self.source.read_time(event.place.block)
        if fields["paused"]:
            self.ledger.pause(time)
        else:
            self.ledger.unpause(time)

    def _take_PaymentTermsSet(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self.ledger.payment_delay, self.ledger.daily_share = int(fields["delay"]), int(fields["dailyShare"])

    def _take_MaxAgeSet(self, event: Happened, fields: Mapping[str, Any]) -> None:
        is_exit = ACTION_RULES[ActionKind(fields["kind"])].epoch is EpochRule.EXIT
        setattr(self.ledger, "max_age_exit" if is_exit else "max_age_proof", int(fields["seconds_"]))

    def _take_EpochsRevoked(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self.ledger.revoke(int(fields["from"]), int(fields["upTo"]))

    def _take_EpochsRestored(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self.ledger.restore(int(fields["from"]), int(fields["upTo"]))

    def _take_SettlementVetoed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self.ledger.settlements.pop(_place_of(fields), None)
        if fields["steps"] == 1:
            self.ledger.steps.pop(fields["fromGeneration"] + 1, None)

    def _take_SnapshotPublished(self, event: Happened, fields: Mapping[str, Any]) -> None:
        found = keccak(bytes(fields["snapshot"]))
        self.report.require("snapshot", "hash of published bytes", found, bytes(fields["snapshotHash"]), event.place)

    # ------------------------------------------------------------------------------------------------------- settlement
    def _take_SettlementPublished(self, event: Happened, fields: Mapping[str, Any]) -> None:
        version, start, steps = fields["keyVersion"], fields["fromGeneration"], fields["steps"]
        vector, place = bytes(fields["settlement"]), event.place
        posted = PostedSettlement(
            number=fields["number"], x=fields["x"], y=fields["y"], vector=vector, ready_at=fields["readyAt"]
        )
        self.ledger.settlements[_place_of(fields)] = posted
        what = f"settlement of {steps} steps from listing version {start}"
        if self.ledger.is_ended and start + steps == self.ledger.generation and steps == 1:
            self._check_end(version, posted, start, place)
        else:
            self._check_allowed(what, version, place)
            stated = {name: fields[name] for name in ("fromGeneration", "steps", "x", "y")}
            self._check_settlement_call(event, "postSettlement", vector, stated)
        ready = self.ledger.to_live(self.source.read_time(place.block)) + self.settlement_delay
        self.report.require("settlements", f"live time from which the {what} serves", posted.ready_at, ready, place)
        known = self.ledger.steps.get(start + 1) if steps == 1 else None
        if known is not None:
            self.report.require("settlements", f"vector of {what}", vector, known, place)
        step = self._check_vector(version, vector, (posted.x, posted.y), what, place)
        if step is None:
            return
        if steps == 1:
            self.ledger.steps[start + 1] = vector
        else:
            self._check_composed(step, range(start + 1, start + steps + 1), what, place)

    def _check_vector(self, version: int, vector: bytes, signed: Point, what: str, place: Place) -> ExpiryStep | None:
        """The step of canonical and allowed bytes, whose point under the version's key is compared with the one that
        was signed; None where there is no key or no such step."""
        key = self.keys.get(version)
        if key is None:
            self.report.skip("settlements", f"no key file of version {version}")
            return None
        try:
            step = ExpiryStep.from_bytes(vector, find_preset(key))
        except EngineError as error:
            self.report.add("settlements", f"vector of {what}", error, "canonical and allowed", place)
            return None
        self.report.require("settlements", f"point of {what}", signed, compute_settlement_point(key, step), place)
        return step

    def _check_composed(self, step: ExpiryStep, generations: range, what: str, place: Place) -> None:
        missing = [number for number in generations if number not in self.ledger.steps]
        if missing:
            self.report.add("settlements", f"vector of {what}", f"without the steps into {missing}", "composed", place)
            return
        parts = [ExpiryStep.from_bytes(self.ledger.steps[number], step.preset) for number in generations]
        composed = compose_expiry_steps(parts).to_bytes()
        self.report.require("settlements", f"vector of {what}", step.to_bytes(), composed, place)

    def _check_settlement_call(
        self, event: Happened, function: str, vector: bytes, stated: Mapping[str, object]
    ) -> None:
        call = self.source.read_call("oracle", event.place)
        if call.function != function:
            return  # of an epoch, whose own call is checked, or of another contract's, which is noted there
        fields = call.arguments["message"]
        message = SettlementMessage(**{_to_snake(name): value for name, value in fields.items()})
        expected = {"keyHash": self._key_hash(event.fields["keyVersion"]), "settlementHash": keccak(vector)}
        for name, value in {**expected, **stated}.items():
            self.report.require("header", f"{name} of the settlement's message", fields[name], value, event.place)
        self.check_quorum(message, call.arguments["signatures"], event.place)

    # --------------------------------------------------------------------------------------------- the end of the venue
    def _take_LastStepPublished(self, event: Happened, fields: Mapping[str, Any]) -> None:
        version, generation, place, ledger = fields["keyVersion"], fields["generation"], event.place, self.ledger
        vector, point = bytes(fields["settlement"]), (fields["x"], fields["y"])
        what = f"the last step from listing version {generation}"
        self._check_allowed(what, version, place)
        self.report.require("history", f"listing version of {what}", generation, ledger.generation, place)
        ready = ledger.to_live(self.source.read_time(place.block)) + self.settlement_delay
        self.report.require("settlements", f"live time from which {what} serves", fields["readyAt"], ready, place)
        stated = {"fromGeneration": generation, "steps": 0, "x": point[0], "y": point[1]}
        self._check_settlement_call(event, "postLastStep", vector, stated)
        step = self._check_vector(version, vector, point, what, place)
        if step is not None:
            self._check_prices(event, step, what)
        self._keep_last_step(fields, place)

    def _keep_last_step(self, fields: Mapping[str, Any], place: Place) -> None:
        """Beside the points of the same vector, or in the place of an earlier one."""
        ledger, number, last = self.ledger, int(fields["number"]), self.ledger.last_step
        kept = LastStep(number=number, generation=fields["generation"], vector=bytes(fields["settlement"]))
        stated = kept.number, kept.generation, kept.vector
        if last is not None and last.points and (last.number, last.generation, last.vector) == stated:
            kept = last
        lowest = 0 if kept is last or last is None else last.number
        self.report.count("history")
        if not lowest < number <= ledger.latest or ledger.is_revoked(number) or fields["keyVersion"] in kept.points:
            expected = f"{lowest + 1} to {ledger.latest}, not revoked, and once for each key version"
            self.report.add("history", "epoch of the last step", number, expected, place)
        kept.points[fields["keyVersion"]] = PostedSettlement(
            number=ledger.latest, x=fields["x"], y=fields["y"], vector=kept.vector, ready_at=fields["readyAt"]
        )
        ledger.last_step = kept

    def _check_prices(self, event: Happened, step: ExpiryStep, what: str) -> None:
        """That it leaves no derivative, and pays the prices of the epoch at which it was signed."""
        report, place, call = self.report, event.place, self.source.read_call("oracle", event.place)
        kept = [slot for slot in step.preset.derivative_slots if not step.drop[slot]]
        report.require("settlements", f"derivative slots that {what} leaves", kept, [], place)
        if call.function != "postLastStep":
            report.skip("settlements", f"prices of a last step: {call.reason or f'a call of {call.function}'}")
            return
        number = call.arguments["message"]["number"]
        signed = self.ledger.epochs.get(number)
        data = self.published.find(signed.snapshot_hash) if signed is not None else None
        if data is None:
            report.skip("settlements", "prices of a last step, as nobody published its epoch's snapshot")
            return
        try:
            expected = liquidate(MarketSnapshot.from_bytes(data))
        except EngineError as error:
            report.add("settlements", f"snapshot of {what}", error, "one that gives prices", place)
            return
        found, wanted = step.payoff.tolist(), expected.payoff.tolist()
        report.require("settlements", f"prices of {what}, at epoch {number}", found, wanted, place)

    def _take_LastStepVetoed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        last, live = self.ledger.last_step, self._get_live(event)
        vetoed = last.points.get(fields["keyVersion"]) if last else None
        self.report.count("history")
        if last is None or vetoed is None or live >= vetoed.ready_at:
            self.report.add("history", "veto of a last step", f"at {live}", "of one that can be vetoed", event.place)
            return
        last.number, last.points = self.ledger.latest, {}

    def _take_NoticeOfEnd(self, event: Happened, fields: Mapping[str, Any]) -> None:
        ledger, place, time = self.ledger, event.place, self.source.read_time(event.place.block)
        latest, ends_at = int(fields["latest"]), int(fields["endsAt"])
        self.report.require("history", "latest epoch of the notice of the end", latest, ledger.latest, place)
        self.report.require("history", "time from which the venue may end", ends_at, time + NOTICE, place)
        posted = ledger.epochs.get(ledger.latest)
        since = posted.time if posted else 0
        self.report.count("history")
        if time <= since + SILENCE:
            self.report.add("history", "time of the notice", time, f"later than {since + SILENCE}", place)
        ledger.notice = latest, ends_at

    def _take_VenueEnded(self, event: Happened, fields: Mapping[str, Any]) -> None:
        ledger, place, time = self.ledger, event.place, self.source.read_time(event.place.block)
        self.report.require("history", "listing version of the end", fields["generation"], ledger.generation + 1, place)
        latest, ends_at = ledger.notice or (-1, 0)
        self.report.require("history", "latest epoch at the end, by the notice,", ledger.latest, latest, place)
        if time < ends_at:
            self.report.add("history", "time of the end", time, f"{ends_at} or later, as the notice said", place)
        ledger.unpause(time)
        ledger.is_paused, ledger.is_ended, ledger.generation = True, True, int(fields["generation"])

    def _check_end(self, version: int, posted: PostedSettlement, start: int, place: Place) -> None:
        """That the settlement of the end is the last step that a quorum signed, as it stands and may serve."""
        report, ledger, what, last = self.report, self.ledger, "settlement of the end", self.ledger.last_step
        signed = last.points.get(version) if last else None
        if last is None or signed is None:
            report.add("settlements", what, posted.vector, "that of a last step under this key version", place)
            return
        found = posted.vector, posted.x, posted.y, start
        report.require("settlements", what, found, (last.vector, signed.x, signed.y, last.generation), place)
        live = ledger.to_live(self.source.read_time(place.block))
        is_bad = any(ledger.is_revoked(number) for number in (ledger.latest, signed.number))
        if live < signed.ready_at or signed.is_superseded or is_bad:
            expected = f"at {signed.ready_at} or later, by publishers who were not replaced before, at a good epoch"
            report.add("settlements", what, f"served at {live}", expected, place)

    def _get_live(self, event: Happened) -> int:
        return self.ledger.to_live(self.source.read_time(event.place.block))

    # ------------------------------------------------------------------------------------------------------------ epoch
    def _take_EpochPosted(self, event: Happened, fields: Mapping[str, Any]) -> None:
        ledger, number, place = self.ledger, int(fields["number"]), event.place
        posted = PostedEpoch(
            number=number,
            time=fields["time"],
            generation=fields["generation"],
            key_version=fields["keyVersion"],
            min_epoch=fields["minEpoch"],
            snapshot_hash=bytes(fields["snapshotHash"]),
            policy_hash=bytes(fields["policyHash"]),
            settlement_hash=bytes(fields["settlementHash"]),
            points=[(bytes(point["name"]), point["x"], point["y"]) for point in fields["points"]],
        )
        self._check_allowed(f"epoch {number}", posted.key_version, place)
        before = ledger.epochs.get(ledger.latest)
        is_step = posted.generation != (before.generation if before else self.first_generation)
        self._check_numbers(posted, before, place)
        self._check_message(event, posted, is_step)
        read = self._read(posted, place)
        if read is not None:
            self._check_points(posted, read.policies, place)
            self._check_succession(read.epoch, before, place)
            ledger.latest_bytes = [read.epoch.snapshot_bytes, read.epoch.policy_bytes, read.epoch.settlement_bytes]
        else:
            for check in ("points", "succession"):
                self.report.skip(check, "bytes of the epoch are missing or malformed")
        self.previous = read
        ledger.epochs[number] = posted
        ledger.latest, ledger.generation = number, posted.generation
        ledger.min_epoch = max(ledger.min_epoch, number if is_step else posted.min_epoch)

    def _check_allowed(self, what: str, version: int, place: Place) -> None:
        """That neither a pause nor the state of its key stood against it."""
        report, ledger = self.report, self.ledger
        report.count("history")
        if ledger.is_paused:
            report.add("history", what, "posted during a pause", "none until the pause ends", place)
        if not ledger.is_usable(version, self.source.read_time(place.block)):
            report.add("history", f"key version of {what}", version, "one that is live", place)

    def _check_numbers(self, posted: PostedEpoch, before: PostedEpoch | None, place: Place) -> None:
        latest, what = self.ledger.latest, f"number of epoch {posted.number}"
        allowed = range(latest + 1, latest + 1001)
        self.report.count("succession")
        if posted.number not in allowed:
            self.report.add("succession", what, posted.number, f"{latest + 1} to {latest + 1000}", place)
        lowest = before.min_epoch if before else 0
        if posted.min_epoch < lowest:
            what = f"lowest number that epoch {posted.number} lets serve"
            self.report.add("succession", what, posted.min_epoch, f"{lowest} or more, as was signed before", place)

    def _check_message(self, event: Happened, posted: PostedEpoch, is_step: bool) -> None:
        """That the event's words are those that a quorum signed."""
        call = self.source.read_call("oracle", event.place)
        if call.function != "postEpoch":
            for check in ("header", "quorum"):
                self.report.skip(check, call.reason or f"posted by {call.function}")
            return
        given = call.arguments["epoch"]
        points = [NamedPoint(*point) for point in posted.points]
        expected = {
            "number": posted.number,
            "time": posted.time,
            "generation": posted.generation,
            "minEpoch": posted.min_epoch,
            "snapshotHash": posted.snapshot_hash,
            "policyHash": posted.policy_hash,
            "settlementHash": posted.settlement_hash,
            "keyHash": self._key_hash(posted.key_version),
            "pointsRoot": compute_points_root(points),
        }
        for name, value in expected.items():
            what = f"{name} of epoch {posted.number}'s message"
            self.report.require("header", what, given[name], value, event.place)
        if is_step:
            self._check_step(given, call, posted, event.place)
        message = EpochMessage(**{_to_snake(name): value for name, value in given.items()})
        self.check_quorum(message, call.arguments["signatures"], event.place)

    def _check_step(self, given: Mapping[str, Any], call: Call, posted: PostedEpoch, place: Place) -> None:
        vector, what = bytes(call.arguments["settlement"]), f"settlement of epoch {posted.number}"
        self.report.require("header", f"hash of the {what}", keccak(vector), posted.settlement_hash, place)
        self._check_vector(
            posted.key_version, vector, (given["settlementX"], given["settlementY"]), f"the {what}", place
        )

    def check_quorum(self, message: TypedMessage, signatures: Sequence[bytes], place: Place) -> None:
        """That enough of the publishers of this moment signed, each once."""
        ledger, report = self.ledger, self.report
        name = type(message).__name__
        digest = compute_digest(self.source.contracts.domain, message)
        report.count("quorum")
        if len(signatures) < ledger.threshold:
            report.add("quorum", f"signatures of {name}", len(signatures), f"{ledger.threshold} or more", place)
        last = b""
        for index, signature in enumerate(signatures):
            if len(signature) != ECDSA_LENGTH:
                report.skip("quorum", "a signature of a contract (ERC-7913), which only its own code can check")
                continue
            signer = recover(digest, bytes(signature))
            what = f"signer {index} of {name}"
            if signer is None or signer not in ledger.signers:
                publishers = ", ".join(f"0x{item.hex()}" for item in ledger.signers)
                report.add("quorum", what, signer or "nobody", f"one of {publishers}", place)
            elif keccak(signer) <= last:
                report.add("quorum", what, signer, "each publisher once, by rising hash", place)
            else:
                last = keccak(signer)

    # ------------------------------------------------------------------------------------------------------------ bytes
    def _read(self, posted: PostedEpoch, place: Place) -> Read | None:
        """The epoch from bytes that have the signed hashes, with every check of the bytes themselves."""
        report, number = self.report, posted.number
        key = self.keys.get(posted.key_version)
        data = self.published.find(posted.snapshot_hash)
        if key is None or data is None:
            reason = f"no key file of version {posted.key_version}"
            if key is not None:
                reason = "nobody published the bytes of the snapshot"
            for check in ("snapshot", "policies", "bounds"):
                report.skip(check, reason)
            return None
        report.count("snapshot")
        try:
            snapshot = MarketSnapshot.from_bytes(data)
            rebuilt = rebuild(data)
        except EngineError as error:
            report.add("snapshot", f"snapshot of epoch {number}", error, "one that gives policies", place)
            return None
        if snapshot.listing.preset.slots != find_preset(key).slots or snapshot.listing.generation != posted.generation:
            found = f"{snapshot.listing.preset.slots} slots, listing version {snapshot.listing.generation}"
            expected = f"{find_preset(key).slots} slots, listing version {posted.generation}"
            report.add("snapshot", f"listing of epoch {number}'s snapshot", found, expected, place)
            return None
        step = self._read_settlement(posted, snapshot.listing.preset, place)
        policies = self._read_policies(posted, rebuilt, place)
        if step is None or policies is None:
            return None
        is_urgent = posted.min_epoch == posted.number
        try:
            epoch = Epoch(number, posted.time, posted.generation, is_urgent, snapshot, policies, step)
        except EngineError as error:
            report.add("snapshot", f"epoch {number}", error, "one whose parts belong together", place)
            return None
        return Read(epoch, policies)

    def _read_settlement(self, posted: PostedEpoch, preset: Preset, place: Place) -> ExpiryStep | None:
        identity = identity_expiry_step(preset)
        if posted.settlement_hash == identity.hash:
            return identity
        data = self.published.find(posted.settlement_hash)
        if data is None:
            what = f"settlement hash of epoch {posted.number}"
            self.report.add("settlements", what, posted.settlement_hash, "that of a vector that was published", place)
            return None
        try:
            return ExpiryStep.from_bytes(data, preset)
        except EngineError as error:
            self.report.add("settlements", f"settlement of epoch {posted.number}", error, "canonical, allowed", place)
            return None

    def _read_policies(
        self, posted: PostedEpoch, rebuilt: Mapping[str, Policy], place: Place
    ) -> Mapping[str, Policy] | None:
        """The policies that were signed: the rebuilt ones where the hashes agree, else those of the served bytes."""
        report, what = self.report, f"policies of epoch {posted.number}"
        built = encode_policies(tuple(rebuilt[name].to_bytes() for name in sorted(rebuilt)))
        report.count("policies")
        policies: Mapping[str, Policy] = rebuilt
        if keccak(built) != posted.policy_hash:
            data = self.published.find(posted.policy_hash)
            if data is None:
                report.add("policies", f"hash of the {what}", posted.policy_hash, keccak(built), place)
                return None
            try:
                policies = read_policies(data, next(iter(rebuilt.values())).preset.split)
                check_rebuilt(policies, rebuilt)
                report.facts.setdefault("policies_within_one_unit", []).append(posted.number)
            except PolicyNotRebuilt as difference:
                report.add("policies", what, difference, "those that the snapshot gives", place)
            except EngineError as error:
                report.add("bounds", what, error, "admissible", place)
                return None
        for policy in policies.values():
            report.count("bounds")
            for number, value, allowed in find_excess(policy):
                report.add("bounds", f"{number} of policy {policy.name}, epoch {posted.number}", value, allowed, place)
        return policies

    def _check_points(self, posted: PostedEpoch, policies: Mapping[str, Policy], place: Place) -> None:
        key, names = self.keys[posted.key_version], {encode_policy_name(name): name for name in policies}
        given: dict[bytes, Point] = {name: (x, y) for name, x, y in posted.points}
        for name in sorted(set(given) ^ set(names)):
            shown = name.rstrip(b"\0").decode(errors="replace")
            held = ("no point", "no policy")[name in given]
            self.report.add("points", f"{shown} of epoch {posted.number}", held, "a point and a policy", place)
        for name, point in given.items():
            if name in names:
                computed = compute_policy_point(key, policies[names[name]])
                self.report.require("points", f"point of {names[name]}, epoch {posted.number}", point, computed, place)

    def _check_succession(self, epoch: Epoch, before: PostedEpoch | None, place: Place) -> None:
        report, what = self.report, f"epoch {epoch.number}"
        if before is not None and (self.previous is None or self.previous.epoch.number != before.number):
            report.skip("succession", "no bytes of the epoch before")
            return
        report.count("succession")
        try:
            previous = self.previous.epoch if before is not None and self.previous else None
            check_succession(previous, epoch, max_lag=self.max_lag)
            for policy in epoch.policies.values():
                check_policy(policy, epoch.snapshot.listing.is_listed)
            for stronger, weaker in IMPLICATIONS:
                check_implies(epoch.policies[stronger], epoch.policies[weaker])
        except (EngineError, KeyError) as error:
            report.add("succession", what, error, "one that may follow", place)

    def _key_hash(self, version: int) -> bytes:
        known = self.ledger.keys.get(version)
        return known.transition_hash if known else b""


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """Address, 20 bytes, that signed the digest; None for a signature that the contracts refuse."""
    if len(signature) != ECDSA_LENGTH or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        return None
    try:
        return bytes.fromhex(EthAccount._recover_hash(digest, signature=signature)[2:])
    except Exception:
        # eth-account raises several unrelated classes for values outside the curve; each means that nobody signed.
        return None


def find_preset(key: Key) -> Preset:
    """The preset whose statement has as many public inputs as the key; raises `UnknownName` if none has."""
    sizes = {get_public_signals("transition", preset).size: preset for preset in PRESETS.values()}
    if key.n_public not in sizes:
        raise UnknownName("number of public inputs", str(key.n_public), [str(size) for size in sizes])
    return sizes[key.n_public]


@lru_cache(64)
def rebuild(snapshot: bytes) -> Mapping[str, Policy]:
    """The policies that a snapshot's bytes give under the pinned parameters; raises the engine's errors."""
    return HouseModel(MarketSnapshot.from_bytes(snapshot), load_parameters()).policies


@lru_cache(64)
def encode_policies(data: tuple[bytes, ...]) -> bytes:
    """Canonical bytes of an epoch's policies, from each one's, by rising name."""
    parts = [POLICIES_MAGIC, len(data).to_bytes(2, "big")]
    for policy in data:
        parts += [len(policy).to_bytes(4, "big"), policy]
    return b"".join(parts)


def _place_of(fields: Mapping[str, Any]) -> str:
    return f"{fields['keyVersion']} {fields['fromGeneration']} {fields['steps']}"


def _to_snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
