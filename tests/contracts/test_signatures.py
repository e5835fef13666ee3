"""A counterparty's signature, asked of the chain: the answer is the clearing house's own."""

from dataclasses import replace

import pytest
from eth_abi import encode as abi_encode

from tests.support.world import USDC, make_wallet
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.errors import CallInvalid, Reverted
from zkmargin.contracts.signatures import ChainSignatureCheck
from zkmargin.prover.errors import WrongSigner
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.signed import Signed
from zkmargin.prover.messages.wallet import is_signed_by_key

ERC1271_VALID = bytes.fromhex("1626ba7e")
VALID_WORD = ERC1271_VALID.ljust(32, b"\0")
UNDEPLOYED = bytes.fromhex("6492") * 16
"""Last word of a signature of a wallet that is not deployed yet (ERC-6492)."""


def answer(word: bytes, size: int = 32) -> str:
    """Code of a wallet that answers everything with the first bytes of that word."""
    return f"0x7f{word.hex()}5f5260{size:02x}5ff3"


@pytest.fixture
def check(world):
    return world.venue.signature_check


@pytest.fixture
def contract_party(world):
    """An open account whose auth is a contract wallet, with money in its inbox."""
    wallet, _ = deploy_contract(world.chain, "TestWallet", make_wallet("contract owner").address)
    party = world.open("contract owner", auth=wallet.address)
    world.fund(party, 10 * USDC)
    return party


def is_taken(world, party, action, signature) -> bool:
    """Whether the clearing house takes the signature."""
    try:
        world.submit(party, action, signature=signature)
    except Reverted as refusal:
        assert refusal.error == "SignatureWrong"
        return False
    return True


@pytest.mark.property("P-82")
@pytest.mark.parametrize("is_contract", [False, True], ids=["key", "contract"])
def test_it_says_what_the_clearing_house_says(world, check, contract_party, is_contract):
    party = contract_party if is_contract else world.alice
    action = world.draft(ActionKind.DEPOSIT, party, cash_flow=USDC)
    good, stranger = (wallet.sign(world.domain, action) for wallet in (party.wallet, make_wallet("stranger")))
    other = party.wallet.sign(world.domain, action.model_copy(update={"fee": 1}))
    for signature in (stranger, other, b"", b"\0" * 65, good[:64], good + b"\0"):
        assert not check(world.domain, action, signature, party.auth)
        assert not is_taken(world, party, action, signature)
    assert check(world.domain, action, good, party.auth) and is_taken(world, party, action, good)


def test_a_contract_wallets_message_passes_only_with_the_chain(world, check, contract_party):
    action = world.draft(ActionKind.DEPOSIT, contract_party, cash_flow=USDC)
    signed = Signed(action, contract_party.wallet.sign(world.domain, action))
    signed.check_signer(world.domain, contract_party.auth, check)
    with pytest.raises(WrongSigner):
        signed.check_signer(world.domain, contract_party.auth, is_signed_by_key)
    with pytest.raises(WrongSigner):
        signed.check_signer(world.domain, make_wallet("nobody").address, check)


@pytest.mark.property("P-82")
@pytest.mark.parametrize(
    ("code", "is_valid"),
    [
        (answer(VALID_WORD), True),
        (answer(VALID_WORD[:31] + b"\1"), False),
        (answer(ERC1271_VALID[::-1].ljust(32, b"\0")), False),
        (answer(VALID_WORD, 4), False),
        ("0x5f5ffd", False),
        ("0x", False),
    ],
    ids=["valid", "dirty", "other", "short", "reverts", "no code"],
)
def test_answers_of_a_wallet(world, check, contract_party, code, is_valid):
    action = world.draft(ActionKind.DEPOSIT, contract_party, cash_flow=USDC)
    world.chain._request("anvil_setCode", contract_party.auth, code)
    assert check(world.domain, action, b"whatever", contract_party.auth) is is_valid
    assert is_taken(world, contract_party, action, b"whatever") is is_valid


def test_a_domain_of_another_chain_is_refused(world):
    action = world.draft(ActionKind.DEPOSIT, world.alice, cash_flow=USDC)
    signature = world.sign(world.alice, action)
    with pytest.raises(CallInvalid, match="chain id of the domain is 1; allowed: 31337"):
        ChainSignatureCheck(world.chain)(replace(world.domain, chain_id=1), action, signature, world.alice.auth)


def test_a_domain_of_no_clearing_house_is_refused(world, check):
    domain = replace(world.domain, clearing_house=make_wallet("nobody").address)
    with pytest.raises(CallInvalid, match="clearing house of the domain"):
        check(domain, world.draft(ActionKind.DEPOSIT, world.alice), b"whatever", world.alice.auth)


def test_it_can_be_asked_at_one_block(world, contract_party):
    action = world.draft(ActionKind.DEPOSIT, contract_party, cash_flow=USDC)
    block = world.chain.get_block("latest").number
    world.chain.travel(1)
    world.chain._request("anvil_setCode", contract_party.auth, answer(VALID_WORD))
    world.chain.travel(1)
    later = world.chain.get_block("latest").number
    asked = (world.domain, action, b"whatever", contract_party.auth)
    assert ChainSignatureCheck(world.chain, later)(*asked) and not ChainSignatureCheck(world.chain, block)(*asked)


@pytest.mark.property("P-82")
def test_a_wallet_that_is_not_deployed_yet_is_asked_too(world, check):
    """The question deploys it for the time of the call alone (ERC-6492)."""
    factory, _ = deploy_contract(world.chain, "TestWalletFactory")
    owner = make_wallet("undeployed")
    address = factory.call("addressOf", owner.address)
    making = bytes.fromhex(factory.encode("deploy", owner.address)[2:])
    action = world.draft(ActionKind.DEPOSIT, world.alice)
    inner = owner.sign(world.domain, action)
    wrapped = abi_encode(["address", "bytes", "bytes"], [factory.address, making, inner]) + UNDEPLOYED
    assert check(world.domain, action, wrapped, address)
    assert not check(world.domain, action, inner, address) and world.chain.get_code(address) == b""
    assert not check(world.domain, action, b"\1" * 40 + UNDEPLOYED, address), "not of the form"


@pytest.mark.property("P-82")
def test_a_wallet_that_burns_its_gas_has_not_signed(world, check):
    hog, _ = deploy_contract(world.chain, "TestHog")
    assert not check(world.domain, world.draft(ActionKind.DEPOSIT, world.alice), b"whatever", hog.address)
