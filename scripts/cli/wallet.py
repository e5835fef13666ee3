"""`zkmargin wallet`: encrypted keys on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.connection import KEY_VARIABLE, PasswordFile, WalletOptions, read_password, with_options
from zkmargin.scripts.cli.options import AsJson, DeploymentFile, RpcUrl

app = typer.Typer(help="Wallets: encrypted key files, and gas for them on a development chain.", no_args_is_help=True)

OutFile = Annotated[Path, typer.Option(help="New file for the encrypted key, mode 0600.")]
GAS_WEI = 10 * 10**18
"""What `wallet gas` sends: 10 ETH of a development chain."""


def _show(address: str, written: Path | None, as_json: bool) -> None:
    document = {"address": address} | ({"written": str(written)} if written else {})
    console.show_values("Wallet", document, as_json)


@app.command("new")
def create(out: OutFile, password_file: PasswordFile = None, as_json: AsJson = False) -> None:
    """Make a fresh key and encrypt it to a new file. Keep a copy: wallet and chain together are the whole backup.

    Example: zkmargin wallet new --out alice.json
    """
    from zkmargin.scripts.cli.inputs import require_writable
    from zkmargin.venue.keystore import create_keystore

    require_writable(out)
    _show(create_keystore(out, read_password(password_file)), out, as_json)


@app.command("import")
def import_key(out: OutFile, password_file: PasswordFile = None, as_json: AsJson = False) -> None:
    """Encrypt the private key of the environment variable ZKMARGIN_PRIVATE_KEY to a new file.

    Example: zkmargin wallet import --out alice.json
    """
    from zkmargin.scripts.cli.inputs import require_writable
    from zkmargin.venue.keystore import create_keystore
    from zkmargin.venue.signers import read_environment_wallet

    require_writable(out)
    wallet = read_environment_wallet(KEY_VARIABLE)
    _show(create_keystore(out, read_password(password_file), wallet), out, as_json)


@app.command("address")
@with_options(WalletOptions)
def show_address(options: WalletOptions, as_json: AsJson = False) -> None:
    """The address of a wallet.

    Example: zkmargin wallet address --keystore alice.json
    """
    _show(options.read().address, None, as_json)


@app.command("gas")
def send_gas(
    address: Annotated[str, typer.Option(help="Who receives.")],
    rpc_url: RpcUrl = "http://127.0.0.1:8545",
    as_json: AsJson = False,
) -> None:
    """Send 10 ETH of a development node's first account, so that a fresh wallet can pay for transactions.

    Example: zkmargin wallet gas --address 0x7099…79C8
    """
    from zkmargin.contracts.chain import Chain, require_accounts, require_development_chain
    from zkmargin.engine.errors import WrongKind
    from zkmargin.prover.messages.fields import to_address

    try:
        recipient = to_address(address)
    except ValueError as error:
        raise WrongKind("address", address, str(error)) from None
    chain = Chain(rpc_url)
    require_development_chain(chain, "gas of the node")
    require_accounts(chain, 1)
    receipt = chain.send(recipient, "0x", name="wallet gas", value=GAS_WEI)
    document = {"address": recipient, "wei": str(GAS_WEI), "transaction": receipt.transaction_hash}
    console.show_values("Gas sent", document, as_json)


@app.command("descriptors")
def write_descriptors(
    out: Annotated[Path, typer.Option(help="Folder for the two files, one for each contract that reads signatures.")],
    deployment: DeploymentFile = Path("deployment.json"),
    as_json: AsJson = False,
) -> None:
    """What a wallet shows of each message before it is signed (ERC-7730), bound to one deployment.

    Example: zkmargin wallet descriptors --deployment deployment.json --out descriptors
    """
    import json

    from zkmargin.contracts.deployment import Deployment
    from zkmargin.prover.messages.clear_signing import describe_messages
    from zkmargin.scripts.cli.inputs import make_folder, require_writable

    descriptors = describe_messages(Deployment.load(deployment).domain)
    files = {name: make_folder(out) / f"eip712-{name}.json" for name in descriptors}
    for path in files.values():
        require_writable(path, deployment)
    for name, path in files.items():
        path.write_text(json.dumps(descriptors[name], indent=2) + "\n")
    document = {name: str(path) for name, path in files.items()}
    console.show_values("Descriptors", document, as_json)
