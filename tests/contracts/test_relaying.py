"""What carries an action in: the submitter that a message names, auth as sender, and wallets that are contracts."""

from dataclasses import replace

import pytest
from eth_abi import encode as abi_encode
from eth_utils import keccak

from tests.support.reverts import refused, reverts
from tests.support.world import LOT, USDC, World, change_side, make_wallet
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deploy import compute_create_address, deploy_contract
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.messages import signer_id
from zkmargin.contracts.requests import ActionRequest, TradeRequest, TradeSide
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.fields import ZERO_ADDRESS
from zkmargin.prover.messages.records import Action, Invalidate
from zkmargin.prover.messages.typed_data import compute_digest

UNDEPLOYED = bytes.fromhex("6492") * 16
"""Last word of a signature of a wallet that is not deployed yet (ERC-6492)."""


def make_deposit(world: World, **changes) -> ActionRequest:
    return world.make_deposit(world.alice, USDC, fee=5, **changes)


def impersonate(world: World, address: str) -> str:
    """The address, which the node then lets send."""
    world.chain._request("anvil_impersonateAccount", address)
    world.chain._request("anvil_setBalance", address, hex(10**19))
    return address


# ---------------------------------------------------------------------------------------------------------- submitters
@pytest.mark.property("P-132")
def test_a_request_that_names_its_submitter_is_of_no_use_to_a_copier(world):
    """As copied from the mempool, and with the copier's own address in the submitter's place."""
    copier = world.chain.accounts[7]
    request = make_deposit(world, submitter=world.submitter)
    assert refused("SubmitterWrong", world.house.deposit, request, sender=copier) == {
        "account": world.alice.id,
        "submitter": world.submitter,
        "sender": copier,
    }
    for submitter in (copier, ZERO_ADDRESS):
        refused("SignatureWrong", world.house.deposit, replace(request, submitter=submitter), sender=copier)
    world.house.deposit(request, sender=world.submitter)
    assert (world.house.get_fees(world.submitter), world.house.get_fees(copier)) == (5, 0)


@pytest.mark.property("P-132")
@pytest.mark.parametrize("side", ["plus", "minus"])
def test_either_side_of_a_trade_names_its_submitter(world, side):
    first, second, epoch = world.pair()
    actions = dict(zip(("plus", "minus"), world.draft_sides(first, second, epoch), strict=True))
    actions[side] = actions[side].model_copy(update={"submitter": world.submitter})
    sides = {
        name: TradeSide.from_action(action, world.prove(action), world.sign(party, action))
        for (name, action), party in zip(actions.items(), (first, second), strict=True)
    }
    request = TradeRequest(actions["plus"].trade_tag, epoch.epoch_points.select("initial"), **sides)
    copier = world.chain.accounts[7]
    refused("SubmitterWrong", world.house.trade, request, sender=copier)
    refused("SignatureWrong", world.house.trade, change_side(request, side, submitter=copier), sender=copier)
    world.house.trade(request, sender=world.submitter)


@pytest.mark.property("P-132")
def test_an_opening_names_its_submitter(world):
    party, request = world.make_open("carol", submitter=world.submitter)
    copier = world.chain.accounts[7]
    refused("SubmitterWrong", world.house.open, request, sender=copier)
    refused("SignatureWrong", world.house.open, replace(request, submitter=copier), sender=copier)
    world.house.open(request, sender=world.submitter)
    assert world.house.get_account(party.id).auth == party.auth


def test_what_needs_no_signature_is_bound_to_its_submitter_by_the_proof(world):
    epoch, copier = world.post(), world.chain.accounts[7]
    request = world.make_attest(world.alice, epoch, submitter=world.submitter)
    refused("SubmitterWrong", world.house.attest, request, sender=copier)
    refused("ProofRejected", world.house.attest, replace(request, submitter=copier), sender=copier)
    world.house.attest(request, sender=world.submitter)


# ------------------------------------------------------------------------------------------------------ auth as sender
@pytest.mark.property("P-133")
def test_auth_itself_needs_no_signature(world):
    request = replace(make_deposit(world), signature=b"")
    refused("SignatureWrong", world.house.deposit, request, sender=world.submitter)
    world.house.deposit(request, sender=impersonate(world, world.alice.auth))
    assert world.house.get_fees(world.alice.auth) == 5


@pytest.mark.property("P-133")
def test_auth_speaks_for_its_own_side_of_a_trade_only(world):
    first, second, epoch = world.pair()
    sender = impersonate(world, first.auth)
    request = change_side(world.make_trade(first, second, epoch), "plus", signature=b"")
    assert (
        refused("SignatureWrong", world.house.trade, change_side(request, "minus", signature=b""), sender=sender)[
            "account"
        ]
        == second.id
    )
    world.house.trade(request, sender=sender)


