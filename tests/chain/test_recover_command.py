"""`zkmargin account recover` on a chain: by wallet, by key file, and with one account that cannot be rebuilt."""

import json
from pathlib import Path

import pytest
from eth_account import Account as EthAccount
from typer.testing import CliRunner, Result

from tests.support.schemas import check_document
from zkmargin.contracts.chain import run_anvil
from zkmargin.contracts.errors import DeploymentMismatch
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.trading import Trader
from zkmargin.prover.account.account import compute_account_id
from zkmargin.prover.account.key_file import create_key_file
from zkmargin.prover.client import AccountClient
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.scripts.cli.account import app

USD6 = 10**6
PASSWORD = "a password of a test"


@pytest.fixture
def owner(venue: LocalVenue, tmp_path: Path) -> tuple[LocalVenue, list[Trader], Path]:
    """Two funded accounts of one wallet: the first under the wallet's key, the second under a key file's."""
    signer = EthAccount.create()
    wallet, folder = Wallet(signer), tmp_path
    ids = [compute_account_id(venue.domain, wallet.address, index) for index in (0, 1)]
    keys = [None, create_key_file(folder / "key.json", ids[1])]
    create_key_file(folder / "other.json", ids[0])
    (folder / "wallet.json").write_text(json.dumps(EthAccount.encrypt(signer.key, PASSWORD, iterations=2)))
    venue.contracts.deployment.save(folder / "deployment.json")
    parties = []
    for index, key in enumerate(keys):
        client = AccountClient.create(
            wallet, venue.facts, venue.provers, index=index, key=key, generation=venue.contracts.oracle.get_generation()
        )
        party = Trader(venue, client, f"account {index}")
        venue.open_account(party)
        venue.fund(party, cash_usd6=(index + 1) * USD6)
        venue.deposit(party, cash_usd6=(index + 1) * USD6)
        parties.append(party)
    return venue, parties, folder


def run(owner, *options: str) -> Result:
    venue, _, folder = owner
    base = ["recover", "--deployment", str(folder / "deployment.json"), "--rpc-url", venue.chain.url]
    return CliRunner().invoke(app, [*base, "--preset", "mini", "--json", *options], input=PASSWORD + "\n")


def read(result: Result) -> dict:
    return json.loads(result.stdout[result.stdout.index("{") :])


def test_wallet_and_key_file_recover_both(owner):
    _, parties, folder = owner
    done = run(owner, "--keystore", str(folder / "wallet.json"), "--key-file", str(folder / "key.json"))
    assert done.exit_code == 0, done.output
    found = read(done)
    assert [item["account"] for item in found["recovered"]] == ["0x" + party.id.hex() for party in parties]
    assert [item["cash_usd6"] for item in found["recovered"]] == [USD6, 2 * USD6] and found["failed"] == []
    check_document("account_recover", found)
    venue = owner[0]
    place = ["--deployment", str(folder / "deployment.json"), "--rpc-url", venue.chain.url, "--json"]
    shown = CliRunner().invoke(app, ["show", *place, "--account", "0x" + parties[0].id.hex()])
    check_document("account_show", read(shown))
    view = venue.contracts.house.get_account(parties[0].id)
    number = CliRunner().invoke(app, ["id", *place[:2], "--auth", view.auth, "--json"])
    check_document("account_id", read(number))


def test_a_key_file_alone_is_enough_for_its_account(owner):
    _, parties, folder = owner
    done = run(owner, "--key-file", str(folder / "key.json"))
    assert done.exit_code == 0, done.output
    assert [item["account"] for item in read(done)["recovered"]] == ["0x" + parties[1].id.hex()]


@pytest.mark.parametrize("options, failed", [((), 1), (("key.json", "other.json"), 0)])
def test_what_cannot_be_recovered_is_named_beside_what_can(owner, options, failed):
    """Without the second account's file, or with a wrong file for the first: exit code 1, and the other is there."""
    _, parties, folder = owner
    files = [item for name in options for item in ("--key-file", str(folder / name))]
    done = run(owner, "--keystore", str(folder / "wallet.json"), *files)
    assert done.exit_code == 1
    found = read(done)
    assert [item["account"] for item in found["failed"]] == ["0x" + parties[failed].id.hex()]
    assert "the key does not open the first commitment" in found["failed"][0]["reason"]
    check_document("account_recover", found)
    assert [item["account"] for item in found["recovered"]] == ["0x" + parties[1 - failed].id.hex()]


def test_one_of_both_is_needed(owner):
    assert run(owner).exit_code == 2


def test_a_chain_that_is_not_the_deployments(owner):
    """Nothing is printed as if nothing were there: the chain is named."""
    _, _, folder = owner
    with run_anvil(chain_id=1337) as other:
        command = ["--deployment", str(folder / "deployment.json"), "--rpc-url", other.url]
        recovered = CliRunner().invoke(
            app, ["recover", *command, "--keystore", str(folder / "wallet.json"), "--preset", "mini"], input=PASSWORD
        )
        shown = CliRunner().invoke(app, ["show", *command, "--account", "0x" + "00" * 32])
    for done in (recovered, shown):
        assert isinstance(done.exception, DeploymentMismatch) and done.exit_code == 1
        assert (done.exception.found, "31337" in done.exception.args[0]) == (1337, True)


def test_a_wallet_without_accounts_is_told_so(owner, tmp_path):
    stranger = EthAccount.create()
    path = tmp_path / "stranger.json"
    path.write_text(json.dumps(EthAccount.encrypt(stranger.key, PASSWORD, iterations=2)))
    venue, _, folder = owner
    command = ["recover", "--deployment", str(folder / "deployment.json"), "--rpc-url", venue.chain.url]
    done = CliRunner().invoke(app, [*command, "--keystore", str(path), "--preset", "mini"], input=PASSWORD + "\n")
    assert done.exit_code == 0 and f"no account of {stranger.address}" in " ".join(done.output.split())
