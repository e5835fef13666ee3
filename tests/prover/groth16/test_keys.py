"""Keys: every check where a key is loaded, one wrong thing at a time; and the files of a set-up."""

import hashlib
import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from py_ecc.optimized_bn128 import (
    FQ2,
    G2,
    b2,
    curve_order,
    field_modulus,
    is_inf,
    is_on_curve,
    multiply,
    neg,
    normalize,
)

from tests.support.native_cases import join_sections, load_key, make_small_key, split_sections
from tests.support.scenes import MINI
from zkmargin.prover import _native
from zkmargin.prover.errors import FormatError, KeyMismatch, KeyMissing, KeyRefused, PointRefused, ProverError
from zkmargin.prover.groth16 import keys
from zkmargin.prover.groth16.keys import VerifyingKey, load_proving_key, load_verifying_key, setup_keys
from zkmargin.prover.statement.signals import get_public_signals

Q = field_modulus
R = 1 << 256
# Places in a zkey's header section, after sizes and moduli.
ALPHA1, BETA1, BETA2, GAMMA2, DELTA1, DELTA2 = 84, 148, 212, 340, 468, 532
IC, COEFFICIENTS, A, B1, B2, C, H = range(3, 10)
ONE_MONTGOMERY = (R % Q).to_bytes(32, "little")


def montgomery(*coordinates: int) -> bytes:
    return b"".join((c * R % Q).to_bytes(32, "little") for c in coordinates)


def encode_g2(point) -> bytes:
    x, y = normalize(point)
    return montgomery(*(int(c) for c in (*x.coeffs, *y.coeffs)))


