"""The `zkmargin` command as a user runs it: exit codes, JSON alone on stdout, errors that name value and range."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import run_command
from tests.support.schemas import check_document
from zkmargin.scripts.cli import bench_backends
from zkmargin.scripts.setup import set_up

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "zkmargin.scripts.cli.main", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, env=None)


@pytest.fixture(scope="module", autouse=True)
def keys():
    set_up(["mini"])


@pytest.mark.parametrize("command", ["margin", "epoch", "prove", "verify", "demo", "bench", "account"])
def test_each_command_has_help_with_an_example(command):
    shown = run(command, "--help")
    assert shown.returncode == 0
    if command == "account":
        shown = run("account", "show", "--help")
    assert "Example: zkmargin" in shown.stdout


@pytest.mark.parametrize(
    "module", ["typer", "zkmargin.scripts.cli.app", "rich.console", "numpy", "zkmargin.engine.house"]
)
def test_ctrl_c_is_one_line_at_any_moment(module):
    """Wherever it comes: while the command line, or what a command works with, is being loaded."""
    code = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(name, path, target=None):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt)\n"
        "sys.argv = ['zkmargin', 'margin', '--portfolio', 'short_strangle']\n"
        "from zkmargin.scripts.cli.main import main\n"
        "main()\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (shown.returncode, shown.stdout, shown.stderr) == (130, "", "interrupted\n")


def test_margin_needs_no_chain():
    shown = run("margin", "--portfolio", "short_strangle", "--market", "deribit_2026-08-22", "--json")
    report = json.loads(shown.stdout)
    assert shown.returncode == 0
    initial, maintenance = (report["levels"][name]["requirement"] for name in ("initial", "maintenance"))
    assert 0 < maintenance < initial


def test_an_error_is_one_line_that_names_the_value():
    shown = run("margin", "--portfolio", "no_such_book")
    assert shown.returncode == 1 and shown.stdout == ""
    assert "no_such_book" in shown.stderr and "Traceback" not in shown.stderr


def test_an_error_is_a_document_where_json_is_asked_for():
    shown = run("margin", "--portfolio", "no_such_book", "--json")
    error = json.loads(shown.stdout)["error"]
    assert (shown.returncode, error["name"], error["exit_code"]) == (1, "UnknownName", 1)
    assert "no_such_book" in error["text"] and "no_such_book" in shown.stderr


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("httpx", ("market", "fetch", "--out", "chain.json")),
        ("uvicorn", ("relay", "serve")),
        ("uvicorn", ("api",)),
        ("uvicorn", ("committee", "--share-file", "share.json", "--recipient", "0x" + "11" * 20)),
    ],
)
def test_a_package_that_is_not_installed_is_one_line_that_says_what_brings_it(monkeypatch, package, command):
    monkeypatch.setitem(sys.modules, package, None)
    text = f"needs {package}: pip install 'zkmargin[services]'"
    shown = run_command(*command)
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.splitlines() == [f"error ModuleNotFoundError: {text}"]


def test_a_missing_package_is_a_document_where_json_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "httpx", None)
    shown = run_command("market", "fetch", "--out", str(tmp_path / "chain.json"), "--json")
    text = "needs httpx: pip install 'zkmargin[services]'"
    assert json.loads(shown.stdout)["error"] == {"name": "ModuleNotFoundError", "text": text, "exit_code": 1}
    assert shown.returncode == 1


def test_a_missing_module_of_the_project_is_a_fault_and_no_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "zkmargin.venue.relay.server", None)
    with pytest.raises(ModuleNotFoundError, match=r"zkmargin\.venue\.relay\.server"):
        run_command("relay", "serve")


def test_a_tool_that_does_not_end_in_time_is_one_line(monkeypatch, tmp_path):
    def wait(*_):
        raise subprocess.TimeoutExpired(["node", "backends.mjs", "and more"], 3_600)

    monkeypatch.setattr(bench_backends, "measure", wait)
    shown = run_command("bench", "backends", "--powers", str(tmp_path / "none.ptau"), "--json")
    text = "node backends.mjs took more than 3600 seconds and was ended"
    assert shown.returncode == 1 and shown.stderr.splitlines()[-1] == f"error TimeoutExpired: {text}"
    assert json.loads(shown.stdout)["error"] == {"name": "TimeoutExpired", "text": text, "exit_code": 1}


def test_the_version_is_the_packages():
    from importlib.metadata import version

    assert run("--version").stdout == f"zkmargin {version('zkmargin')}\n"


def test_what_a_user_wrote_moves_no_terminal(tmp_path):
    """Neither markup nor control characters of a portfolio's name are acted on, in each command that shows it."""
    name = "[/foo][bold]x[/bold]\x1b[31mred\x1b[0ma\rb"
    book = {"format": "zkmargin.portfolio/1", "name": name, "cash_usd6": 10**11, "positions": {"BTC-PERPETUAL": -3}}
    path = tmp_path / "book.json"
    path.write_text(json.dumps(book))
    expected = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
    for command in ("margin", "explain"):
        shown = run_command(command, "--portfolio", str(path))
        assert shown.returncode == 0, shown.stderr
        assert expected in shown.stdout and "\x1b" not in shown.stdout and "\r" not in shown.stdout