def test_auth_does_not_send_what_it_has_burned(world):
    """Nor does a signature that is wrong turn right because auth sends it."""
    action = world.draft(ActionKind.DEPOSIT, world.alice, cash_flow=USDC)
    digest, sender = compute_digest(world.domain, action), impersonate(world, world.alice.auth)
    request = ActionRequest.from_action(action, world.prove(action), b"")
    wrong = world.make_deposit(world.bob, USDC).signature
    refused("SignatureWrong", world.house.deposit, replace(request, signature=wrong), sender=sender)
    world.house.invalidate(world.alice.index, digest, sender=sender)
    refused("DigestInvalidated", world.house.deposit, request, sender=sender)


def test_a_burned_digest_names_its_account(world):
    """A signature over Invalidate is of no use on another account of the same auth."""
    second = world.open("alice")
    digest = b"\7" * 32
    message = Invalidate(account=second.id, digest=digest)
    signature = second.wallet.sign(world.domain, message)
    refused("SignatureWrong", world.house.invalidate_for, second.auth, world.alice.index, digest, signature)
    world.house.invalidate_for(second.auth, second.index, digest, signature)
    assert world.house.is_invalidated(second.id, digest) and not world.house.is_invalidated(world.alice.id, digest)


# ------------------------------------------------------------------------------------------------------------- wallets
@pytest.mark.property("P-134")
def test_a_wallet_that_is_not_deployed_yet_opens_and_acts(world):
    """ERC-6492: the first signature says who deploys the wallet; afterwards the suffix is read over."""
    factory, _ = deploy_contract(world.chain, "TestWalletFactory")
    owner = make_wallet("undeployed")
    address = factory.call("addressOf", owner.address)
    making = bytes.fromhex(factory.encode("deploy", owner.address)[2:])

    def wrap(signature: bytes, call: bytes = making) -> bytes:
        return abi_encode(["address", "bytes", "bytes"], [factory.address, call, signature]) + UNDEPLOYED

    party, request = world.make_open("undeployed", auth=address)
    refused("SignatureWrong", world.house.open, request)
    refused("SignatureWrong", world.house.open, replace(request, signature=wrap(request.signature, b"\1" * 4)))
    refused("SignatureWrong", world.house.open, replace(request, signature=wrap(b"\1" * 65)))
    assert world.chain.get_code(address) == b""
    world.house.open(replace(request, signature=wrap(request.signature)))
    assert world.chain.get_code(address) != b""
    world.fund(party, 10 * USDC)
    for make in (lambda signature: signature, wrap):
        request = world.make_deposit(party, USDC)
        world.house.deposit(replace(request, signature=make(request.signature)))


@pytest.mark.property("P-134")
def test_deploying_a_wallet_calls_nothing_with_rights(world):
    """ERC-6492 lets a signature name any call. It comes from a contract that the vault and the house do not know."""
    vault, house = world.vault.contract, world.house.contract
    victim = world.alice.id
    thief = make_wallet("thief")
    party = world.open("thief")
    before = world.vault.get_held(world.cash.address)
    calls = {
        vault: vault.encode("absorb", victim, USDC, []),
        house: house.encode("skip", party.id),
    }
    for target, call in calls.items():
        request = world.make_deposit(party, 0)
        signature = (
            abi_encode(["address", "bytes", "bytes"], [target.address, bytes.fromhex(call[2:]), b""]) + UNDEPLOYED
        )
        refused("SignatureWrong", world.house.deposit, replace(request, signature=signature))
    assert world.vault.get_held(world.cash.address) == before and thief.address == party.auth


@pytest.mark.property("P-134")
def test_a_call_that_a_signature_names_comes_from_who_has_nothing(world):
    """Seen by an allowance that it gives: neither vault nor house gives one."""
    wallets = Contract(world.chain, compile_contracts()["WalletSignatures"], world.house.contract.call("WALLETS"))
    thief, token = make_wallet("thief").address, world.cash.contract
    approve = bytes.fromhex(token.encode("approve", thief, USDC)[2:])
    signature = abi_encode(["address", "bytes", "bytes"], [token.address, approve, b""]) + UNDEPLOYED
    wallets.send("isValid", thief, b"\7" * 32, signature)
    holders = (wallets.address, world.vault.contract.address, world.house.contract.address)
    assert [token.call("allowance", holder, thief) for holder in holders] == [USDC, 0, 0]


