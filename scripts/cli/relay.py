"""`zkmargin relay`: the documents of a trade from party to party, encrypted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.connection import WalletOptions, with_options
from zkmargin.scripts.cli.options import AsJson

app = typer.Typer(help="Documents of a trade from party to party, encrypted to the addressee.", no_args_is_help=True)

Url = Annotated[str, typer.Option(envvar="ZKMARGIN_RELAY", help="URL of the relay.")]
KeyFile = Annotated[Path, typer.Option("--relay-key", help="File of this party's relay key, mode 0600.")]
DEFAULT_URL = "http://127.0.0.1:8800"
DEFAULT_KEY = Path("relay-key.json")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=0, max=65535)] = 8800,
) -> None:
    """Hold published keys and sealed boxes for an hour. It can read none of them.

    Example: zkmargin relay serve --port 8800
    """
    import uvicorn

    from zkmargin.venue.relay.server import Post, make_relay

    uvicorn.run(make_relay(Post()), host=host, port=port, access_log=False, log_level="warning")


@app.command()
@with_options(WalletOptions)
def publish(
    options: WalletOptions, relay: Url = DEFAULT_URL, relay_key: KeyFile = DEFAULT_KEY, as_json: AsJson = False
) -> None:
    """Let others write to this wallet's address; makes a relay key where the file is not there yet.

    Example: zkmargin relay publish --keystore bob.json
    """
    from zkmargin.venue.relay.boxes import RelayKey
    from zkmargin.venue.relay.client import RelayClient

    wallet = options.read_key()
    key = RelayKey.load(relay_key) if relay_key.exists() else RelayKey.create(relay_key)
    RelayClient.connect(relay).publish(key, wallet)
    console.show_values("Relay", {"address": wallet.address, "key": key.public}, as_json)


@app.command()
def send(
    to: Annotated[str, typer.Option(help="Address of the party that it is for.")],
    file: Annotated[Path, typer.Option(help="request.json, quote.json or accepted.json.")],
    relay: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Seal a file to a party's published key and hand it to the relay.

    Example: zkmargin relay send --to 0x… --file quote.json
    """
    from zkmargin.engine.files import read_text
    from zkmargin.venue.relay.client import RelayClient

    console.show_values("Relay", {"box": RelayClient.connect(relay).send(read_text(file), to)}, as_json)


@app.command()
def receive(
    address: Annotated[str, typer.Option(help="This party's address.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for the documents, one file each.")],
    after: Annotated[int, typer.Option(help="Last box that was received.", min=0)] = 0,
    relay: Url = DEFAULT_URL,
    relay_key: KeyFile = DEFAULT_KEY,
    as_json: AsJson = False,
) -> None:
    """Open what was sent to this party. Nothing is believed of it: the steps of a trade check every signature.

    Example: zkmargin relay receive --address 0x… --out inbox
    """
    from zkmargin.engine.files import PRIVATE, write_whole
    from zkmargin.scripts.cli.inputs import make_folder
    from zkmargin.venue.relay.boxes import RelayKey
    from zkmargin.venue.relay.client import RelayClient

    key, inbox = RelayKey.load(relay_key), make_folder(folder)
    documents, last = RelayClient.connect(relay).receive(key, address, after)
    paths = [inbox / f"{last}-{place}.json" for place in range(1, len(documents) + 1)]
    for path, document in zip(paths, documents, strict=True):
        write_whole(path, document + "\n", mode=PRIVATE)
    console.show_values("Relay", {"files": [str(path) for path in paths], "after": last}, as_json)