def test_epoch_is_the_same_twice():
    first, second = (json.loads(run("epoch", "--preset", "mini", "--json").stdout) for _ in range(2))
    check_document("epoch", first)
    for document in (first, second):
        document.pop("seconds")
    assert first == second and set(first["points"]) == {"initial", "maintenance", "net_delta", "withdraw"}


@pytest.mark.slow
def test_prove_and_verify(tmp_path):
    book = {
        "format": "zkmargin.portfolio/1",
        "name": "small",
        "cash_usd6": 50_000_000_000,
        "positions": {"BTC-PERPETUAL": 3},
    }
    (tmp_path / "book.json").write_text(json.dumps(book))
    out = tmp_path / "proof.json"
    made = run("prove", "--portfolio", str(tmp_path / "book.json"), "--preset", "mini", "--out", str(out), "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["policy"] == "initial"
    check_document("prove", json.loads(made.stdout))
    check_document("verify", json.loads(run("verify", str(out), "--json").stdout))
    assert "BTC-PERPETUAL" not in out.read_text()
    checked = json.loads(run("verify", str(out), "--json").stdout)
    assert (checked["valid"], checked["reason"]) == (True, None)
    file = json.loads(out.read_text())
    check_document("files/proof", file)
    assert checked["checked"] == {name: file[name] for name in ("key_hash", "snapshot_hash")}

    key = tmp_path / "key.json"
    run("key", "export", "--preset", "mini", "--out", str(key))
    assert json.loads(run("verify", str(out), "--key", str(key), "--json").stdout)["valid"] is True
    other = json.loads(key.read_text())
    other["IC"][1], other["IC"][2] = other["IC"][2], other["IC"][1]
    key.write_text(json.dumps(other))
    shown = run("verify", str(out), "--key", str(key), "--json")
    assert shown.returncode == 1 and json.loads(shown.stdout)["reason"].startswith("another key: the file names 0x")
    shown = run("verify", str(out), "--market", "deribit_2026-02-05", "--json")
    assert json.loads(shown.stdout)["reason"].startswith("another market")

    forged = json.loads(out.read_text())
    forged["commitment"] = str(int(forged["commitment"]) + 1)
    out.write_text(json.dumps(forged))
    shown = run("verify", str(out), "--json")
    assert shown.returncode == 1 and json.loads(shown.stdout)["valid"] is False


def test_prove_says_what_is_missing(tmp_path):
    book = {
        "format": "zkmargin.portfolio/1",
        "name": "thin",
        "cash_usd6": 1_000_000,
        "positions": {"BTC-PERPETUAL": -300},
    }
    (tmp_path / "book.json").write_text(json.dumps(book))
    shown = run(
        "prove", "--portfolio", str(tmp_path / "book.json"), "--preset", "mini", "--out", str(tmp_path / "p.json")
    )
    assert shown.returncode == 1 and "PolicyNotMet" in shown.stderr and "missing" in shown.stderr
    assert not (tmp_path / "p.json").exists()
