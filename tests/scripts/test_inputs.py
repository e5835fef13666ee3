"""Files from outside: what is wrong with one is one line on stderr and exit code 1, before any work is done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import run_command
from zkmargin.contracts.deployment import Deployment
from zkmargin.engine.account import load_portfolio
from zkmargin.engine.errors import MalformedFile, UnknownName, WrongKind
from zkmargin.engine.market.file import load_snapshot, to_document
from zkmargin.engine.market.listings import reduce_to_mini
from zkmargin.prover.account.key_file import load_key_file
from zkmargin.prover.errors import KeyFileError
from zkmargin.scripts.cli.inputs import NotListedHere, NotWritable, load_market, load_state, require_writable

MARKET = "deribit_2026-08-22"
DEEP = b"[" * 100_000
ADDRESS = "0x" + "00" * 19 + "01"
DEPLOYMENT = {
    **dict.fromkeys(
        (
            "key_registry",
            "risk_oracle",
            "margin_verifier",
            "collateral_vault",
            "clearing_house",
            "attestation_verifier",
        ),
        ADDRESS,
    ),
    **{
        "cash": ADDRESS,
        "weth": ADDRESS,
        "chain_id": 31337,
        "weth_slot": 1,
        "first_block": 0,
        "committee": "0x" + "11" * 64,
    },
}


def read_error(*arguments: str) -> str:
    """The one line that the command ends with."""
    shown = run_command(*arguments)
    assert shown.returncode == 1
    if "--json" in arguments:
        assert json.loads(shown.stdout)["error"]["exit_code"] == 1
    else:
        assert shown.stdout == ""
    (line,) = shown.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    "content, reason",
    [
        (None, "cannot be read: No such file"),
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (DEEP, "nested deeper than 64"),
        (b"{}", "preset is None; allowed: a str"),
        (b"[]", "a list; allowed: a JSON object"),
        ('{"preset": "mini"}'.encode("utf-16"), "byte 0 is not UTF-8"),
        (b'{"preset": 1}', "preset is 1; allowed: a str"),
    ],
)
def test_a_proof_file_from_outside(tmp_path, content, reason):
    path = tmp_path / "proof.json"
    if content is not None:
        path.write_bytes(content)
    line = read_error("verify", str(path), "--json")
    assert line.startswith("error MalformedFile: ") and str(path) in line and reason in line


@pytest.mark.parametrize(
    "field, value, reason",
    [
        ("preset", "huge", "unknown preset"),
        ("policy", "none", "unknown policy"),
        ("commitment", "0x1", "allowed: a decimal number"),
        ("commitment", "9" * 5_000, "allowed: a decimal number"),
        ("attestation", {}, "message"),
    ],
)
def test_a_proof_file_with_one_wrong_field(tmp_path, field, value, reason):
    path = tmp_path / "proof.json"
    honest = {"preset": "mini", "market": MARKET, "policy": "initial", "commitment": "1", "attestation": {}}
    path.write_text(json.dumps(honest | {field: value}))
    assert reason in read_error("verify", str(path))


@pytest.mark.parametrize(
    "content, reason",
    [
        (DEEP, "nested deeper than 64"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"{}", "chain_id: Field required"),
        (json.dumps(DEPLOYMENT | {"chain_id": "1"}).encode(), "chain_id: Input should be a valid integer; found '1'"),
        (
            json.dumps(DEPLOYMENT | {"weth_slot": True}).encode(),
            "weth_slot: Input should be a valid integer",
        ),
        (json.dumps(DEPLOYMENT | {"cash": "0x12"}).encode(), "cash is '0x12'; allowed: an address"),
        (json.dumps(DEPLOYMENT | {"committee": "0x12"}).encode(), "committee's key is '0x12'; allowed: 0x and 128"),
        (json.dumps(DEPLOYMENT | {"more": 1}).encode(), "more: Extra inputs are not permitted"),
    ],
)
def test_a_deployment_from_outside(tmp_path, content, reason):
    path = tmp_path / "deployment.json"
    path.write_bytes(content)
    with pytest.raises(MalformedFile, match=reason):
        Deployment.load(path)


def test_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(DEPLOYMENT), encoding="utf-8-sig")
    assert Deployment.load(path).chain_id == 31337


def test_an_address_that_is_none(tmp_path):
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(DEPLOYMENT))
    line = read_error("account", "id", "--deployment", str(path), "--auth", "foo", "--json")
    assert line.startswith("error WrongKind: auth is 'foo'; allowed: an address")


@pytest.mark.parametrize(
    "content, reason", [("{}".encode("utf-16"), "not UTF-8"), (DEEP, "not JSON"), (b"[]", "lacks one of")]
)
def test_a_key_file_from_outside(tmp_path, content, reason):
    path = tmp_path / "key.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=reason):
        load_key_file(path)


@pytest.mark.parametrize("content", [b"{}", b'{"crypto": 1}', b"[]", DEEP, b"\xff\xfe"])
def test_a_keystore_from_outside(tmp_path, content):
    keystore, deployment = tmp_path / "wallet.json", tmp_path / "deployment.json"
    keystore.write_bytes(content)
    deployment.write_text(json.dumps(DEPLOYMENT))
    command = ("account", "recover", "--deployment", str(deployment), "--rpc-url", "http://127.0.0.1:1")
    shown = subprocess.run(
        [sys.executable, "-m", "zkmargin.scripts.cli.main", *command, "--keystore", str(keystore), "--json"],
        capture_output=True, text=True, timeout=120, input="password\n",
    )  # fmt: skip
    assert shown.returncode == 1 and "Traceback" not in shown.stderr
    assert f"error KeystoreRefused: keystore {keystore}: " in shown.stderr


def test_a_folder_without_permission(tmp_path, monkeypatch):
    """As its owner meets it: root, whom the system lets write anywhere, is told what the folder's bits say."""
    monkeypatch.setattr(os, "access", lambda path, mode: bool(path.stat().st_mode & 0o200))
    require_writable(tmp_path / "out.json")
    tmp_path.chmod(0o500)
    with pytest.raises(NotWritable, match="permission denied"):
        require_writable(tmp_path / "out.json")


