"""Ways to alter what a chain stores and what a node says, each of them one thing."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest

from zkmargin.audit import source
from zkmargin.audit.report import Report
from zkmargin.audit.source import Happened, Source
from zkmargin.contracts.chain import Chain
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.errors import DeploymentMismatch, Reverted
from zkmargin.prover._native import BASE_MODULUS


def ask(chain: Chain, method: str, *arguments: object) -> Any:
    """Answer of the node to a raw question."""
    return chain._request(method, *arguments)


def find_words(contract: Contract, function: str, *arguments: object) -> list[tuple[str, str]]:
    """(address, slot) of the words of storage that a view reads."""
    call = {"to": contract.address, "data": contract.encode(function, *arguments)}
    answer = ask(contract.chain, "eth_createAccessList", call, "latest")
    return [(item["address"], key) for item in answer["accessList"] for key in item["storageKeys"]]


def alter_storage(contract: Contract, function: str, *arguments: object, change: Callable[[int], int]) -> None:
    """Changes the first word that a view reads and that makes its answer another one."""
    before = contract.call(function, *arguments)
    for address, slot in find_words(contract, function, *arguments):
        held = int(ask(contract.chain, "eth_getStorageAt", address, slot, "latest"), 16)
        ask(contract.chain, "anvil_setStorageAt", address, slot, f"0x{change(held):064x}")
        ask(contract.chain, "evm_mine")
        with suppress(Reverted, DeploymentMismatch):  # a word that the view only checks, or finds its desk by
            if contract.call(function, *arguments) != before:
                return
        ask(contract.chain, "anvil_setStorageAt", address, slot, f"0x{held:064x}")
    raise AssertionError(f"no word changes the answer of {function}")


def alter_code(chain: Chain, address: str, change: Callable[[bytes], bytes]) -> None:
    """Puts other code at an address."""
    ask(chain, "anvil_setCode", address, "0x" + change(chain.get_code(address)).hex())
    ask(chain, "evm_mine")


def alter_events(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    change: Callable[[dict[str, Any]], Mapping[str, Any] | None],
) -> None:
    """A node that says other fields of the first event of that name, or nothing of it where `change` gives None."""
    honest = Contract.read_events

    def read_events(self: Contract, event: str, **options: Any) -> list[Mapping[str, Any]]:
        found = honest(self, event, **options)
        if event != name:
            return found
        changed = change(dict(found[0]["args"]))
        return [*([] if changed is None else [{**found[0], "args": changed}]), *found[1:]]

    monkeypatch.setattr(Contract, "read_events", read_events)


def insert_event(
    monkeypatch: pytest.MonkeyPatch, part: str, name: str, fields: Mapping[str, Any], *, before: str
) -> None:
    """A node that says one more event, directly before the first of another name; that the contracts went on after it
    is then against their own code."""
    honest = Source.happened.func

    def happened(self: Source) -> list[Happened]:
        events = honest(self)
        index = next(index for index, event in enumerate(events) if event.name == before)
        return [*events[:index], Happened(part, name, fields, events[index].place), *events[index:]]

    monkeypatch.setattr(Source, "happened", property(happened))


def alter_calls(monkeypatch: pytest.MonkeyPatch, function: str, change: Callable[[dict[str, Any]], None]) -> None:
    """A node that says other calldata of every transaction that calls `function`."""
    honest = source._decode

    def decode(contract: Contract, sent: Mapping[str, Any]) -> source.Call:
        call = honest(contract, sent)
        if call.function == function:
            assert isinstance(call.arguments, dict)
            change(call.arguments)
        return call

    monkeypatch.setattr(source, "_decode", decode)


def negate_c(proof: Sequence[int]) -> tuple[int, ...]:
    """Another point of the curve in the place of C."""
    return (*proof[:7], BASE_MODULUS - proof[7])


def require_found(report: Report, check: str, words: str) -> None:
    """That a disagreement of that check says all of the words."""
    texts = [f"{item.check}: {item}" for item in report.disagreements]
    assert any(item.check == check and words in str(item) for item in report.disagreements), texts