@pytest.mark.property("P-134")
def test_with_too_little_gas_left_for_a_factory_the_error_is_of_gas(world):
    """A factory that ran out of it would leave no wallet, and the signature would look wrong."""
    factory, _ = deploy_contract(world.chain, "TestWalletFactory")
    owner = make_wallet("undeployed")
    address = factory.call("addressOf", owner.address)
    making = bytes.fromhex(factory.encode("deploy", owner.address)[2:])
    _, request = world.make_open("undeployed", auth=address)
    wrapped = abi_encode(["address", "bytes", "bytes"], [factory.address, making, request.signature]) + UNDEPLOYED
    data = world.house.contract.encode("open", replace(request, signature=wrapped).to_abi())
    question = {"to": world.house.contract.address, "data": data, "from": world.submitter}
    with pytest.raises(Exception, match="GasTooLow|" + keccak(text="GasTooLow(uint256,uint256)")[:4].hex()):
        world.chain.w3.eth.call({**question, "gas": 3_000_000})
    world.chain.w3.eth.call({**question, "gas": 4_000_000})


@pytest.mark.property("P-134")
def test_a_wallet_burns_a_bounded_part_of_the_gas(world):
    hog, _ = deploy_contract(world.chain, "TestHog")
    _party, request = world.make_open("hog", auth=hog.address)
    before = world.chain.w3.eth.get_balance(world.submitter)
    refused("SignatureWrong", world.house.open, request, sender=world.submitter)
    assert world.chain.w3.eth.get_balance(world.submitter) == before  # refused in simulation
    data, gas = world.house.contract.encode("open", request.to_abi()), 16_000_000
    used = _send_raw(world, data, gas)
    assert used < 600_000 < gas


def test_with_too_little_gas_left_for_a_wallet_the_error_is_of_gas(world):
    owner = make_wallet("contract owner")
    wallet, _ = deploy_contract(world.chain, "TestWallet", owner.address)
    party = world.open("contract owner", auth=wallet.address)
    world.fund(party, USDC)
    data = world.house.contract.encode("deposit", world.make_deposit(party, USDC).to_abi())
    with pytest.raises(Exception, match="GasTooLow|" + keccak(text="GasTooLow(uint256,uint256)")[:4].hex()):
        world.chain.w3.eth.call(
            {"to": world.house.contract.address, "data": data, "from": world.submitter, "gas": 300_000}
        )


def _send_raw(world: World, data: str, gas: int) -> int:
    """Gas that a transaction used, refused or not."""
    place = {"from": world.submitter, "to": world.house.contract.address, "data": data, "gas": gas}
    return world.chain.w3.eth.wait_for_transaction_receipt(world.chain.w3.eth.send_transaction(place))["gasUsed"]


# ------------------------------------------------------------------------------------------------------------- digests
@pytest.mark.property("P-135")
@pytest.mark.parametrize("kind", [kind for kind, rule in ACTION_RULES.items() if not rule.has_sides])
def test_the_view_gives_the_digest_that_is_signed(world, kind):
    rule, epoch = ACTION_RULES[kind], world.post(generation=1)
    action: Action = world.draft(
        kind,
        world.alice,
        epoch if rule.needs_epoch else None,
        cash_flow=rule.flow_sign * USDC - 3 * abs(rule.flow_sign),
        fee=3 * abs(rule.flow_sign),
        flows=world.flows(2 * rule.flow_sign),
        submitter=world.submitter,
    )
    request = ActionRequest.from_action(
        action, world.prove(action), b"", epoch.epoch_points if rule.needs_epoch else None
    )
    steps = 1 if rule.takes_steps else 0
    assert world.views.get_digest(kind, request, steps) == compute_digest(world.domain, action)
    if not rule.takes_steps:
        fields = refused("FieldNotTaken", world.views.get_digest, kind, request, 1)
        assert (fields["kind"], fields["field"].rstrip(b"\0")) == (kind, b"steps")


@pytest.mark.property("P-135")
def test_the_view_gives_both_digests_of_a_trade(world):
    first, second, epoch = world.pair()
    actions = world.draft_sides(first, second, epoch, fees=(3, 4))
    sides = [TradeSide.from_action(action, world.prove(action), b"") for action in actions]
    request = TradeRequest(actions[0].trade_tag, epoch.epoch_points.select("initial"), *sides)
    single = world.make_attest(first, epoch)
    assert refused("SidesWrong", world.views.get_digest, ActionKind.TRADE, single, 0)["hasSides"]
    assert world.views.get_digests(request) == tuple(compute_digest(world.domain, action) for action in actions)


def test_every_public_getter_is_in_the_interface():
    inherited = {"eip712Domain", "supportsInterface"}
    for name, interfaces in (
        ("ClearingHouse", ("IClearingHouse", "IAccountDesk", "IBatchDesk")),
        ("AccountDesk", ("IAccountDesk", "IAccountBook")),
        ("BatchDesk", ("IBatchDesk", "IAccountBook")),
        ("AccountViews", ("IAccountViews",)),
        ("WalletSignatures", ("IWalletSignatures",)),
    ):
        stated = set().union(*(_list_functions(interface) for interface in interfaces))
        assert _list_functions(name) - inherited == stated, name


