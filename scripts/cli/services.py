"""`zkmargin publisher`, `keeper`, `watchtower`, `indexer`, `api` and `devnet`: the processes of a venue."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.connection import WalletOptions, connect_contracts, with_options
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, DeploymentFile, PresetName, RpcUrl

if TYPE_CHECKING:
    from zkmargin.venue.devnet import Supervisor
    from zkmargin.venue.market_source import MarketSource
    from zkmargin.venue.publishing import PublishingTerms

app = typer.Typer(
    help="A development network in one folder: chain, contracts, publishers, keeper.", no_args_is_help=True
)

Source = Annotated[
    str,
    typer.Option(
        "--source", help="A shipped market's name, a file that may change, or a folder of files, one an epoch."
    ),
]
Database = Annotated[
    str,
    typer.Option(envvar="ZKMARGIN_DATABASE", help="URL of the index: sqlite:///FILE or postgresql://USER@HOST/NAME."),
]
DEFAULT_DATABASE = "sqlite:///index.db"
Size = Annotated[PresetName, typer.Option(help="Size of the deployment's statement.")]
Folder = Annotated[Path, typer.Option("--dir", help="The network's folder.")]


@dataclass(frozen=True)
class ServiceOptions(WalletOptions):
    """Where a service works, and with which wallet and market."""

    deployment: DeploymentFile = Path("deployment.json")
    rpc_url: RpcUrl = "http://127.0.0.1:8545"
    market: Source = DEFAULT_MARKET
    preset: Size = PresetName.STANDARD
    replay: Annotated[
        bool, typer.Option("--replay", help="Date recorded markets as of now; development chains only.")
    ] = False

    def connect(self) -> tuple[PublishingTerms, MarketSource]:
        """The deployment, after every check of its keys, with the wallet paying; and the source of markets."""
        from zkmargin.contracts.chain import Chain
        from zkmargin.contracts.deployment import Deployment
        from zkmargin.contracts.venue import Contracts
        from zkmargin.engine.presets import get_preset
        from zkmargin.venue.market_source import MarketSource
        from zkmargin.venue.publishing import PublishingTerms

        size = get_preset(self.preset.value)
        source, chain = MarketSource(self.market, size), Chain(self.rpc_url)
        chain.use_sender(self.make_sender(self.read(), chain))
        return PublishingTerms.read(Contracts.connect(chain, Deployment.load(self.deployment)), size), source


@with_options(ServiceOptions)
def publisher(
    options: ServiceOptions,
    journal: Annotated[Path, typer.Option(help="File that remembers what was signed.")] = Path("signed.json"),
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=0, max=65535)] = 8600,
) -> None:
    """Sign, over HTTP, the epochs that this publisher's own market source gives, after every check, until it is ended.

    Example: zkmargin publisher --keystore p1.json --source market.json --journal p1.signed.json --port 8601
    """
    from zkmargin.venue.publisher_service import SigningService, make_server

    terms, source = options.connect()
    service = SigningService(terms, options.read(), source, journal, replay=options.replay)
    with make_server(service, host, port) as server:
        console.err.print(f"publisher {service.health['signer']} at http://{host}:{server.server_address[1]}")
        server.serve_forever()


@with_options(ServiceOptions)
def keeper(
    options: ServiceOptions,
    publisher: Annotated[list[str], typer.Option(help="URL of a publisher's service; repeat.")],
    interval: Annotated[float, typer.Option(help="Seconds between epochs.", min=0.1)] = 60.0,
    rounds: Annotated[int, typer.Option(help="Rounds, then end; 0 goes on.", min=0)] = 0,
    checkpoints: Annotated[
        Path | None, typer.Option(help="Folder that remembers how far the events were read; may be deleted.")
    ] = None,
) -> None:
    """Carry an epoch each interval, make payments that are due, take sleepers to the listing in force.

    Example: zkmargin keeper --keystore keeper.json --publisher http://127.0.0.1:8601 --publisher http://127.0.0.1:8602
    """
    from zkmargin.venue.keeper import Keeper

    terms, source = options.connect()
    worker = Keeper(terms, source, publisher, options.replay, checkpoints)
    worker.run(
        lambda duty, outcome: console.err.print(f"{duty}: {outcome}", soft_wrap=True), interval=interval, rounds=rounds
    )


@with_options(WalletOptions)
def watchtower(
    options: WalletOptions,
    key_file: Annotated[list[Path], typer.Option(help="Viewing key of an account, as `key` files have it; repeat.")],
    deployment: DeploymentFile = Path("deployment.json"),
    rpc_url: RpcUrl = "http://127.0.0.1:8545",
    renew: Annotated[int, typer.Option(help="Seconds of age from which on a proof is renewed.", min=1)] = 1800,
    interval: Annotated[float, typer.Option(help="Seconds between rounds.", min=0.1)] = 60.0,
    rounds: Annotated[int, typer.Option(help="Rounds, then end; 0 goes on.", min=0)] = 0,
    places: Annotated[int, typer.Option(help="Proofs at a time.", min=1)] = 1,
) -> None:
    """Attest and roll for accounts whose viewing keys are given; the wallet pays for gas and has no other right.

    Example: zkmargin watchtower --keystore tower.json --key-file alice.key.json --renew 1800
    """
    from zkmargin.contracts.chain import Chain
    from zkmargin.contracts.trading import Venue
    from zkmargin.prover.account.key_file import load_key_file
    from zkmargin.venue.watchtower import Watchtower

    keys = dict(map(load_key_file, key_file))
    sender = options.make_sender(options.read(), Chain(rpc_url))
    with Venue.connect(rpc_url, deployment, sender) as venue:
        Watchtower(venue, keys, renew, places).run(
            lambda account, outcome: console.err.print(f"{account} {outcome}", soft_wrap=True),
            interval=interval,
            rounds=rounds,
        )


def committee(
    share_file: Annotated[Path, typer.Option(help="This member's share, mode 0600.")],
    recipient: Annotated[
        list[str], typer.Option(help="ADDRESS, or ADDRESS:KEY for one relay key alone, that shares may go to; repeat.")
    ],
    deployment: DeploymentFile = Path("deployment.json"),
    rpc_url: RpcUrl = "http://127.0.0.1:8545",
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=0, max=65535)] = 8900,
) -> None:
    """Give a committee member's share, over HTTP, for accounts whose freeze is final, sealed to its recipients' keys.

    Example: zkmargin committee --share-file share-2.json --recipient 0x…
    """
    import uvicorn

    from zkmargin.committee.record import read_share_file
    from zkmargin.contracts.default_desk import DefaultDesk
    from zkmargin.venue.committee_service import CommitteeService, make_committee_app

    recipients = dict(map(_parse_recipient, recipient))
    contracts = connect_contracts(rpc_url, deployment)
    record = contracts.deployment
    desk = DefaultDesk(contracts.chain, record.clearing_house, contracts.domain, first_block=record.first_block)
    service = CommitteeService(desk, read_share_file(share_file), recipients)
    uvicorn.run(make_committee_app(service), host=host, port=port, access_log=False, log_level="warning")


def _parse_recipient(text: str) -> tuple[str, str | None]:
    """Address, and the relay key that was named with it."""
    found = re.fullmatch("(0x[0-9a-fA-F]{40})(?::(0x[0-9a-f]{64}))?", text)
    if found is None:
        raise typer.BadParameter(f"recipient {text!r}: 0x and 40 digits are needed, then : and 0x and 64, or nothing")
    return found[1], found[2]


def indexer(
    deployment: DeploymentFile = Path("deployment.json"),
    rpc_url: RpcUrl = "http://127.0.0.1:8545",
    database: Database = DEFAULT_DATABASE,
    follow: Annotated[
        bool, typer.Option("--follow/--once", help="Go on as blocks come, or end with the chain.")
    ] = True,
    seconds: Annotated[float, typer.Option(help="Between two looks at the chain.", min=0.05)] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Read a deployment's events into a database: SQLite, or PostgreSQL by URL. Reorganisations are taken back.

    With --json one object a step that added or took back something.

    Example: zkmargin indexer --deployment deployment.json --database sqlite:///index.db
    """
    from dataclasses import asdict

    from zkmargin.venue.index.database import open_database
    from zkmargin.venue.index.indexer import Indexer, Progress

    worker = Indexer(open_database(database), connect_contracts(rpc_url, deployment))
    with console.show_blocks() as show:

        def report(outcome: Progress | Exception) -> None:
            if isinstance(outcome, Progress):
                show(outcome.reached, outcome.latest)
                if as_json and (outcome.events or outcome.rolled_back or not follow):
                    print(json.dumps(asdict(outcome)), flush=True)
            else:
                console.print_error(type(outcome).__name__, str(outcome).splitlines()[0])

        worker.run(report, seconds=seconds, follow=follow)


