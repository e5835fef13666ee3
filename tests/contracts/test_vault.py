"""Tokens: where they are, who moves them, and that the books always add up to what the vault has."""

from dataclasses import replace
from random import Random

import pytest
from eth_account import Account as EthAccount
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from tests.support.reverts import refused
from tests.support.world import LOT, USDC, make_wallet
from zkmargin.contracts.deploy import WETH_LOT, deploy_contract
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.vault import CollateralVault, Token
from zkmargin.prover.account.account import compute_account_id
from zkmargin.prover.messages.action_table import ActionKind

INBOX = bytes(range(32))


def make_vault(world, token):
    """A vault whose only collateral is `token`, in slot 1; its clearing house is the node's account 9."""
    contract, _ = deploy_contract(
        world.chain, "CollateralVault", world.chain.accounts[9], world.cash.address, [(1, token.address, 10)]
    )
    token.mint(world.funder, 10**9)
    token.approve(contract.address, 2**256 - 1, sender=world.funder)
    return CollateralVault(contract)


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
    token = Token(deploy_contract(world.chain, "FeeToken")[0])
    vault = make_vault(world, token)
    assert refused("ReceivedAmountDiffers", vault.fund, INBOX, token.address, 100, sender=world.funder) == {
        "token": token.address,
        "received": 99,
        "expected": 100,
    }


@pytest.mark.parametrize("call", ["fund", "claim", "pullBack", "absorb"])
def test_a_token_that_calls_back_gets_nothing(world, call):
    token = Token(deploy_contract(world.chain, "ReentrantToken")[0])
    vault = make_vault(world, token)
    vault.fund(INBOX, token.address, 50, sender=world.funder)
    calls = {
        "fund": ("fund", INBOX, token.address, 1),
        "claim": ("claim", token.address, world.funder),
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


# ----------------------------------------------------------------------------------------------- absorb, release, claim
def test_only_the_clearing_house_absorbs_and_releases(world):
    stranger = world.chain.accounts[6]
    for call in (("absorb", world.alice.id, 1, []), ("release", stranger, 1, [])):
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


def test_payments_are_pulled(world):
    epoch = world.post()
    recipient = world.chain.accounts[5]
    world.house.withdraw(world.make_withdraw(world.alice, epoch, 30 * USDC, 2, 5), sender=world.submitter)
    assert world.vault.get_claimable(recipient, world.cash.address) == 30 * USDC
    before = world.weth.get_balance(world.funder)
    world.vault.claim(world.weth.address, world.funder, sender=recipient)
    assert world.weth.get_balance(world.funder) == before + 2 * LOT
    refused("AmountZero", world.vault.claim, world.weth.address, world.funder, sender=recipient)


def test_the_vault_and_the_house_name_each_other(world):
    cash, weth = world.cash.address, world.weth.address
    vault, _ = deploy_contract(world.chain, "CollateralVault", world.chain.accounts[9], cash, [(1, weth, 10)])
    with pytest.raises(Reverted, match="WiringWrong"):
        deploy_contract(
            world.chain, "ClearingHouse", world.deployment.key_registry, world.deployment.risk_oracle,
            world.deployment.margin_verifier, vault.address,
        )  # fmt: skip
    other = deploy_contract(world.chain, "TestWETH")[0].address
    for wrong in (
        [(1, weth, 0)],
        [(1, cash, 1)],
        [(1, weth, 1), (2, weth, 1)],
        [(1, weth, 1), (1, other, 1)],
        [(1, world.funder, 1)],
    ):
        with pytest.raises(Reverted, match="CollateralInvalid"):
            deploy_contract(world.chain, "CollateralVault", world.chain.accounts[9], cash, wrong)
    with pytest.raises(Reverted, match="CollateralInvalid"):
        deploy_contract(world.chain, "CollateralVault", world.chain.accounts[9], world.funder, [])
    deploy_contract(world.chain, "CollateralVault", world.chain.accounts[9], cash, [(1, weth, 1), (2, other, 1)])


def test_the_vault_counts_lots_as_the_deployment_says(world):
    for slot, units in world.deployment.vault_units.items():
        assert world.vault.get_unit(slot) == (world.weth.address, units)


# ------------------------------------------------------------------------------------------------------ conservation
@pytest.mark.property("P-48")
def test_the_books_add_up_after_any_run_of_actions(world):
    """Ghost books of inbox, held and claimable, kept beside the contract over a random run of allowed actions."""
    random = Random(20260822)
    tokens = {world.cash.address: USDC, world.weth.address: LOT}
    parties = [world.alice, world.bob]
    recipient = world.chain.accounts[5]
    everyone = [*(party.id for party in parties), INBOX]

    def check():
        for token in tokens:
            inboxes = sum(world.vault.get_inbox(account, token) for account in everyone)
            claimables = sum(
                world.vault.get_claimable(who, token) for who in (recipient, world.submitter, world.chain.accounts[4])
            )
            balance = Token(world.cash.contract if token == world.cash.address else world.weth.contract).get_balance(
                world.vault.contract.address
            )
            assert balance == inboxes + world.vault.get_held(token) + claimables
            assert world.vault.get_held(token) == ghost[token]

    ghost = {token: world.vault.get_held(token) for token in tokens}
    epoch = world.post()
    for _ in range(25):
        party, other = random.sample(parties, 2)
        cash, lots, fee = random.randrange(5, 40) * USDC, random.randrange(3), random.randrange(2)
        action = random.choice(["fund", "deposit", "cure", "withdraw", "flat", "trade", "attest", "collect", "claim"])
        if action == "fund":
            world.fund(party, cash, lots * LOT + 1)
        elif action in ("deposit", "cure"):
            world.fund(party, cash, lots * LOT)
            make = (
                world.make_deposit(party, cash, lots, fee)
                if action == "deposit"
                else world.make_cure(party, epoch, cash, lots, fee)
            )
            (world.house.deposit if action == "deposit" else world.house.cure)(make, sender=world.submitter)
            ghost[world.cash.address] += cash
            ghost[world.weth.address] += lots * LOT
        elif action in ("withdraw", "flat"):
            if action == "withdraw":
                world.house.withdraw(world.make_withdraw(party, epoch, cash, lots, fee), sender=world.submitter)
            else:
                world.house.withdraw_flat(
                    world.make_flat(ActionKind.WITHDRAW_FLAT, party, cash, lots, fee), sender=world.submitter
                )
            ghost[world.cash.address] -= cash
            ghost[world.weth.address] -= lots * LOT
        elif action == "trade":
            world.house.trade(world.make_trade(party, other, epoch, (fee, fee)), sender=world.submitter)
        elif action == "attest":
            world.house.attest(world.make_attest(party, epoch))
        elif action == "collect" and (fees := world.house.get_fees(world.submitter)):
            world.house.collect_fees(world.chain.accounts[4], sender=world.submitter)
            ghost[world.cash.address] -= fees
        elif action == "claim" and world.vault.get_claimable(recipient, world.cash.address):
            world.vault.claim(world.cash.address, recipient, sender=recipient)
        check()


def test_another_account_number_is_another_inbox(world):
    request = world.make_deposit(world.alice, USDC)
    refused("StatusWrong", world.house.deposit, replace(request, account=INBOX))
    assert make_wallet("alice").address == world.alice.auth
