"""Where and when something is proved: what an owner knows of a deployment, and one moment of it."""

from dataclasses import dataclass

from zkmargin.engine.presets import Preset
from zkmargin.prover.account.escrow import Point
from zkmargin.prover.actions.intent import EpochData
from zkmargin.prover.messages.typed_data import Domain


@dataclass(frozen=True, slots=True)
class Session:
    """What a negotiation or an attestation takes for granted: messages count here, at this epoch, until then."""

    domain: Domain
    preset: Preset
    key_version: int
    """Version of the proving keys in use."""
    epoch: EpochData
    """The epoch at which it is proved."""
    valid_until: int
    """Unix seconds: until when what is signed or proved counts."""


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """What an owner needs to know of a deployment."""

    domain: Domain
    preset: Preset
    key_version: int
    """Version of the proving keys in use."""
    committee: Point
    """The committee's public key of that version."""

    def begin(self, epoch: EpochData, valid_until: int) -> Session:
        """A session at an epoch, until `valid_until`, unix seconds."""
        return Session(self.domain, self.preset, self.key_version, epoch, valid_until)