def compute_root(value: int) -> int | None:
    """A square root mod q, which is 3 mod 4."""
    root = pow(value, (Q + 1) // 4, Q)
    return root if root * root % Q == value % Q else None


def find_g2_outside_the_subgroup():
    """A point of the twist with small x; nearly all are outside the subgroup."""
    for k in range(1, 100):
        x = FQ2([k, 1])
        real, imaginary = (int(c) for c in (x * x * x + b2).coeffs)
        norm = compute_root(real * real + imaginary * imaginary)
        if norm is None:
            continue
        for sign in (1, -1):
            y0 = compute_root((real + sign * norm) * pow(2, -1, Q) % Q)
            if y0:
                point = (x, FQ2([y0, imaginary * pow(2 * y0, -1, Q) % Q]), FQ2.one())
                if is_on_curve(point, b2) and not is_inf(multiply(point, curve_order)):
                    return point
    raise AssertionError("no point found")


OUTSIDE = find_g2_outside_the_subgroup()
TWICE = multiply(G2, 2)


def rebuild(**changes: dict[int, bytes]) -> bytes:
    """The small circuit's zkey with bytes replaced: section<number>={offset: bytes}."""
    key = make_small_key()
    sections = split_sections(key.zkey)
    for name, edits in changes.items():
        number = int(name.removeprefix("section"))
        body = bytearray(sections[number])
        for offset, data in edits.items():
            body[offset : offset + len(data)] = data
        sections[number] = bytes(body)
    return join_sections(key.zkey[:8], sections)


def load(zkey: bytes):
    return _native.ProvingKey.load(zkey, make_small_key().circuit)


def test_the_key_itself_is_accepted():
    assert rebuild() == make_small_key().zkey
    load(rebuild())


def first_point(section: int, size: int) -> int:
    """Offset of the first point of a section that is not the identity."""
    body = split_sections(make_small_key().zkey)[section]
    return next(at for at in range(0, len(body), size) if any(body[at : at + size]))


GENERATOR, ELEMENT, OPPOSITE = (encode_g2(point) for point in (G2, TWICE, neg(TWICE)))
REFUSED = {
    "delta is gamma": ({"section2": {DELTA2: ELEMENT, GAMMA2: ELEMENT}}, "delta equals gamma"),
    "delta is minus gamma": (
        {"section2": {DELTA2: OPPOSITE, GAMMA2: ELEMENT}},
        "delta equals gamma",
    ),
    "beta is gamma": ({"section2": {BETA2: ELEMENT, GAMMA2: ELEMENT}}, "beta equals gamma"),
    "beta is minus gamma": ({"section2": {BETA2: OPPOSITE, GAMMA2: ELEMENT}}, "beta equals gamma"),
    "delta is beta": ({"section2": {DELTA2: ELEMENT, BETA2: ELEMENT}}, "delta equals beta"),
    "delta is minus beta": ({"section2": {DELTA2: OPPOSITE, BETA2: ELEMENT}}, "delta equals beta"),
    "beta is the generator": ({"section2": {BETA2: GENERATOR, GAMMA2: ELEMENT}}, "beta is the generator"),
    "alpha is the generator": ({"section2": {ALPHA1: montgomery(1, 2)}}, "alpha is the generator"),
    "delta is the generator": (
        {"section2": {DELTA2: GENERATOR, GAMMA2: ELEMENT}},
        "delta is the generator",
    ),
    "alpha is the identity": ({"section2": {ALPHA1: bytes(64)}}, "alpha is the identity"),
    "beta is the identity": ({"section2": {BETA2: bytes(128)}}, "beta is the identity"),
    "gamma is the identity": ({"section2": {GAMMA2: bytes(128)}}, "gamma is the identity"),
    "delta is the identity": ({"section2": {DELTA2: bytes(128)}}, "delta is the identity"),
    "an IC is the identity": ({"section3": {64: bytes(64)}}, r"IC\[1\] is the identity"),
    "alpha is off the curve": ({"section2": {ALPHA1: ONE_MONTGOMERY}}, "alpha1 is not on the curve"),
    "beta is off the curve": ({"section2": {BETA2: ONE_MONTGOMERY}}, "beta2 is not on the curve"),
    "beta is outside the subgroup": ({"section2": {BETA2: encode_g2(OUTSIDE)}}, "beta2 is not in the subgroup"),
    "gamma is outside the subgroup": ({"section2": {GAMMA2: encode_g2(OUTSIDE)}}, "gamma2 is not in the subgroup"),
    "delta is outside the subgroup": ({"section2": {DELTA2: encode_g2(OUTSIDE)}}, "delta2 is not in the subgroup"),
    "a coordinate is not reduced": ({"section2": {ALPHA1: b"\xff" * 32}}, "not reduced"),
    "beta differs between groups": ({"section2": {BETA1: montgomery(1, 2)}}, "beta in G1 and beta in G2 differ"),
    "delta differs between groups": ({"section2": {DELTA1: montgomery(1, 2)}}, "delta in G1 and delta in G2 differ"),
    "IC is off the curve": ({"section3": {0: ONE_MONTGOMERY}}, "IC is not on the curve"),
    "A is off the curve": ({"section5": {first_point(A, 64): ONE_MONTGOMERY}}, "A is not on the curve"),
    "B1 is off the curve": ({"section6": {first_point(B1, 64): ONE_MONTGOMERY}}, "B1 is not on the curve"),
    "C is off the curve": ({"section8": {first_point(C, 64): ONE_MONTGOMERY}}, "C is not on the curve"),
    "H is off the curve": ({"section9": {0: ONE_MONTGOMERY}}, "H is not on the curve"),
    "B2 is off the curve": ({"section7": {first_point(B2, 128): ONE_MONTGOMERY}}, "B2 is not on the curve"),
    "B2 is outside the subgroup": (
        {"section7": {first_point(B2, 128): encode_g2(OUTSIDE)}},
        "of B2 is not in the subgroup",
    ),
    "B differs between groups": ({"section6": {first_point(B1, 64): montgomery(1, 2)}}, "B in G1 and B in G2 differ"),
}


@pytest.mark.property("P-27")
@pytest.mark.parametrize("case", REFUSED)
def test_a_key_with_one_wrong_point_is_refused(case):
    changes, reason = REFUSED[case]
    with pytest.raises(KeyRefused, match=reason):
        load(rebuild(**changes))


MISMATCHED = {
    "wires": ({"section2": {72: b"\1\0\0\0"}}, "wires"),
    "public inputs": ({"section2": {76: b"\2\0\0\0"}}, "public inputs"),
    "domain": ({"section2": {80: b"\0\4\0\0"}}, "domain"),
    "a coefficient's value": ({"section4": {4 + 12: b"\1"}}, "constraints"),
    "a coefficient's wire": ({"section4": {4 + 8: b"\7"}}, "constraints"),
    "number of coefficients": ({"section4": {0: b"\0"}}, "constraints"),
}


@pytest.mark.property("P-27")
@pytest.mark.parametrize("case", MISMATCHED)
def test_a_key_of_other_constraints_is_refused(case):
    changes, reason = MISMATCHED[case]
    with pytest.raises(KeyMismatch, match=reason):
        load(rebuild(**changes))


@pytest.mark.property("P-28")
def test_the_consistency_rows_are_part_of_the_constraints():
    sections = split_sections(make_small_key().zkey)
    rows = sections[COEFFICIENTS]
    count = struct.unpack_from("<I", rows)[0]
    sections[COEFFICIENTS] = struct.pack("<I", count - 1) + rows[4 : 4 + 44 * (count - 1)]
    with pytest.raises(KeyMismatch, match="constraints"):
        load(join_sections(make_small_key().zkey[:8], sections))


def test_coefficients_may_come_in_any_order():
    sections = split_sections(make_small_key().zkey)
    rows = sections[COEFFICIENTS]
    sections[COEFFICIENTS] = rows[:4] + rows[-44:] + rows[4:-44]
    load(join_sections(make_small_key().zkey[:8], sections))


@pytest.mark.parametrize("number", range(1, 10))
def test_a_section_must_be_whole(number):
    head, sections = make_small_key().zkey[:8], split_sections(make_small_key().zkey)
    for body in (sections[number][:-1], sections[number] + b"\0"):
        with pytest.raises((FormatError, KeyMismatch)):
            load(join_sections(head, {**sections, number: body}))
    with pytest.raises(FormatError, match="missing"):
        load(join_sections(head, {kind: body for kind, body in sections.items() if kind != number}))


def test_files_that_are_no_zkey_are_refused():
    data = make_small_key().zkey
    for bad in (b"", data[:11], b"zkez" + data[4:], data[:4] + b"\2" + data[5:], data[:-1], data + b"\0"):
        with pytest.raises(FormatError):
            load(bad)
    with pytest.raises(FormatError, match="protocol"):
        load(rebuild(section1={0: b"\2"}))
    for place in (4, 40):
        with pytest.raises(FormatError, match="curve"):
            load(rebuild(section2={place: b"\0"}))
    section = struct.pack("<IQ", 1, 4) + struct.pack("<I", 1)
    twice = data[:8] + struct.pack("<I", 2) + section + section
    with pytest.raises(FormatError, match="twice"):
        load(twice)


# ------------------------------------------------------------------------------------------------------ verifying key
def test_verifying_keys_round_trip():
    key = make_small_key().verifying_key
    assert VerifyingKey.from_bytes(key.to_bytes()).hash == key.hash
    assert VerifyingKey.from_json(json.loads(json.dumps(key.to_json()))).hash == key.hash
    assert len(key.to_bytes()) == 32 * (14 + 2 * (key.n_public + 1))


def words_of(point) -> bytes:
    x, y = normalize(point)
    return b"".join(int(c).to_bytes(32, "big") for c in (x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0]))