def test_an_output_is_checked_before_the_work(tmp_path):
    source = tmp_path / "book.json"
    source.write_text("{}")
    (tmp_path / "link.json").symlink_to(source)
    for path, reason in (
        (tmp_path, "it is a folder"),
        (tmp_path / "none" / "out.json", "there is no folder"),
        (source, "it is what the command reads"),
        (tmp_path / "link.json", "it is what the command reads"),
    ):
        with pytest.raises(NotWritable, match=reason):
            require_writable(path, str(source))
    with pytest.raises(NotWritable, match=r"does not end in \.png"):
        require_writable(tmp_path / "plot.pdf", suffix=".png")
    require_writable(tmp_path / "new.json", str(source), "deribit_2026-08-22")
    require_writable(None)


@pytest.mark.parametrize(
    "arguments",
    [
        ("prove", "--portfolio", "short_strangle", "--preset", "mini", "--out", "/dev/null/proof.json"),
        ("demo", "--preset", "mini", "--out", "/dev/null/report.json"),
        ("epoch", "--preset", "mini", "--out", "/dev/null/epoch"),
        ("surface", "--plot", "/dev/null/plot.png"),
        ("backtest", "--plot", "/dev/null/plot.png"),
        ("simulate", "cascade", "--plot", "/dev/null/plot.png"),
    ],
)
def test_every_command_that_writes_says_so_first(arguments):
    assert "error NotWritable: /dev/null/" in read_error(*arguments)


def test_a_market_at_another_preset():
    own = load_market(MARKET, None)
    assert own.listing.preset.name == "standard" and load_market(MARKET, "standard").listing == own.listing
    assert load_market(MARKET, "mini").listing == reduce_to_mini(own).listing
    for preset in ("wide", "xl"):
        assert load_market(MARKET, preset).listing.preset.name == preset


def test_a_reduced_market_is_not_made_larger(tmp_path: Path):
    path = tmp_path / "mini.json"
    path.write_text(json.dumps(to_document(reduce_to_mini(load_snapshot(MARKET)))))
    assert load_market(str(path), None).listing.preset.name == "mini"
    with pytest.raises(WrongKind, match="preset is 'standard'; allowed: mini, at which"):
        load_market(str(path), "standard")


def test_an_instrument_that_mini_does_not_list():
    held, snapshot = load_portfolio("hedged_vol_book"), load_market(MARKET, "mini")
    with pytest.raises(NotListedHere, match=r"hedged_vol_book holds BTC-.*, which mini does not list; standard does"):
        load_state(held, snapshot, MARKET)
    stranger = type(held)(name="x", positions={"BTC-1JAN30-1-C": 1}, cash=0)
    with pytest.raises(UnknownName, match="BTC-1JAN30-1-C"):
        load_state(stranger, snapshot, MARKET)


def test_prove_names_the_preset_that_lists_the_instrument(tmp_path):
    out = ("--out", str(tmp_path / "proof.json"))
    line = read_error("prove", "--portfolio", "hedged_vol_book", "--preset", "mini", *out)
    assert "use --preset standard" in line


def test_keys_that_are_missing_name_the_command(tmp_path):
    """In a home without keys: which command makes them."""
    shown = subprocess.run(
        [sys.executable, "-m", "zkmargin.scripts.cli.main", "epoch", "--preset", "wide"],
        capture_output=True, text=True, timeout=120, env=os.environ | {"ZKMARGIN_HOME": str(tmp_path)},
    )  # fmt: skip
    assert shown.returncode == 1 and "run `zkmargin setup --preset wide`" in shown.stderr


def describe(folder):
    """The command that writes a wallet's descriptors of a deployment into the folder `new`."""
    (folder / "deployment.json").write_text(json.dumps(DEPLOYMENT))
    return "wallet", "descriptors", "--deployment", str(folder / "deployment.json"), "--out", str(folder / "new")


def test_descriptors_are_written_for_the_deployment_that_was_read(tmp_path):
    written = json.loads(run_command(*describe(tmp_path), "--json").stdout)
    assert written.keys() == {"ClearingHouse", "RiskOracle"}
    for path in written.values():
        context = json.loads(Path(path).read_text())["context"]["eip712"]
        assert context["deployments"] == [{"chainId": 31337, "address": ADDRESS}]


def test_descriptors_need_a_folder(tmp_path):
    (tmp_path / "new").write_text("")
    assert "new" in read_error(*describe(tmp_path)) and (tmp_path / "new").read_text() == ""
