"""A protocol team by commands only: from an empty chain to a private trade, attested, paid out and recovered."""

from __future__ import annotations

import json

import pytest

from tests.venue.conftest import PASSWORD, PUBLISHERS, Team, make_team
from zkmargin.prover.paths import BUILD

CALL, PERPETUAL = "BTC-25SEP26-80000-C", "BTC-PERPETUAL"


def find_legs(team: Team) -> str:
    """A call of the market's listing that is bought, as a leg."""
    listed = team.json("list", "instruments", "--preset", team.preset)["instruments"]
    return next(item["name"] for item in listed if item["name"].endswith("-C"))


def trade(team: Team, call: str) -> dict:
    files = {name: team.path(f"{name}.json") for name in ("request", "quote", "accepted")}
    read = ("--request", files["request"])
    team.trade("alice", "request", "--leg", f"{call}:+5", "--out", files["request"])
    team.trade("bob", "quote", *read, "--taker-pays", "1000.5", "--out", files["quote"])
    read += ("--quote", files["quote"])
    team.trade("alice", "accept", *read, "--most", "1000.5", "--out", files["accepted"])
    return team.trade("bob", "settle", *read, "--accepted", files["accepted"])


def play(team: Team) -> None:
    publishers, users = team.make_wallets(*PUBLISHERS), team.make_wallets("alice", "bob")
    team.deploy(publishers)
    assert team.publish("p1", "p2")["number"] == 1
    for name in users:
        team.account(name, "open")
        team.account(name, "fund", "--cash", "100000", "--mint")
        team.account(name, "deposit", "--cash", "100000")
    call = find_legs(team)
    assert trade(team, call)["gas_used"] > 100_000
    held = {name: team.account(name, "show") for name in users}
    assert held["alice"]["positions"] == {call: 5} and held["alice"]["cash_usd6"] == 98_999_500_000
    assert held["bob"]["positions"] == {call: -5} and held["bob"]["cash_usd6"] == 101_000_500_000

    team.account("alice", "attest")
    team.account("alice", "fund", "--cash", "10", "--mint")
    team.account("alice", "cure", "--cash", "10")
    team.account("alice", "withdraw", "--cash", "250")
    assert team.account("alice", "show")["payments"][0]["amount"] == "250000000"
    team.chain.travel(7200)
    team.account("alice", "claim")
    assert team.account("alice", "show")["payments"] == []

    team.account("alice", "export", "--out", team.path("book.json"), "--name", "alice's")
    assert json.loads((team.folder / "book.json").read_text())["positions"] == {call: 5}
    recovered = team.json("account", "recover", "--preset", team.preset, "--keystore", team.path("alice.json"))
    assert recovered["failed"] == [] and recovered["recovered"][0]["cash_usd6"] == 98_759_500_000
    events = [json.loads(line) for line in team.run("events", "--json").stdout.splitlines()]
    assert {"EpochPosted", "AccountOpened", "Traded", "Claimed"} <= {event["name"] for event in events}
    assert team.json("key", "verify", "--preset", team.preset)["version"] == 1
    audited = team.json("audit", *team.place, "--keys", str(BUILD / team.preset), "--max-lag", "100000")
    assert audited["disagreements"] == []


def test_a_team_goes_from_an_empty_chain_to_a_private_trade(team):
    play(team)
    secrets = [PASSWORD]
    for file in team.folder.rglob("*"):
        if file.is_file():
            assert not any(secret in file.read_text() for secret in secrets), file


@pytest.mark.slow
def test_a_team_at_full_size(tmp_path, monkeypatch):
    for team in make_team(tmp_path, "standard", monkeypatch):
        play(team)


