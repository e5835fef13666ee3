"""Errors of the bindings, one tree. Every error says which value was refused and what is allowed, in words and in
fields. Of a node's URL they show scheme, host and port: path, query and password may be a key.

ContractsError             below `engine.errors.ZkMarginError`
├── SetupFailed            npm is missing, or could not install the tools                    (tool, reason)
├── CompilationFailed      the Solidity compiler is missing or complained                     (messages)
├── ChainUnavailable       no node answers, or the development node did not start             (url, reason)
├── ChainReorganised       a block was replaced while it was read                             (url, block, attempts)
├── AccountsMissing        a node that holds too few accounts to send from                    (url, needed, held)
├── TransactionPending     sent, and not seen mined in time                    (transaction_hash, seconds, call, reason)
├── DeploymentMismatch     a node's chain is not the deployment's                             (what, found, expected)
│   └── RegistrationMismatch  the registry's key version is not what the keys give   (version, what, found, expected)
├── AnswerMalformed        an answer or a log that the contract's interface does not have     (what, reason)
├── NotADevelopmentChain   insecure keys, or another shortcut, on a chain that is none        (chain_id, allowed, what)
├── KeyUnusable            a verification key that cannot be laid out for the registry        (what, value, allowed)
├── MessageInvalid         a typed message with a field that its type does not hold     (message, field, value, allowed)
├── FreezeNotFinal         an account that no share may be given for yet       (account, status, final_block)
├── CallInvalid            an argument of a binding outside its range                         (what, value, allowed)
└── Reverted               a contract refused; carries the custom error's name and its fields (error, fields, call)
    └── AccountStale       an action starts from another state than the stored one           (account, expected, stored)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from eth_utils.crypto import keccak

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
        self.url, self.reason = hide_path(url), hide_paths(reason)
        super().__init__(f"no usable chain at {self.url}: {self.reason}")


class ChainReorganised(ContractsError):
    """The block that a read was fixed to was replaced while it was read, each of several times."""

    def __init__(self, url: str, block: int, attempts: int):
        self.url, self.block, self.attempts = hide_path(url), block, attempts
        super().__init__(f"the chain at {self.url} replaced block {block} while it was read, {attempts} times in a row")


class AccountsMissing(ContractsError):
    """The node holds the keys of too few accounts to send from."""

    def __init__(self, url: str, needed: int, held: int):
        self.url, self.needed, self.held = hide_path(url), needed, held
        super().__init__(
            f"the node at {self.url} holds the keys of {held} accounts; needed: {needed} or more to send from"
        )


class TransactionPending(ContractsError):
    """A transaction was sent and not seen mined; it may be mined later."""

    def __init__(self, transaction_hash: str, seconds: float, call: str, reason: str):
        self.transaction_hash, self.seconds, self.call, self.reason = transaction_hash, seconds, call, reason
        super().__init__(
            f"{call}: transaction {transaction_hash} was sent and not seen mined within {seconds:g} s ({reason}); "
            "it may be mined later"
        )


class DeploymentMismatch(ContractsError):
    """A node's chain is not the one that a deployment's record is of."""

    def __init__(self, what: str, found: object, expected: str):
        self.what, self.found, self.expected = what, found, expected
        super().__init__(f"{what} is {found}; allowed: {expected}")


class RegistrationMismatch(DeploymentMismatch):
    """A key version of the registry is not what the keys give: nothing proved under it can be trusted."""

    def __init__(self, version: int, what: str, found: object, expected: object):
        self.version = version
        super().__init__(f"{what} of key version {version}", _brief(found), f"{_brief(expected)}, as the keys give")


class AnswerMalformed(ContractsError):
    """A contract or a node answered with what the contract's interface does not have."""

    def __init__(self, what: str, reason: str):
        self.what, self.reason = what, reason
        super().__init__(f"{what}: {reason}")


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


class FreezeNotFinal(ContractsError):
    """No member of the committee gives a share for an account that is not frozen in a final block."""

    def __init__(self, account: bytes, status: str, final_block: int):
        self.account, self.status, self.final_block = account, status, final_block
        super().__init__(
            f"account 0x{account.hex()} is {status}; allowed: frozen now and in the last final block, {final_block}"
        )


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


class AccountStale(Reverted):
    """An action starts from another state of the account than the chain stores: the account has moved since."""

    def __init__(self, account: bytes, expected: int, stored: int, call: str):
        self.account, self.expected, self.stored = account, expected, stored
        super().__init__("CommitmentStale", {"account": account, "expected": expected, "stored": stored}, call)


def hide_path(url: str) -> str:
    """A URL as scheme://host:port: what else it holds may be a key of its service. A name that is no URL stays."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a URL that is malformed"
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}" if host else "a URL without a host"


def hide_paths(text: str) -> str:
    """A library's message without the paths that it names: of whole URLs, and after "url: " as urllib3 writes them."""
    whole = re.sub(r"[a-z][a-z0-9+.-]*://[^\s'\")]+", lambda found: hide_path(found[0]), text, flags=re.IGNORECASE)
    return re.sub(r"(\burl: )/[^\s'\")]*", r"\1/…", whole)


def _brief(value: object) -> str:
    """A word as hex, longer bytes by their number and hash."""
    if isinstance(value, bytes) and len(value) > 32:
        return f"{len(value)} bytes of keccak256 0x{keccak(value).hex()}"
    return _show(value)


def _show(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
