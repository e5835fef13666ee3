"""A vault without a clearing house: an account of the node stands for it, and a test absorbs and releases at will."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from eth_utils import keccak
from eth_utils.abi import abi_to_signature

from tests.support.world import World
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.vault import CollateralVault, Payment, Token
from zkmargin.prover.messages.fields import ZERO_ADDRESS

SLOT = 1
"""Slot of the collateral."""
SUPPLY = 10**9


def make_vault(world: World, token: Token | str, lot: int = 1) -> tuple[CollateralVault, Token]:
    """A vault whose only collateral is the token, or a new one of that contract, of which the funder has `SUPPLY`."""
    if isinstance(token, str):
        token = Token(deploy_contract(world.chain, token)[0])
    contract, _ = deploy_contract(
        world.chain, "CollateralVault", get_house(world), world.oracle.contract.address, world.cash.address,
        [(SLOT, token.address, lot)],
    )  # fmt: skip
    token.mint(world.funder, SUPPLY)
    token.approve(contract.address, 2**256 - 1, sender=world.funder)
    return CollateralVault(contract), token


def get_house(world: World) -> str:
    """The account that stands for the clearing house."""
    return world.chain.accounts[9]


def absorb(world: World, vault: CollateralVault, token: Token, amount: int) -> None:
    """The hidden accounts hold that many units more, of the account number of zeros."""
    vault.fund(bytes(32), token.address, amount, sender=world.funder)
    vault.contract.send("absorb", bytes(32), 0, [(SLOT, amount)], sender=get_house(world))


def release(world: World, vault: CollateralVault, recipient: str, amount: int) -> Payment:
    """The payment of that many units."""
    receipt = vault.contract.send("release", bytes(32), recipient, 0, [(SLOT, -amount)], sender=get_house(world))
    [payment] = vault.find_queued(receipt)
    return payment


def pass_until(world: World, payments: Sequence[Payment]) -> None:
    """Goes on until the last of the payments is due; without a pause the live clock is as far as the block's."""
    left = max(payment.due_at for payment in payments) - world.oracle.get_live_time()
    if left > 0:
        world.chain.travel(left)


def get_dead_end(world: World, name: str) -> str:
    """An address where tokens would be lost."""
    house, vault = world.house.contract.address, world.vault.contract.address
    return {"zero": ZERO_ADDRESS, "vault": vault, "house": house}[name]


def compute_interface_id(name: str) -> bytes:
    """ERC-165: the selectors of an interface's own functions, combined by exclusive or."""
    functions = [item for item in compile_contracts()[name].abi if item["type"] == "function"]
    selectors = [int.from_bytes(keccak(text=abi_to_signature(item))[:4], "big") for item in functions]
    return reduce(int.__xor__, selectors).to_bytes(4, "big")