@pytest.mark.slow
@pytest.mark.property("P-320")
@pytest.mark.property("P-321")
def test_an_owner_discloses_and_a_stranger_checks(team):
    """A claim and the whole state by commands, and what the recipient refuses."""
    publishers = team.make_wallets(*PUBLISHERS)
    team.make_wallets("alice")
    team.deploy(publishers)
    team.publish("p1", "p2")
    for command in (("open",), ("fund", "--cash", "100000", "--mint"), ("deposit", "--cash", "100000")):
        team.account("alice", *command)
    number = team.account("alice", "show")["account"]
    asked = ("--recipient", "0x" + "44" * 20, "--challenge", team.json("disclose", "challenge")["challenge"])
    file = team.path("disclosure.json")

    def check(*options):
        return team.run("disclose", "check", file, *team.place, "--account", number, *options)

    for claim, says in ((("--name", "survives_20"), "-20 %"), (("--position", PERPETUAL), "exactly 0 lots")):
        team.json("disclose", "claim", *claim, *asked, "--out", file, *team.wallet("alice"))
        shown = check(*asked)
        assert shown.returncode == 0 and says in shown.stdout
    assert "challenge is" in check(*asked[:2], "--challenge", "0x" + "00" * 32).stdout
    claimed = json.loads((team.folder / "disclosure.json").read_text())
    claimed["claim"]["least"] = claimed["claim"]["most"] = 1
    (team.folder / "disclosure.json").write_text(json.dumps(claimed))
    assert "does not verify" in check(*asked).stdout

    team.json("disclose", "state", "--out", file, *team.wallet("alice"))
    assert (team.folder / "disclosure.json").stat().st_mode & 0o777 == 0o600
    assert "holds nothing; cash 100,000.000000 USD" in check().stdout
    team.account("alice", "fund", "--cash", "10", "--mint")
    team.account("alice", "deposit", "--cash", "10")
    shown = check()
    assert shown.returncode == 1 and "not what the chain has" in shown.stdout

    refused = team.run("disclose", "period", "--out", file, *team.wallet("alice"))
    assert refused.returncode == 2 and "--present" in refused.stderr
    team.json("disclose", "period", "--present", "--out", file, *team.wallet("alice"))
    shown = check("--json")
    assert shown.returncode == 0, shown.stdout
    states = json.loads(shown.stdout)["shows"]["states"]
    assert [state["event"] for state in states] == ["opened", "deposit", "deposit"]
    assert [state["cash_usd6"] for state in states] == [0, 10**11, 10**11 + 10**7]
    refused = team.run("account", "rekey", "--new-key-file", team.path("key.json"), *team.wallet("alice"))
    assert refused.returncode == 2 and not (team.folder / "key.json").exists()
    team.account("alice", "rekey")
    team.json("disclose", "period", "--out", file, *team.wallet("alice"))
    ended = json.loads(check("--json").stdout)["shows"]
    assert ended["has_ended"] and ended["states"] == states
    assert team.account("alice", "show")["cash_usd6"] == states[-1]["cash_usd6"]
    team.json("disclose", "period", "--number", "1", "--present", "--out", file, *team.wallet("alice"))
    assert [state["event"] for state in json.loads(check("--json").stdout)["shows"]["states"]] == ["rekeyed"]
    team.account("alice", "withdraw", "--cash", "5")

    given = json.loads((team.folder / "disclosure.json").read_text())
    given["period"]["key"] = "0x" + "11" * 32
    (team.folder / "disclosure.json").write_text(json.dumps(given))
    shown = check()
    assert shown.returncode == 1 and "does not decrypt to a state" in shown.stdout


@pytest.mark.slow
def test_an_external_signer_opens_an_account(team):
    """Its key is nowhere in this process: the node signs the messages and sends the transaction."""
    publishers = team.make_wallets(*PUBLISHERS)
    team.deploy(publishers)
    address = team.chain.accounts[4]
    signer = ("--signer-url", team.chain.url, "--signer", address, "--state", team.path("state"))
    opened = team.json("account", "open", *signer)
    shown = team.json("account", "show", "--account", opened["account"])
    assert (shown["auth"], shown["status"]) == (address, "active")


def test_commands_say_what_they_need(team):
    """One line each, exit code 1, and nothing of a secret."""
    team.make_wallets("alice")
    shown = team.run("account", "open", "--state", team.path("state"))
    assert shown.returncode == 1 and "--keystore FILE" in shown.stderr
    shown = team.run("account", "open", *team.wallet("alice"))
    assert shown.returncode == 1 and "deployment.json: cannot be read" in shown.stderr
    shown = team.run("account", "open", *team.wallet("alice"), "--signer", "0x12")
    assert shown.returncode == 1 and "one of --signer-url and --signer" in shown.stderr
    shown = team.run("deploy", "--publisher", "0x12", "--threshold", "2", "--out", team.path("deployment.json"))
    assert shown.returncode == 1 and "publisher is '0x12'" in shown.stderr
    shown = team.run("trade", "request", "--leg", "BTC-PERPETUAL", "--out", team.path("r.json"), *team.wallet("alice"))
    assert shown.returncode == 1 and "NAME:LOTS" in shown.stderr
    shown = team.run("wallet", "new", "--out", team.path("alice.json"))
    assert shown.returncode == 1 and "never overwritten" in shown.stderr
    assert not any(PASSWORD in text for text in (shown.stdout, shown.stderr))
