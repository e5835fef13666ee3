"""What the registry holds of a key version, compared with the keys themselves.

The registry cannot compute the hash of a whole key or the point of the policy "flat", and takes both from its owner. An
owner who declares another policy's point as the flat one lets any account leave with what it likes, while every
publisher signs for the true hash. So whoever is to trust a venue computes the registration from its own keys, and
compares it with the event of the version and the code of its two data contracts. Both are there from registration on,
while the version's getters still refuse it.
"""

from __future__ import annotations

from eth_utils.address import to_checksum_address

from zkmargin.contracts.deploy import encode_registration
from zkmargin.contracts.errors import RegistrationMismatch
from zkmargin.contracts.key_material import KeyMaterial
from zkmargin.contracts.key_registry import KeyRegistry

DATA_CONTRACTS = {"transition": "transitionKey", "open": "openKey"}
"""Field of the event that names the data contract of each key."""
DECLARED = ("transitionHash", "openHash", "slots", "flatX", "flatY", "committeeX", "committeeY")
"""Fields of a registration that the event repeats."""
STOP = b"\0"
"""First byte of a data contract."""


def check_registration(registry: KeyRegistry, version: int, keys: KeyMaterial) -> None:
    """That a version, pending, live or revoked, is exactly what `keys` give.

    A version is never changed once it is registered, so one check of it is enough.

    Parameters
    ----------
    keys : KeyMaterial
        From keys that passed every check, of the preset and the committee that the caller trusts
        (`KeyMaterial.of_keys`).

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
    for circuit, field in DATA_CONTRACTS.items():
        code = registry.contract.chain.get_code(to_checksum_address(registered[field]))
        if code != STOP + expected[circuit]:
            raise RegistrationMismatch(version, f"stored {circuit} key", code, STOP + expected[circuit])
