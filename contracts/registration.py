"""What the registry holds of a key version, compared with the keys themselves.

The registry cannot compute the hash of a whole key or the point of the policy "flat", and takes both from its owner. An
owner who declares another policy's point as the flat one lets any account leave with what it likes, while every
publisher signs for the true hash. So whoever is to trust a venue computes the registration from its own keys, and
compares it with the event of the version and the code of its two data contracts. Both are there from registration on,
while the version's getters still refuse it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from eth_utils.address import to_checksum_address

from zkmargin.contracts.deploy import encode_registration
from zkmargin.contracts.errors import RegistrationMismatch
from zkmargin.contracts.key_material import KeyMaterial, encode_stored_open
from zkmargin.contracts.key_registry import KeyRegistry
from zkmargin.engine.presets import Preset
from zkmargin.prover.groth16.keys import VerifyingKey
from zkmargin.prover.groth16.points import Point

DATA_CONTRACTS = {"transition": "transitionKey", "open": "openKey"}
"""Field of the event that names the data contract of each key."""
DECLARED = ("transitionHash", "openHash", "slots", "flatX", "flatY", "committeeX", "committeeY")
"""Fields of a registration that the event repeats."""
STOP = b"\0"
"""First byte of a data contract."""


@dataclass(frozen=True)
class RegisteredKey:
    """The `transition` key of a registered version that is what the keys give: what publishers sign for."""

    version: int
    verifying_key: VerifyingKey

    @classmethod
    def find(
        cls,
        registry: KeyRegistry,
        transition: VerifyingKey,
        opening: VerifyingKey,
        committee: Point,
        preset: Preset,
    ) -> Self:
        """The version that `transition` is registered as, after `check_registration`.

        Parameters
        ----------
        committee : Point
            The escrow committee's key that the caller knows of.

        Raises
        ------
        RegistrationMismatch
            As `check_registration`.
        Reverted
            If no version has the key's hash.
        """
        version = registry.get_version_of(transition.hash)
        keys = KeyMaterial.of_keys(transition, opening, committee, preset, insecure=True)
        check_registration(registry, version, keys)
        return cls(version, transition)


def check_registration(registry: KeyRegistry, version: int, keys: KeyMaterial) -> None:
    """That a version, pending, live or revoked, is exactly what `keys` give.

    A version is never changed once it is registered, so one check of it is enough.

    Parameters
    ----------
    keys : KeyMaterial
        From keys that passed every check (`KeyMaterial.of_keys`); whether they are insecure is not compared.

    Raises
    ------
    RegistrationMismatch
        If a field or the stored bytes are others; names the first.
    CallInvalid
        If no such version was registered.
    """
    registered, expected = registry.read_registration(version), encode_registration(keys)
    for field in DECLARED:
        if registered[field] != expected[field]:
            raise RegistrationMismatch(version, field, registered[field], expected[field])
    stored = {"transition": expected["transition"], "open": encode_stored_open(keys)}
    for circuit, field in DATA_CONTRACTS.items():
        code = registry.contract.chain.get_code(to_checksum_address(registered[field]))
        if code != STOP + stored[circuit]:
            raise RegistrationMismatch(version, f"stored {circuit} key", code, STOP + stored[circuit])
