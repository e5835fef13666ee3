"""`zkmargin deploy`: the contracts of a venue on a chain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.connection import KEY_VARIABLE, WalletOptions, with_options
from zkmargin.scripts.cli.options import AsJson, PresetName, RpcUrl

if TYPE_CHECKING:
    from zkmargin.contracts.chain import Chain


@with_options(WalletOptions)
def deploy(
    options: WalletOptions,
    publisher: Annotated[list[str], typer.Option(help="Address of a risk publisher; at least three, repeat.")],
    threshold: Annotated[int, typer.Option(help="Publishers whose signatures make an epoch; more than half.")],
    out: Annotated[Path, typer.Option(help="Where the record of the deployment goes.")] = Path("deployment.json"),
    rpc_url: RpcUrl = "http://127.0.0.1:8545",
    preset: Annotated[PresetName, typer.Option(help="Size of the statement.")] = PresetName.STANDARD,
    generation: Annotated[int, typer.Option(help="Listing version to begin with, the market's.")] = 0,
    owner: Annotated[str | None, typer.Option(help="Owner of registry and oracle; by default who deploys.")] = None,
    guardian: Annotated[str | None, typer.Option(help="Who may pause and veto; by default who deploys.")] = None,
    cash: Annotated[str | None, typer.Option(help="USDC's address; by default a test token.")] = None,
    weth: Annotated[str | None, typer.Option(help="WETH's address; by default a test token.")] = None,
    activation_delay: Annotated[int, typer.Option(help="Seconds until a later key version is live.")] = 0,
    settlement_delay: Annotated[int, typer.Option(help="Seconds until a settlement serves.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Deploy key registry, oracle, vault, clearing house and its desks, register the keys, write the addresses.

    Who deploys is the wallet that is named, else the node's first account. Development keys, test tokens and the short
    delays that are the defaults here are refused on any chain that is not for development.

    Example: zkmargin deploy --publisher 0xA… --publisher 0xB… --publisher 0xC… --threshold 2 --out deployment.json
    """
    from zkmargin.contracts import deploy as deploying
    from zkmargin.contracts.chain import Chain
    from zkmargin.contracts.venue_keys import load_venue_keys
    from zkmargin.engine.errors import WrongKind
    from zkmargin.prover.messages.fields import to_address
    from zkmargin.scripts.cli.inputs import require_writable

    require_writable(out)
    for address in publisher:
        try:
            to_address(address)
        except ValueError as error:
            raise WrongKind("publisher", address, str(error)) from None
    if (cash is None) != (weth is None):
        raise typer.BadParameter("--cash and --weth are given together or not at all")
    chain = Chain(rpc_url)
    _use_wallet(options, chain)
    keys = load_venue_keys(preset.value)
    record = deploying.deploy(
        chain,
        keys.material,
        publisher,
        threshold=threshold,
        generation=generation,
        owner=owner,
        guardian=guardian,
        activation_delay=activation_delay,
        settlement_delay=settlement_delay,
        tokens={"cash": cash, "weth": weth} if cash and weth else None,
    )
    record.save(out)
    document = {
        "deployment": str(out),
        "chain_id": record.chain_id,
        "clearing_house": record.clearing_house,
        "risk_oracle": record.risk_oracle,
        "collateral_vault": record.collateral_vault,
        "key_registry": record.key_registry,
        "key_hash": "0x" + keys.transition.verifying_key.hash.hex(),
        "block": chain.get_block("latest").number,
    }
    console.show_values("Deployed", document, as_json)


def _use_wallet(options: WalletOptions, chain: Chain) -> None:
    """Sends from the wallet that is named, if one is."""
    import os

    if options.keystore or options.signer_url or options.signer or os.environ.get(KEY_VARIABLE):
        chain.use_sender(options.make_sender(options.read(), chain))