def _list_functions(name: str) -> set[str]:
    return {item["name"] for item in compile_contracts()[name].abi if item["type"] == "function"}


def test_the_desk_serves_nobody_by_itself(world):
    """Called at its own address its storage is its own; the clearing house and it share one lock."""
    desk = Contract(world.chain, compile_contracts()["AccountDesk"], world.house.contract.call("DESK"))
    _, request = world.make_open("carol")
    for function, *arguments in (
        ("open", request.to_abi()),
        ("skip", world.alice.id),
        ("invalidate", 0, b"\7" * 32),
        ("invalidateFor", world.alice.auth, 0, b"\7" * 32, b""),
        ("confirm", world.alice.id, 1, []),
    ):
        refused("OnlyDelegated", desk.send, function, *arguments)


# --------------------------------------------------------------------------------------------------- returns, own calls
def test_a_caller_reads_what_happened(world):
    """As a contract sees it that calls the house: what comes back from each kind of action."""
    first, second, epoch = world.pair()
    house = world.house.contract
    call = lambda name, request: house.call(name, request.to_abi(), sender=world.submitter)  # noqa: E731
    assert call("deposit", world.make_deposit(first, 10, fee=3)) == 7
    assert call("withdraw", world.make_withdraw(first, epoch, 10, fee=3)) == -13
    assert call("trade", world.make_trade(first, second, epoch, fees=(3, 4))) == 7


def test_an_account_keeps_its_number_when_a_fork_changes_the_chains_id(world):
    """Numbers are made of the id at deployment; signatures are not, and count on one side of the fork only."""
    request = make_deposit(world)
    world.chain._request("anvil_setChainId", 4_242)
    try:
        assert world.chain.w3.eth.chain_id == 4_242
        assert bytes(world.house.contract.call("accountId", world.alice.auth, world.alice.index)) == world.alice.id
        refused("SignatureWrong", world.house.deposit, request)
    finally:
        world.chain._request("anvil_setChainId", world.domain.chain_id)
    world.house.deposit(request)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("AccountDesk", 0), ("AccountDesk", 1), ("AccountDesk", 2)] + [("BatchDesk", place) for place in range(4)],
)
def test_the_house_takes_desks_of_the_same_registry_oracle_verifier_and_wallets_only(world, wrong, name):
    deployment, chain = world.deployment, world.chain
    parts = [deployment.key_registry, deployment.risk_oracle, deployment.margin_verifier]
    house = world.house.contract
    given = [*parts, house.call("WALLETS")] if name == "BatchDesk" else parts
    others = [chain.accounts[6] if place == wrong else part for place, part in enumerate(given)]
    desk, _ = deploy_contract(chain, name, *others)
    desks = [desk.address, house.call("BATCHES")] if name == "AccountDesk" else [house.call("DESK"), desk.address]
    nonce = chain.w3.eth.get_transaction_count(chain.accounts[0])
    expected = compute_create_address(chain.accounts[0], nonce + 1)
    vault, _ = deploy_contract(
        chain, "CollateralVault", expected, deployment.risk_oracle, deployment.cash, [(8, deployment.weth, LOT)]
    )
    with pytest.raises(Reverted) as caught:
        deploy_contract(chain, "ClearingHouse", *parts, vault.address, *desks, [])
    assert (caught.value.error, caught.value.fields["part"]) == ("WiringWrong", desk.address)


def test_the_house_takes_a_vault_on_the_oracles_clock_only(world):
    """Else a pause would stop the actions and not the payments."""
    deployment, chain, house = world.deployment, world.chain, world.house.contract
    signers = [bytes.fromhex(address[2:]) for address in sorted(chain.accounts[:3], key=signer_id)]
    nobody = chain.accounts[0]
    other, _ = deploy_contract(chain, "RiskOracle", nobody, nobody, deployment.key_registry, 0, 0, signers, 2)
    nonce = chain.w3.eth.get_transaction_count(nobody)
    expected = compute_create_address(nobody, nonce + 1)
    vault, _ = deploy_contract(
        chain, "CollateralVault", expected, other.address, deployment.cash, [(8, deployment.weth, LOT)]
    )
    parts = [deployment.key_registry, deployment.risk_oracle, deployment.margin_verifier, vault.address]
    with reverts("WiringWrong", part=vault.address, named=other.address):
        deploy_contract(chain, "ClearingHouse", *parts, house.call("DESK"), house.call("BATCHES"), [])
