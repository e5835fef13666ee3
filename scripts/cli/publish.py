"""`zkmargin publish`: one risk epoch from a market to the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.connection import PasswordFile, read_password
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, DeploymentFile, Market, MarketPreset, RpcUrl


def publish(
    publisher_keystore: Annotated[
        list[Path], typer.Option(help="Encrypted wallet of a publisher; as many as the threshold or more, repeat.")
    ],
    market: Market = DEFAULT_MARKET,
    preset: MarketPreset = None,
    deployment: DeploymentFile = Path("deployment.json"),
    rpc_url: RpcUrl = "http://127.0.0.1:8545",
    password_file: PasswordFile = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Date a recorded market as of now; development chains only.")
    ] = False,
    urgent: Annotated[bool, typer.Option("--urgent", help="Revoke earlier epochs at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the next epoch, check it after the last one, sign it by each publisher, post it with its snapshot.

    The first publisher's wallet pays. One password opens all keystores.

    Example: zkmargin publish --market market.json --publisher-keystore p1.json --publisher-keystore p2.json
    """
    from zkmargin.contracts.chain import Chain
    from zkmargin.contracts.deployment import Deployment
    from zkmargin.contracts.venue import Contracts
    from zkmargin.scripts.cli.inputs import load_market
    from zkmargin.venue.keystore import open_keystore
    from zkmargin.venue.publishing import PublishingTerms, publish_epoch

    snapshot = load_market(market, preset)
    password = read_password(password_file)
    wallets = [open_keystore(path, password) for path in publisher_keystore]
    chain = Chain(rpc_url)
    chain.use_signer(wallets[0])
    contracts = Contracts.connect(chain, Deployment.load(deployment))
    terms = PublishingTerms.read(contracts, snapshot.listing.preset)
    epoch, receipt = publish_epoch(terms, snapshot, wallets, replay=replay, urgent=urgent)
    document = {
        "number": epoch.number,
        "time": epoch.time,
        "listing_version": epoch.generation,
        "snapshot_hash": "0x" + epoch.snapshot_hash.hex(),
        "policy_hash": "0x" + epoch.policy_hash.hex(),
        "source": epoch.snapshot.source,
        "signatures": len(wallets),
        "transaction": receipt.transaction_hash,
        "gas_used": receipt.gas_used,
    }
    console.show_values("Posted", document, as_json)
