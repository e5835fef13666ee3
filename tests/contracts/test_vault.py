"""Tokens: where they are, who moves them, and that the books always add up to what the vault has."""

from dataclasses import replace

import pytest
from eth_account import Account as EthAccount
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from tests.support.reverts import refused
from tests.support.vaults import compute_interface_id, get_dead_end, make_vault
from tests.support.world import LOT, USDC, make_wallet
from zkmargin.contracts.deploy import WETH_LOT, deploy_contract
from zkmargin.contracts.errors import Reverted
from zkmargin.prover.account.account import compute_account_id
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import ZERO_ADDRESS

INBOX = bytes(range(32))


# -------------------------------------------------------------------------------------------------------------- fund
def test_anyone_funds_any_account_number(world):
    world.vault.fund(INBOX, world.cash.address, 5, sender=world.funder)
    world.vault.fund(INBOX, world.cash.address, 7, sender=world.funder)
    assert world.vault.get_inbox(INBOX, world.cash.address) == 12


def test_only_registered_tokens_and_amounts_above_zero(world):
    other = deploy_contract(world.chain, "TestWETH")[0].address
    assert refused("TokenUnknown", world.vault.fund, INBOX, other, 5)["token"] == other
    refused("AmountZero", world.vault.fund, INBOX, world.cash.address, 0)


def test_a_token_that_keeps_a_fee_is_refused(world):
    vault, token = make_vault(world, "FeeToken")
    assert refused("ReceivedAmountDiffers", vault.fund, INBOX, token.address, 100, sender=world.funder) == {
        "token": token.address,
        "received": 99,
        "expected": 100,
    }


@pytest.mark.parametrize("call", ["fund", "claim", "claimFor", "pullBack", "absorb"])
def test_a_token_that_calls_back_gets_nothing(world, call):
    vault, token = make_vault(world, "ReentrantToken")
    vault.fund(INBOX, token.address, 50, sender=world.funder)
    calls = {
        "fund": ("fund", INBOX, token.address, 1),
        "claim": ("claim", (INBOX, token.address, token.address, 1, 0, 0, 1), world.funder),
        "claimFor": ("claimFor", []),
        "pullBack": ("pullBack", 0, token.address, 1, world.funder),
        "absorb": ("absorb", INBOX, 0, [(1, 1)]),
    }
    token.contract.send("arm", vault.contract.address, vault.contract.encode(*calls[call]))
    expected = "CallerNotClearingHouse" if call == "absorb" else "ReentrancyGuardReentrantCall"
    refused(expected, vault.fund, INBOX, token.address, 100, sender=world.funder)
    assert vault.get_inbox(INBOX, token.address) == 50


