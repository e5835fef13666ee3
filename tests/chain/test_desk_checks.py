"""Whoever trusts a venue looks at the code, the routes and the keys of its desks first: a trader before it joins, a
publisher before it signs."""

import pytest

from tests.audit.tampering import alter_code
from zkmargin.contracts import deploy as deploying
from zkmargin.contracts.chain import Chain
from zkmargin.contracts.deploy import deploy, deploy_contract
from zkmargin.contracts.desks import Routes, at, check_creation
from zkmargin.contracts.errors import DeploymentMismatch
from zkmargin.contracts.trading import Venue
from zkmargin.contracts.venue import Contracts
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.venue.publishing import PublishingTerms


def get_desks(venue) -> dict[str, str]:
    return Routes.read(venue.contracts.house.contract, venue.contracts.deployment.first_block).find_desks()


def get_key(venue, desk: str, getter: str) -> str:
    """Address of the stored key of a desk's verifier."""
    verifier = at(venue.chain, desk, get_desks(venue)[desk]).call(getter)
    return str(at(venue.chain, "RevealVerifier", verifier).call("key"))


def require_refused(venue, words: str) -> None:
    """By traders and publishers."""
    with pytest.raises(DeploymentMismatch, match=words):
        Venue.connect(venue.chain.url, venue.contracts.deployment, Wallet.create())
    with pytest.raises(DeploymentMismatch, match=words):
        PublishingTerms.read(venue.contracts, venue.facts.preset)


def put_word(chain: Chain, address: str, honest: str, other: str, count: int) -> None:
    """An address in the place of another one among the immutable values of a contract, that often."""
    old, new = (bytes.fromhex(item[2:]).rjust(32, b"\0") for item in (honest, other))
    assert chain.get_code(address).count(old) > count > 0
    alter_code(chain, address, lambda code: code.replace(old, new, count))


@pytest.mark.property("P-119")
@pytest.mark.parametrize(("desk", "getter"), [("DefaultDesk", "REVEALS"), ("RekeyDesk", "REKEYS")])
def test_a_desk_with_another_key_is_refused(venue, desk, getter):
    """Of which somebody may know the trapdoor: IC of the first public input is another point."""
    start = 1 + 448 + 64
    alter_code(
        venue.chain,
        get_key(venue, desk, getter),
        lambda code: code[:start] + code[start - 64 : start] + code[start + 64 :],
    )
    require_refused(venue, f"stored key of {'reveal' if getter == 'REVEALS' else 'rekey'}")


@pytest.mark.property("P-119")
def test_a_new_viewing_key_is_escrowed_to_the_records_committee(venue):
    """A rekey verifier whose committee is another one lets that one read every account that was redeemed."""
    address = get_key(venue, "RekeyDesk", "REKEYS")
    reveal = get_key(venue, "DefaultDesk", "REVEALS")
    constant = venue.chain.get_code(reveal)[1 + 448 : 1 + 448 + 64]
    alter_code(venue.chain, address, lambda code: code[: 1 + 448] + constant + code[1 + 448 + 64 :])
    require_refused(venue, "stored key of rekey")


@pytest.mark.property("P-119")
@pytest.mark.parametrize("name", ["SaleDesk", "RekeyDesk", "ClearingHouse"])
def test_a_desk_of_other_code_is_refused(venue, name):
    addresses = {**get_desks(venue), "ClearingHouse": venue.contracts.deployment.clearing_house}
    alter_code(venue.chain, addresses[name], lambda code: code[:-1] + bytes([code[-1] ^ 1]))
    require_refused(venue, f"code of {name}")


@pytest.mark.property("P-119")
def test_a_desk_that_asks_one_oracle_and_names_another_is_refused(venue):
    """Its getter reads one of the places of the immutable value."""
    put_word(venue.chain, get_desks(venue)["SaleDesk"], venue.contracts.deployment.risk_oracle, "0x" + "11" * 20, 1)
    require_refused(venue, "code of SaleDesk")


def redeploy(venue, monkeypatch, change) -> Contracts:
    """A venue whose deployer changes what the clearing house is told of its desks."""
    honest = deploying._deploy_routed_desks
    monkeypatch.setattr(deploying, "_deploy_routed_desks", lambda *given: change(honest(*given)))
    record = deploy(venue.chain, venue.keys.material, [wallet.address for wallet in venue.publishers])
    return Contracts(venue.chain, record)


def route_elsewhere(routes):
    """The last call of the first desk goes to the second one."""
    (first, calls), (second, others), *rest = routes
    return [(first, calls[:-1]), (second, [*others, calls[-1]]), *rest]


ROUTES = {
    "foreign calls at desks": lambda routes: [(routes[0][0], [*routes[0][1], b"evil"]), *routes[1:]],
    "missing calls at desks": lambda routes: [(routes[0][0], routes[0][1][:-1]), *routes[1:]],
    "address of DeadlineDesk": route_elsewhere,
}


@pytest.mark.property("P-119")
@pytest.mark.parametrize("words", ROUTES)
def test_other_routes_are_refused(venue, monkeypatch, words):
    contracts = redeploy(venue, monkeypatch, ROUTES[words])
    with pytest.raises(DeploymentMismatch, match=words):
        PublishingTerms.read(contracts, venue.facts.preset)


@pytest.mark.property("P-119")
def test_a_house_that_another_constructor_made_is_refused(venue):
    """It may have routes of which it said nothing, or keep what an honest constructor refuses."""
    house, record = venue.contracts.house.contract, venue.contracts.deployment
    made = Routes.read(house, record.first_block).transaction
    check_creation(house, made)
    with pytest.raises(DeploymentMismatch, match="without a route to a desk"):
        check_creation(house, "")
    other, receipt = deploy_contract(venue.chain, "AttestationVerifier", record.clearing_house)
    with pytest.raises(DeploymentMismatch, match="runs other code"):
        check_creation(house, receipt.transaction_hash)
    as_house = at(venue.chain, "ClearingHouse", other.address)
    with pytest.raises(DeploymentMismatch, match="runs other code"):
        check_creation(as_house, receipt.transaction_hash)


@pytest.mark.property("P-119")
@pytest.mark.parametrize("circuit", ["reveal", "rekey"])
def test_the_record_names_the_proving_keys_of_the_desks(venue, circuit):
    found = getattr(venue.contracts.deployment, f"{circuit}_zkey")
    assert found == venue.keys.material.proving_keys[circuit] and len(found) == 64
