"""The four circuits' keys of a preset, with what a deployment and the publishers need of them."""

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

from zkmargin.contracts.key_material import KeyMaterial
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import Preset, get_preset
from zkmargin.prover.account.escrow import CommitteeKey, create_committee_file, read_committee_file
from zkmargin.prover.client import Provers
from zkmargin.prover.errors import KeyFileError
from zkmargin.prover.groth16.keys import ProvingKey, load_proving_key
from zkmargin.prover.groth16.points import Point, compute_policy_point, compute_settlement_point
from zkmargin.prover.groth16.provers import OpenProver, TransitionProver
from zkmargin.prover.paths import BUILD

COMMITTEE_FILE = "committee.json"


@dataclass(frozen=True)
class VenueKeys:
    """Development keys of one preset."""

    preset: Preset
    transition: ProvingKey
    open: ProvingKey
    material: KeyMaterial
    """What `contracts.deploy` registers."""
    provers: Provers
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds of each witness, proof and verification made with these keys."""

    def compute_policy_point(self, policy: Policy) -> Point:
        """A policy's point under the transition key."""
        return compute_policy_point(self.transition.verifying_key, policy)

    def compute_settlement_point(self, settlement: ExpiryStep) -> Point:
        """A settlement's point; the identity where it changes nothing."""
        return compute_settlement_point(self.transition.verifying_key, settlement, self.preset)


def load_venue_keys(preset: str, *, build: Path = BUILD) -> VenueKeys:
    """The development keys that `zkmargin setup` made for a preset.

    Raises
    ------
    KeyMissing
        If there are none; says how to make them.
    """
    size = get_preset(preset)
    transition, opening, revealing, moving = (
        load_proving_key(name, size, build=build, allow_insecure=True)
        for name in ("transition", "open", "reveal", "rekey")
    )
    committee = ensure_committee(build)
    seconds: dict[str, list[float]] = defaultdict(list)
    insecure = any(key.manifest.insecure for key in (transition, opening, revealing, moving))
    material = KeyMaterial.of_keys(
        transition.verifying_key, opening.verifying_key, committee.public, size, insecure=insecure
    )
    proving_keys = {key.name: key.manifest.zkey_hash for key in (transition, opening, revealing, moving)}
    material = replace(
        material,
        proving_keys=proving_keys,
        reveal_vkey=revealing.verifying_key.to_json(),
        rekey_vkey=moving.verifying_key.to_json(),
    )
    prover = TransitionProver(transition, size, lambda step, spent: seconds[step].append(spent))
    provers = Provers(prover, OpenProver(opening, size))
    return VenueKeys(size, transition, opening, material, provers, seconds)


def ensure_committee(build: Path = BUILD) -> CommitteeKey:
    """The development committee's key, fresh at the first call: mode 0600, marked insecure, never in the repository."""
    path = build / COMMITTEE_FILE
    if not path.exists():
        try:
            return create_committee_file(path)
        except KeyFileError:  # another process made it meanwhile
            pass
    return read_committee_file(path)


def read_sizes(preset: str, *, build: Path = BUILD) -> dict[str, int]:
    """Constraints and public inputs of the compiled transition circuit."""
    sizes: dict[str, int] = json.loads((build / preset / "transition.json").read_text())
    return sizes