WORDS = {
    "alpha is the identity": ({0: bytes(64)}, KeyRefused, "alpha"),
    "beta is the identity": ({64: bytes(128)}, KeyRefused, "beta"),
    "delta is the generator": ({192: words_of(TWICE), 320: words_of(G2)}, KeyRefused, "generator"),
    "delta is gamma": ({192: words_of(TWICE), 320: words_of(TWICE)}, KeyRefused, "gamma"),
    "IC is the identity": ({448: bytes(64)}, KeyRefused, r"IC\[0\]"),
    "off the curve": ({0: (1).to_bytes(32, "big")}, PointRefused, "alpha is not on the curve"),
    "outside the subgroup": ({64: words_of(OUTSIDE)}, PointRefused, "beta is not in the subgroup"),
    "not reduced": ({0: Q.to_bytes(32, "big")}, PointRefused, "alpha has a coordinate"),
}


@pytest.mark.property("P-27")
@pytest.mark.parametrize("case", WORDS)
def test_a_verifying_key_with_one_wrong_point_is_refused(case):
    changes, error, reason = WORDS[case]
    data = bytearray(make_small_key().verifying_key.to_bytes())
    for offset, part in changes.items():
        data[offset : offset + len(part)] = part
    with pytest.raises(error, match=reason):
        VerifyingKey.from_bytes(bytes(data))