def make_permit(world, owner, amount, deadline):
    domain = {
        "name": "Test USD Coin",
        "version": "1",
        "chainId": world.chain.id,
        "verifyingContract": world.cash.address,
    }
    fields = [
        ("owner", "address"),
        ("spender", "address"),
        ("value", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    ]
    message = {
        "owner": owner.address,
        "spender": world.vault.contract.address,
        "value": amount,
        "nonce": 0,
        "deadline": deadline,
    }
    types = {"Permit": [{"name": name, "type": kind} for name, kind in fields]}
    return bytes(owner.sign_message(encode_typed_data(domain, types, message)).signature)


@pytest.mark.parametrize("carried_in_before", [False, True])
def test_a_permit_funds_even_when_somebody_carried_it_in_before(world, carried_in_before):
    owner = EthAccount.from_key(keccak(text="permit owner"))
    world.chain._request("anvil_impersonateAccount", owner.address)
    world.chain._request("anvil_setBalance", owner.address, hex(10**19))
    world.cash.mint(owner.address, 100)
    deadline = world.chain.time + 1000
    signature = make_permit(world, owner, 100, deadline)
    if carried_in_before:
        r, s, v = signature[:32], signature[32:64], signature[64]
        world.cash.contract.send("permit", owner.address, world.vault.contract.address, 100, deadline, v, r, s)
    world.vault.fund_with_permit(INBOX, world.cash.address, 100, deadline, signature, sender=owner.address)
    assert world.vault.get_inbox(INBOX, world.cash.address) == 100


def test_no_permit_is_carried_to_an_unknown_token(world):
    """The token is looked up before it is called: an address without code gives this reason, not an empty one."""
    fields = refused(
        "TokenUnknown",
        world.vault.fund_with_permit,
        INBOX,
        world.chain.accounts[8],
        1,
        world.chain.time + 1000,
        bytes(64) + b"\x1b",
    )
    assert fields["token"] == world.chain.accounts[8]


def test_a_permit_of_somebody_else_moves_nothing(world):
    owner = EthAccount.from_key(keccak(text="permit owner"))
    world.cash.mint(owner.address, 100)
    signature = make_permit(world, owner, 100, world.chain.time + 1000)
    refused(
        "ERC20InsufficientAllowance",
        world.vault.fund_with_permit,
        INBOX,
        world.cash.address,
        100,
        world.chain.time + 1000,
        signature,
        sender=world.chain.accounts[6],
    )


# -------------------------------------------------------------------------------------------------------- pull back
def test_auth_pulls_back_what_was_not_absorbed_opened_or_not(world):
    owner = world.chain.accounts[6]
    account = compute_account_id(world.domain, owner, 3)
    world.vault.fund(account, world.weth.address, 5, sender=world.funder)
    refused("InboxTooLow", world.vault.pull_back, 3, world.weth.address, 5, owner, sender=world.chain.accounts[7])
    assert (
        refused("InboxTooLow", world.vault.pull_back, 3, world.weth.address, 6, owner, sender=owner)["available"] == 5
    )
    before = world.weth.get_balance(owner)
    world.vault.pull_back(3, world.weth.address, 5, owner, sender=owner)
    assert world.weth.get_balance(owner) == before + 5


def test_a_contract_wallet_pulls_back_from_its_closed_account(world):
    owner_address = world.chain.accounts[6]
    wallet, _ = deploy_contract(world.chain, "TestWallet", owner_address)
    account = compute_account_id(world.domain, wallet.address, 0)
    world.vault.fund(account, world.cash.address, 9, sender=world.funder)
    data = world.vault.contract.encode("pullBack", 0, world.cash.address, 9, owner_address)
    wallet.send("execute", world.vault.contract.address, bytes.fromhex(data[2:]), sender=owner_address)
    assert world.vault.get_inbox(account, world.cash.address) == 0


def test_the_inbox_of_a_closed_account_is_still_its_auths(world):
    world.submit(world.alice, world.draft(ActionKind.CLOSE, world.alice))
    world.chain._request("anvil_impersonateAccount", world.alice.auth)
    world.chain._request("anvil_setBalance", world.alice.auth, hex(10**19))
    left = world.vault.get_inbox(world.alice.id, world.cash.address)
    world.vault.pull_back(world.alice.index, world.cash.address, left, world.funder, sender=world.alice.auth)
    assert world.vault.get_inbox(world.alice.id, world.cash.address) == 0


# ------------------------------------------------------------------------------------------------ absorb, release
def test_only_the_clearing_house_absorbs_and_releases(world):
    stranger = world.chain.accounts[6]
    for call in (("absorb", world.alice.id, 1, []), ("release", world.alice.id, stranger, 1, [])):
        assert (
            refused("CallerNotClearingHouse", world.vault.contract.send, *call, sender=stranger)["caller"] == stranger
        )


@pytest.mark.property("P-47")
def test_a_one_cent_fund_by_a_stranger_blocks_no_cure(world):
    epoch = world.post()
    request = world.make_cure(world.alice, epoch, cash=500 * USDC, lots=3)
    world.vault.fund(world.alice.id, world.cash.address, USDC // 100, sender=world.funder)
    world.vault.fund(world.alice.id, world.weth.address, 1, sender=world.funder)
    world.house.cure(request)
    assert world.vault.get_inbox(world.alice.id, world.cash.address) == 500 * USDC + USDC // 100
    assert world.vault.get_inbox(world.alice.id, world.weth.address) == 7 * LOT + 1


def test_a_deposit_takes_no_more_than_the_inbox_holds(world):
    fields = refused("InboxTooLow", world.house.deposit, world.make_deposit(world.alice, 1_001 * USDC))
    assert (fields["wanted"], fields["available"]) == (1_001 * USDC, 1_000 * USDC)
    fields = refused("InboxTooLow", world.house.deposit, world.make_deposit(world.alice, 0, lots=11))
    assert (fields["wanted"], fields["available"]) == (11 * WETH_LOT, 10 * WETH_LOT)


def test_a_remainder_below_one_lot_stays_in_the_inbox(world):
    world.vault.fund(world.alice.id, world.weth.address, LOT // 2, sender=world.funder)
    world.house.deposit(world.make_deposit(world.alice, lots=10))
    assert world.vault.get_inbox(world.alice.id, world.weth.address) == LOT // 2


@pytest.mark.property("P-48")
def test_whatever_a_proof_says_no_more_is_released_than_the_accounts_hold(world):
    """The simulated key proves anything: here it proves a withdrawal of money that nobody deposited; inboxes stay
    untouched."""
    epoch = world.post()
    held = world.vault.get_held(world.cash.address)
    request = world.make_withdraw(world.alice, epoch, held + 1)
    assert refused("HeldTooLow", world.house.withdraw, request) == {
        "token": world.cash.address,
        "wanted": held + 1,
        "available": held,
    }
    lots = world.vault.get_held(world.weth.address) // LOT + 1
    refused("HeldTooLow", world.house.withdraw, world.make_withdraw(world.alice, epoch, 0, lots=lots))


@pytest.mark.parametrize("recipient", ["zero", "vault", "house"])
def test_nothing_is_pulled_back_to_where_it_would_be_lost(world, recipient):
    account = compute_account_id(world.domain, world.funder, 0)
    world.vault.fund(account, world.cash.address, 5, sender=world.funder)
    to = get_dead_end(world, recipient)
    fields = refused("RecipientRefused", world.vault.pull_back, 0, world.cash.address, 5, to, sender=world.funder)
    assert fields == {"recipient": to} and world.vault.get_inbox(account, world.cash.address) == 5


# ---------------------------------------------------------------------------------------------------- construction
def test_the_vault_and_the_house_name_each_other(world):
    other, _ = make_vault(world, world.weth)
    with pytest.raises(Reverted, match="WiringWrong"):
        deploy_contract(
            world.chain, "ClearingHouse", world.deployment.key_registry, world.deployment.risk_oracle,
            world.deployment.margin_verifier, other.contract.address, world.house.contract.call("DESK"),
            world.house.contract.call("BATCHES"), [],
        )  # fmt: skip


@pytest.mark.property("P-156")
def test_what_the_vault_is_wired_to_is_checked(world):
    cash, weth, oracle = world.cash.address, world.weth.address, world.deployment.risk_oracle
    other = deploy_contract(world.chain, "TestWETH")[0].address

    def build(house=world.chain.accounts[9], clock=oracle, token=cash, collaterals=((1, weth, 1), (2, other, 1))):
        return deploy_contract(world.chain, "CollateralVault", house, clock, token, list(collaterals))

    for wrong in (
        [(1, weth, 0)],
        [(1, weth, 2**66 + 1)],
        [(1, cash, 1)],
        [(1, weth, 1), (2, weth, 1)],
        [(1, weth, 1), (1, other, 1)],
        [(1, world.funder, 1)],
    ):
        refused("CollateralInvalid", build, collaterals=wrong)
    refused("CollateralInvalid", build, token=world.funder)
    assert refused("CashDecimalsWrong", build, token=other, collaterals=()) == {
        "token": other, "decimals": 18, "expected": 6,
    }  # fmt: skip
    refused("WiringInvalid", build, house=ZERO_ADDRESS)
    assert refused("WiringInvalid", build, clock=world.funder)["clock"] == world.funder
    with pytest.raises(Reverted):
        build(clock=cash)  # a contract that tells no time
    vault, _ = build()
    assert (vault.call("CLOCK"), vault.call("CASH"), vault.call("CHAIN_ID")) == (oracle, cash, world.chain.id)


def test_the_vault_says_which_interface_it_has(world):
    supports = world.vault.contract.call
    assert supports("supportsInterface", compute_interface_id("ICollateralVault"))
    assert supports("supportsInterface", bytes.fromhex("01ffc9a7"))
    assert not supports("supportsInterface", bytes.fromhex("ffffffff"))


@pytest.mark.property("P-155")
def test_inboxes_survive_a_fork_that_takes_another_chain_id(world):
    """Account numbers are made of the chain id at deployment, so auth still reaches what was funded before."""
    account = world.alice.id
    available = world.vault.get_inbox(account, world.cash.address)
    world.chain._request("anvil_setChainId", 4242)
    try:
        data = world.vault.contract.encode("pullBack", 0, world.cash.address, available, world.alice.auth)
        world.chain.call(world.vault.contract.address, data, sender=world.alice.auth)
        assert bytes(world.house.contract.call("accountId", world.alice.auth, 0)) == account
    finally:
        world.chain._request("anvil_setChainId", world.chain.id)


def test_the_vault_counts_lots_as_the_deployment_says(world):
    for slot, units in world.deployment.vault_units.items():
        assert world.vault.get_unit(slot) == (world.weth.address, units)


def test_another_account_number_is_another_inbox(world):
    request = world.make_deposit(world.alice, USDC)
    refused("StatusWrong", world.house.deposit, replace(request, account=INBOX))
    assert make_wallet("alice").address == world.alice.auth
