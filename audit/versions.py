"""Key versions: what the registry holds of each, against the files of the keys themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from zkmargin.audit.curve import Key, compute_policy_point, fold_committee
from zkmargin.audit.errors import KeyFilesMissing
from zkmargin.audit.ledger import REVOKED, Ledger, RegisteredKey
from zkmargin.audit.publishers import find_preset
from zkmargin.audit.report import Place, Report
from zkmargin.audit.source import EVENTS, Happened, Source
from zkmargin.contracts.key_material import count_stored_points
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.policy.record import flat_policy
from zkmargin.engine.presets import Preset
from zkmargin.prover.groth16.pins import load_pins
from zkmargin.prover.messages.fields import ZERO_ADDRESS
from zkmargin.prover.statement.signals import FIELD_MODULUS, get_public_signals

CIRCUITS = ("transition", "open")
DESK_CIRCUITS = ("reveal", "rekey")
"""Whose keys the desks for defaults store; a folder may be without them."""
ESCROWING = ("open", "rekey")
"""Circuits in whose stored keys the committee stands."""
VERIFICATION = "e(A, B) = e(alpha, beta) e(IC_0 + sum a_i IC_i, gamma) e(C, delta) on BN254; inputs below r"
"""What the verifier contract computes, in one line."""

# BabyJubJub (EIP-2494): a x^2 + y^2 = 1 + d x^2 y^2.
TWISTED_A, TWISTED_D = 168700, 168696
SUBGROUP_ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041


def read_keys(folders: list[Path]) -> list[dict[str, Key]]:
    """The keys of the circuits in each folder; raises `KeyFilesMissing`, or `FormatError` for a file that is none."""
    found = []
    for folder in folders:
        paths = {circuit: folder / f"{circuit}.vkey.json" for circuit in (*CIRCUITS, *DESK_CIRCUITS)}
        missing = [path.name for circuit, path in paths.items() if circuit in CIRCUITS and not path.is_file()]
        if missing:
            raise KeyFilesMissing(folder, f"{', '.join(missing)} missing")
        found.append({circuit: Key.read(path) for circuit, path in paths.items() if path.is_file()})
    return found


class VersionAudit:
    """Compares each registered version with the keys, and keeps the keys of those that it could."""

    def __init__(
        self, source: Source, ledger: Ledger, report: Report, known: list[dict[str, Key]], folders: list[Path]
    ):
        self.source, self.ledger, self.report = source, ledger, report
        self._known, self._folders = known, folders
        self.keys: dict[tuple[str, int], Key] = {}
        """By circuit and version."""
        self.transitions: dict[int, Key] = {}
        """Those of `transition`, by version."""
        self.presets: dict[int, Preset] = {}

    def resume(self) -> None:
        """Takes up the keys of versions that an earlier run compared."""
        for version, registered in self.ledger.keys.items():
            self._match(version, registered)

    def take(self, event: Happened) -> None:
        """Replays one event of the registry."""
        if event.name == "KeyRegistered":
            self._take_registered(event)
        elif event.name in ("KeySuspended", "KeyResumed", "KeyRevoked"):
            self._take_status(event)
        elif event.name not in EVENTS["registry"]:
            self.report.skip("keys", f"event {event.name}, which this auditor does not replay")

    def _take_status(self, event: Happened) -> None:
        known = self.ledger.keys.get(int(event.fields["version"]))
        if known is None:
            what = f"key version {event.fields['version']}"
            self.report.add("keys", what, event.name, "one that was registered", event.place)
        elif event.name == "KeySuspended":
            known.usable_from = int(event.fields["until"])
        else:
            known.usable_from = known.live_from if event.name == "KeyResumed" else REVOKED

    def _take_registered(self, event: Happened) -> None:
        fields, version, place = event.fields, int(event.fields["version"]), event.place
        report = self.report
        registered = RegisteredKey(
            transition_hash=bytes(fields["transitionHash"]),
            open_hash=bytes(fields["openHash"]),
            transition_contract=str(fields["transitionKey"]),
            open_contract=str(fields["openKey"]),
            slots=fields["slots"],
            flat=(fields["flatX"], fields["flatY"]),
            committee=(fields["committeeX"], fields["committeeY"]),
            live_from=fields["liveFrom"],
            usable_from=fields["liveFrom"],
        )
        self.ledger.keys[version] = registered
        if version == 1:  # of which the deployment record speaks
            named = self.source.contracts.deployment.committee_key
            report.require("deployment", "committee key of the record", named, registered.committee, place)
        if not is_committee_key(registered.committee):
            expected = "a point of BabyJubJub's prime-order subgroup, not the identity"
            report.add("keys", f"committee key of version {version}", registered.committee, expected, place)
        preset = self._match(version, registered)
        if preset is None:
            report.skip("keys", f"version {version}: no key file has the hash 0x{registered.transition_hash.hex()}")
            return
        self._check(version, registered, preset, event)

    def check_files(self) -> None:
        """That every folder of key files is of a registered version: one that is not was altered, or is another's."""
        for folder, keys in zip(self._folders, self._known, strict=True):
            self.report.count("keys")
            if all(keys["transition"] is not key for key in self.transitions.values()):
                registered = [f"0x{key.transition_hash.hex()}" for key in self.ledger.keys.values()]
                what = f"hash of the transition key in {folder}"
                self.report.add("keys", what, keys["transition"].hash, f"one of {registered}", self.source.end)

    def _match(self, version: int, registered: RegisteredKey) -> Preset | None:
        """Finds the files by the declared hashes; what no file has cannot be checked."""
        for keys in self._known:
            if keys["transition"].hash == registered.transition_hash and keys["open"].hash == registered.open_hash:
                try:
                    preset = find_preset(keys["transition"])
                except UnknownName:
                    return None
                self.presets[version], self.transitions[version] = preset, keys["transition"]
                self.keys |= {(circuit, version): key for circuit, key in keys.items()}
                return preset
        return None

    def _check(self, version: int, registered: RegisteredKey, preset: Preset, event: Happened) -> None:
        report, place = self.report, event.place
        stored = {"transition": registered.transition_contract, "open": registered.open_contract}
        facts: dict[str, Any] = {"preset": preset.name, "verification": VERIFICATION}
        for circuit in CIRCUITS:
            facts[circuit] = self._check_key(circuit, version, stored[circuit], place)
        report.require("keys", f"slots of version {version}", registered.slots, preset.slots, place)
        flat = compute_policy_point(self.keys["transition", version], flat_policy(preset))
        report.require("keys", f"flat point of version {version}", registered.flat, flat, place)
        manifest = self._read_manifest(version)
        report.facts[f"key version {version}"] = facts | {"set_up": manifest.get("about", "no manifest beside the key")}

    def check_desk_key(self, circuit: str, version: int, address: str | None) -> None:
        """The key that a desk for defaults stores at an address, against the file of its circuit."""
        if (circuit, version) not in self.keys:
            self.report.skip("keys", f"no key file of {circuit}, version {version}")
            return
        self.report.facts.setdefault(f"key version {version}", {})[circuit] = self._check_key(
            circuit, version, address or ZERO_ADDRESS, self.source.end
        )

    def _check_key(self, circuit: str, version: int, address: str, place: Place) -> dict[str, str]:
        """A key's soundness, size, stored bytes and manifest; gives its hashes."""
        key, what, report = self.keys[circuit, version], f"{circuit} key of version {version}", self.report
        preset = self.presets[version]
        report.count("keys")
        for part, why in key.find_faults():
            report.add("keys", f"{part} of the {what}", why, "sound", place)
        report.require("keys", f"public inputs of the {what}", key.n_public, get_public_signals(circuit, preset).size,
                       place)  # fmt: skip
        code = self.source.chain.get_code(to_checksum_address(address), block=self.source.block.number)
        kept = key
        if circuit in ESCROWING:
            kept = fold_committee(circuit, key, self.ledger.keys[version].committee, preset)
        data = kept.to_bytes(count_stored_points(circuit, preset))
        report.require("keys", f"stored bytes of the {what}", code, b"\0" + data, place)
        self._check_circuit(circuit, version, preset, place)
        return {"key_hash": key.hash.hex(), "verifier_hash": hashlib.sha256(key.to_bytes()).hexdigest()}

    def _check_circuit(self, circuit: str, version: int, preset: Preset, place: Place) -> None:
        """That the key was made for the constraints of the repository, as far as its manifest says."""
        entry = self._read_manifest(version).get("keys", {}).get(circuit)
        if not isinstance(entry, Mapping):
            self.report.skip("keys", "no manifest that says for which constraints a key was made")
            return
        what, key = f"{circuit} key of version {version}", self.keys[circuit, version]
        pinned = load_pins()["r1cs"].get(preset.name, {}).get(circuit)
        self.report.require("keys", f"circuit hash of the {what}", entry.get("circuit_hash"), pinned, place)
        self.report.require("keys", f"manifest's hash of the {what}", entry.get("key_hash"), key.hash.hex(), place)
        published = getattr(self.source.contracts.deployment, f"{circuit}_zkey")
        if version == 1 and published:  # of which the deployment record speaks
            what = f"SHA-256 of the proving key of {circuit}, by the manifest,"
            self.report.require("deployment", what, entry.get("zkey_hash"), published, place)

    def _read_manifest(self, version: int) -> Mapping[str, Any]:
        """The manifest in the folder of a version's keys; empty where there is none that can be read."""
        for folder, keys in zip(self._folders, self._known, strict=True):
            path = folder / "manifest.json"
            if keys["transition"] is self.keys["transition", version] and path.is_file():
                try:
                    manifest = json.loads(path.read_text(encoding="utf-8"))
                except ValueError:
                    return {}
                return manifest if isinstance(manifest, Mapping) else {}
        return {}


def is_committee_key(point: tuple[int, int]) -> bool:
    """Whether a point is of BabyJubJub's subgroup of prime order, and not its identity (0, 1)."""
    x, y = point
    if not (0 <= x < FIELD_MODULUS and 0 <= y < FIELD_MODULUS) or (x, y) == (0, 1):
        return False
    if (TWISTED_A * x * x + y * y - 1 - TWISTED_D * x * x * y * y) % FIELD_MODULUS:
        return False
    total, power, scalar = (0, 1), (x, y), SUBGROUP_ORDER
    while scalar:
        if scalar & 1:
            total = _add(total, power)
        power, scalar = _add(power, power), scalar >> 1
    return total == (0, 1)


def _add(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
    """Sum on BabyJubJub; the law is complete."""
    (x1, y1), (x2, y2) = p, q
    product = TWISTED_D * x1 * x2 * y1 * y2 % FIELD_MODULUS
    x = (x1 * y2 + y1 * x2) * pow(1 + product, -1, FIELD_MODULUS)
    y = (y1 * y2 - TWISTED_A * x1 * x2) * pow(1 - product, -1, FIELD_MODULUS)
    return x % FIELD_MODULUS, y % FIELD_MODULUS