@pytest.mark.parametrize("size", [0, 31, 32 * 14, 32 * 17])
def test_verifying_keys_are_whole(size):
    with pytest.raises(FormatError):
        VerifyingKey.from_bytes(make_small_key().verifying_key.to_bytes()[:size])


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": "plonk"},
        {"curve": "bls12381"},
        {"nPublic": 7},
        {"vk_alpha_1": ["1", "2"]},
        {"vk_alpha_1": ["1", "2", "2"]},
        {"vk_alpha_1": [str(-1), "2", "1"]},
        {"vk_beta_2": [["1", "0"], ["1", "0"], ["0", "1"]]},
        {"IC": []},
        {"IC": None},
    ],
)
def test_malformed_verification_key_documents_are_refused(change):
    document = {**make_small_key().verifying_key.to_json(), **change}
    with pytest.raises(FormatError):
        VerifyingKey.from_json(document)


# ------------------------------------------------------------------------------------------------------ set-up, files
@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A build folder with mini's compiled circuits and no key."""
    compiled = keys.compile_circuit("open", MINI)
    monkeypatch.setattr(keys, "compile_circuit", lambda *_, **__: compiled)
    (tmp_path / "mini").mkdir()
    return tmp_path


def test_a_set_up_is_made_once_and_marked_insecure(folder):
    entry = setup_keys("open", MINI, build=folder)
    assert entry.insecure is True
    assert setup_keys("open", MINI, build=folder) == entry
    names = {path.name for path in (folder / "mini").iterdir() if not path.name.startswith(".")}
    assert names == {"open.zkey", "open.vkey.json", "manifest.json"}
    assert json.loads((folder / "mini/manifest.json").read_text())["insecure"] is True
    key = load_proving_key("open", MINI, build=folder, allow_insecure=True)
    verifying = load_verifying_key("open", MINI, build=folder, allow_insecure=True)
    assert key.verifying_key.hash == verifying.hash == bytes.fromhex(entry.key_hash)
    assert verifying.n_public == get_public_signals("open", MINI).size


@pytest.fixture
def loads(folder, monkeypatch):
    """A set-up in `folder`, and how its proving key was loaded each time."""
    kinds = []

    class Recorded:
        @staticmethod
        def load(zkey, circuit, policy):
            kinds.append("every check")
            return _native.ProvingKey.load(zkey, circuit, policy)

        @staticmethod
        def load_known(zkey, digest, circuit, policy):
            kinds.append("known")
            return _native.ProvingKey.load_known(zkey, digest, circuit, policy)

    setup_keys("open", MINI, build=folder)
    shutil.rmtree(folder / "checked")
    names = ("Circuit", "KEY_CHECKS", "SCHEDULE_VERSION")
    native = SimpleNamespace(ProvingKey=Recorded, **{name: getattr(_native, name) for name in names})
    monkeypatch.setattr(keys, "_native", native)
    return kinds


@pytest.mark.property("P-27")
def test_a_key_is_checked_once_and_then_known_by_its_bytes(folder, loads):
    first = load_proving_key("open", MINI, build=folder, allow_insecure=True)
    second = load_proving_key("open", MINI, build=folder, allow_insecure=True)
    assert loads == ["every check", "known"]
    assert first.verifying_key.hash == second.verifying_key.hash
    data = bytearray((folder / "mini/open.zkey").read_bytes())
    data[-1_000] ^= 1
    (folder / "mini/open.zkey").write_bytes(data)
    for is_known, reason in ((True, "not those that were checked"), (False, "the manifest says")):
        if not is_known:
            shutil.rmtree(folder / "checked")
        with pytest.raises(KeyMismatch, match=reason):
            load_proving_key("open", MINI, build=folder, allow_insecure=True)
    assert loads == ["every check", "known", "known"]


