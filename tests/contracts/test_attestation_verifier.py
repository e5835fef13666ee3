"""Another contract checks an off-chain attestation: it counts for whom and for what it was made, now, and once."""

from dataclasses import replace

import pytest
from eth_utils import keccak

from tests.support.reverts import refused
from tests.support.world import POLICIES, World, tamper
from zkmargin.contracts.attestation_verifier import AttestationVerifier, Checked, to_shown
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.messages import EpochPoints, SignedEpoch
from zkmargin.prover.attestation import AttestationRequest, ProvenAttestation
from zkmargin.prover.messages.fields import encode_policy_name
from zkmargin.prover.messages.records import Attestation
from zkmargin.prover.messages.typed_data import compute_context, compute_digest

MAX_AGE = 60
CHALLENGE = keccak(b"a challenge")


class Desk:
    """A verifier, an epoch, and attestations of alice for a recipient."""

    def __init__(self, world: World, policy: str = "net_delta"):
        self.world, self.party, self.epoch = world, world.alice, world.post()
        self.verifier = AttestationVerifier.deploy(world.chain, world.deployment)
        self.asked = AttestationRequest(self.party.id, policy, world.chain.accounts[7], CHALLENGE)

    def show(self, epoch: SignedEpoch | None = None, signals=None, **changes) -> ProvenAttestation:
        """What an honest owner shows; `changes` set fields of the message, `signals` other public signals."""
        stored, posted = self.world.house.get_account(self.party.id), epoch or self.epoch
        fields = {
            "account": self.asked.account,
            "recipient": self.asked.recipient,
            "challenge": self.asked.challenge,
            "policy": encode_policy_name(self.asked.policy),
            "epoch": posted.message.number,
            "key_version": stored.key_version,
            "generation": stored.generation,
            "commitment_old": stored.commitment,
            "valid_until": self.world.deadline(),
        }
        message = Attestation(**{**fields, **changes})
        values = {
            "commitmentOld": message.commitment_old,
            "commitmentNew": 0,
            "tradeTag": 0,
            "ciphertext": 0,
            "side": 0,
            "write": 0,
            "context": compute_context(compute_digest(self.world.domain, message)),
            "cashFlow": 0,
            "flow": [0] * self.world.preset.slots,
        }
        proof = self.world.key.prove({**values, **(signals or {})}, self.world.policy_scalar(message.policy))
        return ProvenAttestation(message=message, proof=to_bytes(proof))

    def check(
        self, shown: ProvenAttestation | None = None, asked=None, points=None, max_age=MAX_AGE, **more
    ) -> Checked:
        points = points or self.epoch.epoch_points
        return self.verifier.check(asked or self.asked, shown or self.show(), points, max_age=max_age, **more)


def to_bytes(words) -> bytes:
    return b"".join(word.to_bytes(32, "big") for word in words)


@pytest.fixture
def desk(world):
    return Desk(world)


def test_an_attestation_is_accepted_for_its_recipient(desk):
    [point] = [item for item in desk.epoch.points if item.name == encode_policy_name("net_delta")]
    expected = Checked(desk.epoch.message.time, point.hash)
    assert desk.check() == expected
    assert desk.check(point_hash=point.hash) == expected