def api(
    database: Database = DEFAULT_DATABASE,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=0, max=65535)] = 8700,
) -> None:
    """Serve an index and what the engine computes over HTTP; /docs describes it, /metrics is for Prometheus.

    Who runs it reads the portfolios that are posted to it; none is logged or stored.

    Example: zkmargin api --database sqlite:///index.db --port 8700
    """
    import logging

    import uvicorn

    from zkmargin.venue.api.app import make_app
    from zkmargin.venue.index.database import open_database

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    uvicorn.run(make_app(open_database(database)), host=host, port=port, access_log=False, log_level="warning")


@app.command()
def up(
    folder: Folder = Path("devnet"),
    rpc_url: Annotated[
        str | None, typer.Option(help="A development node that runs; by default an Anvil of the network's own.")
    ] = None,
    preset: Size = PresetName.STANDARD,
    market: Source = DEFAULT_MARKET,
    interval: Annotated[float, typer.Option(help="Seconds between epochs.", min=0.1)] = 60.0,
    detach: Annotated[bool, typer.Option("--detach", help="To the background once the first epoch is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a network, or go on with the one in the folder, until SIGTERM, SIGHUP or Ctrl-C.

    Example: zkmargin devnet up --dir devnet --preset mini
    """
    from zkmargin.venue.devnet import Devnet, Supervisor

    if detach:
        _start_detached(folder)
        return
    devnet = Devnet(folder.absolute())
    place = market if "/" not in market and not Path(market).exists() else str(Path(market).absolute())

    def show(running: Supervisor, epoch: int) -> None:
        document = {
            "folder": str(devnet.folder),
            "rpc_url": running.url,
            "deployment": str(devnet.path("deployment.json")),
            "password_file": str(devnet.path("password")),
            "epoch": epoch,
            "api": running.api_url,
            "processes": running.processes,
        }
        console.show_values("Development network; Ctrl-C ends it", document, as_json)
        sys.stdout.flush()

    with devnet.hold():
        Supervisor(devnet, devnet.ensure_settings(preset.value, place, interval, rpc_url)).run(show)


def _start_detached(folder: Path) -> None:
    """The same command without `--detach`, in a session of its own; waits for its document, or its end."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [
        sys.executable,
        "-m",
        "zkmargin.scripts.cli.main",
        *(item for item in sys.argv[1:] if item != "--detach"),
    ]
    out, err = (folder / name for name in ("up.out", "up.err"))
    with open(out, "wb") as output, open(err, "wb") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
        )
    while process.poll() is None and not out.read_bytes().endswith(b"\n"):
        time.sleep(0.1)
    sys.stdout.write(out.read_text())
    sys.stderr.write(err.read_text())
    if process.poll() is not None:
        raise typer.Exit(process.returncode or 1)


@app.command()
def down(folder: Folder = Path("devnet"), as_json: AsJson = False) -> None:
    """Stop a network; its folder stays, and `devnet up` goes on with it.

    Example: zkmargin devnet down --dir devnet
    """
    from zkmargin.venue.devnet import Devnet

    was_up = Devnet(folder.absolute()).stop()
    if as_json:
        console.print_json({"folder": str(folder), "stopped": was_up})
    else:
        console.out.print("stopped" if was_up else f"no network runs in {folder}")