def test_a_record_is_of_one_key_one_circuit_and_one_version_of_the_checks(folder, loads):
    def load_once() -> str:
        before = len(loads)
        load_proving_key("open", MINI, build=folder, allow_insecure=True)
        (kind,) = loads[before:]
        return kind

    assert [load_once(), load_once()] == ["every check", "known"]
    keys._native.KEY_CHECKS += 1
    assert [load_once(), load_once()] == ["every check", "known"]
    entry = keys._read_manifest(folder / "mini")["open"]
    other_circuit, other_key = replace(entry, circuit_hash="0" * 64), replace(entry, zkey_hash="0" * 64)
    assert len({keys._name_record(one) for one in (entry, other_circuit, other_key)}) == 3
    file = keys._CircuitFile.read("open", MINI, keys.BUILD)
    keys._load_native(
        folder / "mini/open.zkey", other_circuit, file, file.parse(folder / "schedules"), folder / "checked"
    )
    assert loads[-1] == "every check"


def test_a_set_up_leaves_the_record_of_its_own_checks(folder):
    entry = setup_keys("open", MINI, build=folder)
    assert [path.name for path in (folder / "checked").iterdir()] == [keys._name_record(entry)]


def test_what_is_hashed_of_a_circuit_is_what_is_parsed(folder, monkeypatch):
    """The file is read once: another one that takes its place after the hash changes nothing."""
    setup_keys("open", MINI, build=folder)
    reads, read = [], Path.read_bytes

    def read_and_note(path: Path) -> bytes:
        reads.append(path.suffix)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_and_note)
    load_proving_key("open", MINI, build=folder, allow_insecure=True)
    assert sorted(reads) == ["", ".r1cs", ".zkey"], "the schedule has no suffix"


@pytest.mark.property("P-99")
def test_a_schedule_is_kept_and_a_damaged_one_is_found_again(tmp_path, monkeypatch):
    file, searches = keys._CircuitFile.read("open", MINI, keys.BUILD), []

    class Recorded(SimpleNamespace):
        with_schedule = _native.Circuit.with_schedule

        def __new__(cls, *arguments):
            searches.append(arguments)
            return _native.Circuit(*arguments)

    native = SimpleNamespace(Circuit=Recorded, SCHEDULE_VERSION=_native.SCHEDULE_VERSION)
    monkeypatch.setattr(keys, "_native", native)
    first = file.parse(tmp_path)
    (path,) = tmp_path.iterdir()
    kept = path.read_bytes()
    assert file.parse(tmp_path).schedule() == first.schedule() == kept and len(searches) == 1
    for damaged in (kept[:-1], kept[:1_000] + bytes([kept[1_000] ^ 1]) + kept[1_001:], b""):
        path.write_bytes(damaged)
        before = len(searches)
        assert file.parse(tmp_path).schedule() == path.read_bytes() != damaged
        assert len(searches) == before + 1
    kept = path.read_bytes()
    replace(file, sym=file.sym + "\n").parse(tmp_path)
    assert path.read_bytes() == kept and len(list(tmp_path.iterdir())) == 2, "other names, another schedule"
    native.SCHEDULE_VERSION += 1
    before = len(searches)
    file.parse(tmp_path)
    assert len(searches) == before + 1


@pytest.mark.parametrize("digest", [bytes(32), b"\1" * 32])
def test_other_bytes_than_the_known_ones_are_refused(digest):
    key = make_small_key()
    with pytest.raises(KeyMismatch, match="not those that were checked"):
        _native.ProvingKey.load_known(key.zkey, digest, key.circuit)
    known = _native.ProvingKey.load_known(key.zkey, hashlib.sha256(key.zkey).digest(), key.circuit)
    assert known.verifying_key().verify(known.prove(key.witness()), key.witness().public_inputs())


def test_a_known_key_that_lets_anybody_forge_is_refused():
    data = rebuild(section2={DELTA2: ELEMENT, GAMMA2: ELEMENT})
    with pytest.raises(KeyRefused, match="delta equals gamma"):
        _native.ProvingKey.load_known(data, hashlib.sha256(data).digest(), make_small_key().circuit)


