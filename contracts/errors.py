"""Errors of the bindings, one tree. Every error says which value was refused and what is allowed, in words and in
fields.

ContractsError             below `engine.errors.ZkMarginError`
├── SetupFailed            npm is missing, or could not install the tools                    (tool, reason)
├── CompilationFailed      the Solidity compiler is missing or complained                     (messages)
├── ChainUnavailable       no node answers, or the development node did not start             (url, reason)
├── NotADevelopmentChain   insecure keys, or another shortcut, on a chain that is none        (chain_id, allowed, what)
├── KeyUnusable            a verification key that cannot be laid out for the registry        (what, value, allowed)
├── MessageInvalid         a typed message with a field that its type does not hold     (message, field, value, allowed)
├── CallInvalid            an argument of a binding outside its range                         (what, value, allowed)
└── Reverted               a contract refused; carries the custom error's name and its fields (error, fields, call)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zkmargin.engine.errors import ZkMarginError


class ContractsError(ZkMarginError):
    """Root of everything that the bindings raise on purpose."""


class SetupFailed(ContractsError):
    """npm is missing, or could not install the tools that compile circuits and contracts."""

    def __init__(self, tool: str, reason: str):
        self.tool, self.reason = tool, reason
        super().__init__(f"{tool}: {reason}")


class CompilationFailed(ContractsError):
    """The compiler is missing, or reported an error or a warning."""

    def __init__(self, messages: Iterable[str]):
        self.messages = tuple(messages)
        super().__init__("\n".join(self.messages))


class ChainUnavailable(ContractsError):
    """No node answers at `url`, or the development node did not start."""

    def __init__(self, url: str, reason: str):
        self.url, self.reason = url, reason
        super().__init__(f"no usable chain at {url}: {reason}")


class NotADevelopmentChain(ContractsError):
    """Development keys, whose secrets this machine knew, or another shortcut would have been used on a chain with real
    value."""

    def __init__(self, chain_id: int, allowed: Iterable[int], what: str = "insecure keys"):
        self.chain_id, self.allowed, self.what = chain_id, tuple(allowed), what
        shown = ", ".join(map(str, self.allowed))
        super().__init__(f"chain id {chain_id} is not a development chain; {what}: allowed on {shown} only")


class KeyUnusable(ContractsError):
    """A verification key that cannot be laid out for the registry."""

    def __init__(self, what: str, value: object, allowed: str):
        self.what, self.value, self.allowed = what, value, allowed
        super().__init__(f"{what} is {value}; allowed: {allowed}")


class MessageInvalid(ContractsError, ValueError):
    """A field of a typed message does not fit its type."""

    def __init__(self, message: str, field: str, value: object, allowed: str):
        self.message, self.field, self.value, self.allowed = message, field, value, allowed
        super().__init__(f"{message}.{field} is {value!r}; allowed: {allowed}")


class CallInvalid(ContractsError, ValueError):
    """An argument of a binding is outside its range."""

    def __init__(self, what: str, value: object, allowed: str):
        self.what, self.value, self.allowed = what, value, allowed
        super().__init__(f"{what} is {value!r}; allowed: {allowed}")


class Reverted(ContractsError):
    """A contract refused a call. `error` is the custom error's name (or "Error" or "Panic" of the language), `fields`
    its values by name."""

    def __init__(self, error: str, fields: Mapping[str, object], call: str):
        self.error, self.fields, self.call = error, dict(fields), call
        shown = ", ".join(f"{name}={_show(value)}" for name, value in self.fields.items())
        super().__init__(f"{call} refused: {error}({shown})")


def _show(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