@pytest.mark.property("P-98")
@pytest.mark.parametrize(
    "change",
    [
        {"recipient": "0x" + "77" * 20},
        {"challenge": keccak(b"another")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_not_asked_is_not_shown(desk, change):
    """The recipient asks for one thing and gets an attestation of another."""
    shown = desk.show()
    refused("ProofRejected", desk.check, shown, asked=replace(desk.asked, **change))


@pytest.mark.property("P-98")
def test_another_policy_is_not_shown(desk):
    """Neither with the point of the one that was proved, nor with that of the one that was asked for."""
    shown, asked = desk.show(), replace(desk.asked, policy="maintenance")
    refused("PointsMismatch", desk.check, shown, asked=asked)
    message = shown.message.model_copy(update={"policy": encode_policy_name("maintenance")})
    refused("ProofRejected", desk.check, ProvenAttestation(message=message, proof=shown.proof), asked=asked)


@pytest.mark.property("P-98")
def test_another_account_is_not_shown(desk):
    other = desk.world.bob
    refused("AttestationStale", desk.check, desk.show(), asked=replace(desk.asked, account=other.id))
    stored = desk.world.house.get_account(other.id)
    moved = desk.show(commitment_old=stored.commitment)
    refused("ProofRejected", desk.check, moved, asked=replace(desk.asked, account=other.id))


@pytest.mark.property("P-98")
@pytest.mark.parametrize("name", ["commitmentNew", "tradeTag", "ciphertext", "side", "write", "cashFlow", "flow"])
def test_a_proof_of_anything_more_than_an_attestation_is_refused(desk, name):
    """A proof that also writes, trades or moves money is no attestation, though its context is."""
    signals = {"flow": [1] + [0] * (desk.world.preset.slots - 1)}.get(name, 1)
    refused("ProofRejected", desk.check, desk.show(signals={name: signals}))


@pytest.mark.property("P-98")
def test_an_account_that_moved_shows_nothing(desk):
    shown = desk.show()
    desk.world.deposit(desk.party, 1)
    fields = refused("AttestationStale", desk.check, shown)
    assert fields["shown"] == shown.message.commitment_old != fields["stored"]


@pytest.mark.parametrize("status", [Status.FROZEN, Status.CLOSED])
def test_an_account_that_is_not_active_shows_nothing(desk, status):
    shown = desk.show()
    desk.world.set_status(desk.party, status)
    assert refused("StatusWrong", desk.check, shown)["status"] == status


@pytest.mark.property("P-98")
def test_it_lasts_as_long_as_its_maker_and_its_recipient_want(desk):
    short = desk.show(valid_until=desk.world.chain.time + 10)
    late = desk.show()
    desk.world.chain.travel(11)
    refused("AttestationExpired", desk.check, short)
    assert desk.check(late).time == desk.epoch.message.time
    fields = refused("AttestationTooOld", desk.check, late, max_age=5)
    assert fields["maxAge"] == 5 < fields["age"]
    desk.world.chain.travel(400)
    refused("EpochStale", desk.check, late, max_age=10_000)


@pytest.mark.property("P-98")
def test_the_policy_is_the_epochs_and_its_content_the_one_asked_for(desk):
    shown, points = desk.show(), desk.epoch.points
    other = [replace(item, x=1, y=2) if item.name.startswith(b"net_delta") else item for item in points]
    refused("PointsMismatch", desk.check, shown, points=EpochPoints(desk.epoch.message.number, tuple(other)))
    other_policy = replace(desk.asked, policy="maintenance")
    refused("PointsMismatch", desk.check, desk.show(policy=encode_policy_name("net_delta")), asked=other_policy)
    fields = refused("PolicyContentDiffers", desk.check, shown, point_hash=keccak(b"other"))
    assert fields["asked"] == keccak(b"other")
    assert POLICIES["net_delta"] != POLICIES["maintenance"]


@pytest.mark.property("P-98")
def test_a_superseded_or_revoked_epoch_and_a_revoked_key_show_nothing(desk):
    shown, world = desk.show(), desk.world
    mark = world.chain.snapshot()
    world.post(urgent=True)
    refused("EpochSuperseded", desk.check, shown)
    world.chain.revert(mark)
    mark = world.chain.snapshot()
    world.oracle.revoke_epochs(desk.epoch.message.number)
    refused("EpochRevoked", desk.check, shown)
    world.chain.revert(mark)
    world.revoke_key()
    refused("KeyIsRevoked", desk.check, shown)


@pytest.mark.property("P-98")
def test_an_account_whose_state_a_revoked_epoch_made_shows_nothing(desk):
    world = desk.world
    world.house.trade(world.make_trade(world.alice, world.bob, desk.epoch), sender=world.submitter)
    later = world.post()
    world.oracle.revoke_epochs(desk.epoch.message.number)
    world.chain.travel(15)
    good = world.post()
    assert later.message.number < good.message.number
    fields = refused("AccountOfRevokedEpoch", desk.check, desk.show(good), points=good.epoch_points)
    assert fields == {"account": desk.party.id, "epoch": desk.epoch.message.number}


def test_while_paused_nothing_is_shown(desk):
    desk.world.oracle.pause()
    refused("ActionPaused", desk.check)


def test_an_epoch_of_another_generation_shows_nothing(desk):
    world = desk.world
    world.chain.travel(3_700)
    step = world.post(generation=world.oracle.get_generation() + 1)
    shown = desk.show(step)
    refused("GenerationWrong", desk.check, shown, points=step.epoch_points)


def test_an_epoch_of_another_key_version_shows_nothing(desk):
    world = desk.world
    with world.under_key(2) as version:
        other = world.post()
    fields = refused("KeyVersionWrong", desk.check, desk.show(other), points=other.epoch_points)
    assert fields == {"account": desk.party.id, "accountVersion": 1, "epochVersion": version}


def test_a_proof_must_be_one(desk):
    shown = desk.show()
    words = [int.from_bytes(shown.proof[start : start + 32], "big") for start in range(0, 256, 32)]
    refused("ProofRejected", desk.check, ProvenAttestation(message=shown.message, proof=to_bytes(tamper(tuple(words)))))


def test_points_of_another_epoch_are_not_sent(desk):
    with pytest.raises(CallInvalid, match="number of the points' epoch"):
        to_shown(desk.show(), EpochPoints(desk.epoch.message.number + 1, desk.epoch.points))


# --------------------------------------------------------------------------------------------------------- the example
@pytest.fixture
def line(desk):
    contract, _ = deploy_contract(
        desk.world.chain, "CreditLine", desk.verifier.contract.address, encode_policy_name("net_delta")
    )
    challenge = contract.call("challengeOf", desk.party.id)
    desk.asked = AttestationRequest(desk.party.id, "net_delta", contract.address, challenge)
    return contract


def open_line(desk, line, shown):
    return line.send("open", desk.party.id, to_shown(shown, desk.epoch.epoch_points), sender=desk.world.submitter)


def test_the_example_opens_a_line_once_for_each_attestation(desk, line):
    shown = desk.show()
    receipt = open_line(desk, line, shown)
    [event] = line.decode_logs(receipt, "LineOpened")
    assert event["account"] == desk.party.id
    assert line.call("openUntil", desk.party.id) == event["until"]
    refused("ProofRejected", open_line, desk, line, shown)
    desk.asked = replace(desk.asked, challenge=line.call("challengeOf", desk.party.id))
    open_line(desk, line, desk.show())
    assert line.call("shownBy", desk.party.id) == 2


def test_a_refused_attestation_leaves_the_line_closed(desk, line):
    refused("ProofRejected", open_line, desk, line, desk.show(challenge=keccak(b"guess")))
    assert (line.call("openUntil", desk.party.id), line.call("shownBy", desk.party.id)) == (0, 0)