def test_two_set_ups_share_no_secret():
    circuit = make_small_key().circuit
    first, second = (split_sections(circuit.set_up()) for _ in range(2))
    for place in (ALPHA1, BETA1, DELTA1):
        assert first[2][place : place + 64] != second[2][place : place + 64]
    assert first[H][:64] != second[H][:64]


@pytest.mark.property("P-29")
def test_development_keys_are_refused_unless_allowed(folder):
    setup_keys("open", MINI, build=folder)
    for loader in (load_proving_key, load_verifying_key):
        with pytest.raises(KeyRefused, match="development key"):
            loader("open", MINI, build=folder)
    path = folder / "mini/manifest.json"
    document = json.loads(path.read_text())
    document["keys"]["open"]["insecure"] = 0  # only a plain false says that a key is not a development key
    path.write_text(json.dumps(document))
    with pytest.raises(KeyRefused, match="development key"):
        load_verifying_key("open", MINI, build=folder)


def test_missing_keys_say_so(folder):
    for loader in (load_proving_key, load_verifying_key):
        with pytest.raises(KeyMissing, match="run `zkmargin setup"):
            loader("open", MINI, build=folder, allow_insecure=True)


@pytest.mark.parametrize("stage", ["open.zkey", "open.vkey.json", "manifest.json"])
def test_an_interrupted_set_up_leaves_nothing_that_loads(folder, monkeypatch, stage):
    write = keys.write_whole
    seen = []

    def interrupted(path, data):
        seen.append(path.name)
        if path.name == stage and not (stage == "manifest.json" and len(seen) == 1):
            raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(keys, "write_whole", interrupted)
    with pytest.raises(KeyboardInterrupt):
        setup_keys("open", MINI, build=folder)
    with pytest.raises(KeyMissing):
        load_proving_key("open", MINI, build=folder, allow_insecure=True)
    monkeypatch.setattr(keys, "write_whole", write)
    setup_keys("open", MINI, build=folder)
    load_proving_key("open", MINI, build=folder, allow_insecure=True)


@pytest.mark.parametrize("name", ["open.zkey", "open.vkey.json"])
def test_files_that_changed_are_refused_and_made_again(folder, name):
    setup_keys("open", MINI, build=folder)
    path = folder / "mini" / name
    path.write_bytes(path.read_bytes() + b" ")
    loader = load_proving_key if name.endswith("zkey") else load_verifying_key
    with pytest.raises(KeyMismatch, match="SHA-256"):
        loader("open", MINI, build=folder, allow_insecure=True)
    path.unlink()
    with pytest.raises(KeyMissing):
        loader("open", MINI, build=folder, allow_insecure=True)
    setup_keys("open", MINI, build=folder)
    loader("open", MINI, build=folder, allow_insecure=True)


@pytest.mark.parametrize(("field", "reason"), [("key_hash", "hash"), ("circuit_hash", "circuit has changed")])
def test_the_manifest_must_fit(folder, field, reason):
    setup_keys("open", MINI, build=folder)
    path = folder / "mini/manifest.json"
    document = json.loads(path.read_text())
    document["keys"]["open"][field] = "00" * 32
    path.write_text(json.dumps(document))
    with pytest.raises(KeyMismatch, match=reason):
        load_proving_key("open", MINI, build=folder, allow_insecure=True)


def test_a_verifying_key_must_have_the_statements_inputs(folder):
    entry = setup_keys("open", MINI, build=folder)
    small = make_small_key().verifying_key
    path, manifest = folder / "mini/open.vkey.json", folder / "mini/manifest.json"
    path.write_text(json.dumps(small.to_json()))
    document = json.loads(manifest.read_text())
    document["keys"]["open"].update(vkey_hash=hashlib.sha256(path.read_bytes()).hexdigest(), key_hash=small.hash.hex())
    manifest.write_text(json.dumps(document))
    assert small.hash.hex() != entry.key_hash
    with pytest.raises(KeyMismatch, match="public inputs"):
        load_verifying_key("open", MINI, build=folder, allow_insecure=True)


def test_errors_are_the_provers():
    assert issubclass(KeyRefused, ProverError)
    assert load_key("open").manifest.insecure
