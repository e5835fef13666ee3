"""Options that every command with a wallet at a venue has: where the venue is, and who signs.

`with_wallet` gives a command these options and hands it a `Connection`. Each may come from the environment, so that a
session names them once.
"""

from __future__ import annotations

import inspect
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from zkmargin.scripts.cli.options import DeploymentFile, RpcUrl

if TYPE_CHECKING:
    from zkmargin.contracts.chain import Chain
    from zkmargin.contracts.sending import Sender
    from zkmargin.contracts.trading import Trader
    from zkmargin.contracts.venue import Contracts
    from zkmargin.prover.messages.wallet import Signer, Wallet
    from zkmargin.prover.statement.secret import Secret
    from zkmargin.venue.node import Node

KEY_VARIABLE = "ZKMARGIN_PRIVATE_KEY"
"""Environment variable that holds a private key, 0x-hex."""
PRIVATE_MODE = 0o600
"""Of a file whose content is secret."""
PASSWORD_VARIABLE = "ZKMARGIN_PASSWORD"
"""Environment variable that holds the password of keystores."""

Keystore = Annotated[
    Path | None,
    typer.Option(
        envvar="ZKMARGIN_KEYSTORE",
        help=f"Encrypted wallet file (Web3 secret storage). Without it the private key in {KEY_VARIABLE} is taken.",
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        envvar="ZKMARGIN_PASSWORD_FILE",
        help=f"File whose first line is the keystore's password; else {PASSWORD_VARIABLE}, else it is asked for.",
    ),
]
SignerUrl = Annotated[
    str | None, typer.Option(help="URL of an external signer (eth_signTypedData_v4, eth_sendTransaction).")
]
SignerAddress = Annotated[str | None, typer.Option("--signer", help="Address whose key the external signer holds.")]


@dataclass(frozen=True)
class WalletOptions:
    """Who signs."""

    keystore: Keystore = None
    password_file: PasswordFile = None
    signer_url: SignerUrl = None
    signer: SignerAddress = None

    def read(self) -> Signer:
        """The wallet: an external signer's, a keystore's, or the environment's.

        Raises
        ------
        WalletUnusable, KeystoreRefused
            If none is named, or the one that is named gives no key.
        """
        from zkmargin.venue.errors import WalletUnusable
        from zkmargin.venue.signers import RpcSigner

        if self.signer_url and self.signer:
            return RpcSigner(self.signer_url, self.signer)
        if self.signer_url or self.signer:
            raise WalletUnusable("one of --signer-url and --signer", "both")
        return self.read_key()

    def read_key(self) -> Wallet:
        """The wallet whose key is here: a keystore's, or the environment's; raises as `read`."""
        from zkmargin.venue.errors import WalletUnusable
        from zkmargin.venue.keystore import open_keystore
        from zkmargin.venue.signers import read_environment_wallet

        if self.keystore is not None:
            return open_keystore(self.keystore, read_password(self.password_file))
        if not os.environ.get(KEY_VARIABLE):
            raise WalletUnusable("nowhere", f"--keystore FILE, {KEY_VARIABLE} in the environment, or --signer-url URL")
        return read_environment_wallet(KEY_VARIABLE)

    def make_sender(self, wallet: Signer, chain: Chain) -> Sender:
        """What pays with that wallet."""
        from zkmargin.contracts.sending import ExternalSender, LocalSender
        from zkmargin.prover.messages.wallet import Wallet
        from zkmargin.venue.signers import PATIENCE

        if isinstance(wallet, Wallet):
            return LocalSender(wallet.account, chain.id)
        return ExternalSender(str(self.signer_url), wallet.address, timeout=PATIENCE)


@dataclass(frozen=True)
class Connection(WalletOptions):
    """Where the venue is, who signs, and which account is meant."""

    deployment: DeploymentFile = Path("deployment.json")
    rpc_url: RpcUrl = "http://127.0.0.1:8545"
    state: Annotated[
        Path, typer.Option(envvar="ZKMARGIN_STATE", help="Folder for the accounts' states, readable by you alone.")
    ] = Path("zkmargin-state")
    index: Annotated[int, typer.Option(help="Which of the wallet's accounts.")] = 0
    key_file: Annotated[
        Path | None, typer.Option(help="Viewing key of a wallet that cannot derive one, as `key` files have it.")
    ] = None

    @contextmanager
    def join(self) -> Iterator[tuple[Node, Signer]]:
        """The venue, with the state folder held, and the wallet."""
        from zkmargin.contracts.chain import Chain
        from zkmargin.venue.node import Node

        wallet = self.read()
        sender = self.make_sender(wallet, Chain(self.rpc_url))
        node = Node.join(self.rpc_url, self.deployment, payer=sender, folder=self.state)
        with node.book.hold():
            yield node, wallet

    @contextmanager
    def resume(self) -> Iterator[tuple[Node, Trader]]:
        """The venue, and the account as the chain has it."""
        with self.join() as (node, wallet):
            yield node, node.resume(wallet, index=self.index, key=self.read_viewing_key())

    def read_viewing_key(self) -> Secret | None:
        """The key of `--key-file`, None where the wallet derives it."""
        from zkmargin.prover.account.key_file import load_key_file

        return load_key_file(self.key_file)[1] if self.key_file else None


def connect_contracts(rpc_url: str, deployment: Path) -> Contracts:
    """A deployment's contracts, for a command that has no wallet."""
    from zkmargin.contracts.chain import Chain
    from zkmargin.contracts.deployment import Deployment
    from zkmargin.contracts.venue import Contracts

    return Contracts.connect(Chain(rpc_url), Deployment.load(deployment))


def read_password(file: Path | None) -> str:
    """A keystore's password: the first line of a file, else the environment's, else what is typed.

    Raises
    ------
    WalletUnusable
        If others than the file's owner may read it.
    """
    from zkmargin.engine.files import read_text
    from zkmargin.venue.errors import WalletUnusable

    if file is not None:
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else PRIVATE_MODE
        if mode & 0o077:
            raise WalletUnusable(f"password file {file}, of mode {mode:04o}", "0600, readable by its owner alone")
        return (read_text(file).splitlines() or [""])[0]
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    return str(typer.prompt("Password", hide_input=True, err=True))


def with_options(kind: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options that the fields of `kind` declare; it gets them as its first argument."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())[1:]
        hints = get_type_hints(command, include_extras=True)
        shared = get_type_hints(kind, include_extras=True, localns=vars(sys.modules[kind.__module__]))

        @wraps(command)
        def run(**values: Any) -> None:
            given = kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            command(given, **values)

        parameters = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[item.name]) for item in own]
        parameters += [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=shared[field.name]
            )
            for field in fields(kind)
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {item.name: item.annotation for item in parameters} | {"return": None}
        return run

    return decorate


with_wallet = with_options(Connection)
