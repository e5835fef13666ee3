"""`zkmargin trade`: a private trade between two parties, by files that they send each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.account_actions import parse_lots, show_receipt
from zkmargin.scripts.cli.connection import Connection, with_wallet
from zkmargin.scripts.cli.options import AsJson

if TYPE_CHECKING:
    from zkmargin.prover.messages.records import Quote, RequestForQuote
    from zkmargin.prover.messages.signed import Signed

app = typer.Typer(
    help="Private trades by files: the taker requests, the maker quotes, the taker accepts, the maker settles.",
    no_args_is_help=True,
)

RequestFile = Annotated[Path, typer.Option(help="What `trade request` wrote.")]
QuoteFile = Annotated[Path, typer.Option(help="What `trade quote` wrote.")]


def _write(out: Path, text: str, title: str, document: dict[str, object], as_json: bool) -> None:
    from zkmargin.engine.files import PRIVATE, write_whole

    write_whole(out, text, mode=PRIVATE)
    document = {"written": str(out), **document}
    console.show_values(title, document, as_json)


def _read_offer(request: Path, quote: Path) -> tuple[Signed[RequestForQuote], Signed[Quote]]:
    from zkmargin.engine.files import read_text
    from zkmargin.prover.messages.records import Quote, RequestForQuote
    from zkmargin.prover.messages.signed import read_signed

    return read_signed(read_text(request), RequestForQuote), read_signed(read_text(quote), Quote)


@app.command("request")
@with_wallet
def request(
    connection: Connection,
    leg: Annotated[list[str], typer.Option(help="NAME:LOTS, + to receive and - to give; up to four, repeat.")],
    maker: Annotated[str | None, typer.Option(help="Account that may answer, 0x-hex; by default anyone.")] = None,
    out: Annotated[Path, typer.Option(help="File for the makers.")] = Path("request.json"),
    as_json: AsJson = False,
) -> None:
    """Ask for a price: signs what this account would receive and give, without a side or a price.

    Example: zkmargin trade request --leg BTC-25DEC26-80000-C:+5 --keystore alice.json
    """
    from zkmargin.prover.negotiation import ANY_MAKER
    from zkmargin.scripts.cli.account import parse_number
    from zkmargin.scripts.cli.inputs import require_writable

    require_writable(out, connection.keystore, connection.deployment)
    legs, party = parse_lots(leg), parse_number(maker) if maker else ANY_MAKER
    with connection.resume() as (_, trader):
        signed = trader.request(legs, maker=party)
    facts = {"taker": "0x" + trader.id.hex(), "valid_until": signed.message.valid_until}
    _write(out, signed.to_json() + "\n", "Requested", facts, as_json)


@app.command("quote")
@with_wallet
def quote(
    connection: Connection,
    taker_pays: Annotated[str, typer.Option(help="US dollars for all legs; negative: the taker receives.")],
    request: RequestFile = Path("request.json"),
    out: Annotated[Path, typer.Option(help="File for the taker alone: it holds the trade's terms.")] = (
        Path("quote.json")
    ),
    as_json: AsJson = False,
) -> None:
    """Answer a request with a firm price.

    Example: zkmargin trade quote --request request.json --taker-pays 1250.50 --keystore bob.json
    """
    from zkmargin.engine.files import read_text
    from zkmargin.engine.units import usd
    from zkmargin.prover.messages.records import RequestForQuote
    from zkmargin.prover.messages.signed import read_signed
    from zkmargin.scripts.cli.inputs import require_writable

    require_writable(out, request, connection.keystore, connection.deployment)
    price, asked = usd(taker_pays), read_signed(read_text(request), RequestForQuote)
    with connection.resume() as (_, trader):
        signed = trader.quote(asked, taker_pays=price)
    facts = {"maker": "0x" + trader.id.hex(), "epoch": signed.message.epoch, "valid_until": signed.message.valid_until}
    _write(out, signed.to_json() + "\n", "Quoted", facts, as_json)


@app.command("accept")
@with_wallet
def accept(
    connection: Connection,
    request: RequestFile = Path("request.json"),
    quote: QuoteFile = Path("quote.json"),
    most: Annotated[str | None, typer.Option(help="US dollars that may be paid at most, for all legs.")] = None,
    out: Annotated[Path, typer.Option(help="File for the maker, with this side's proof.")] = Path("accepted.json"),
    as_json: AsJson = False,
) -> None:
    """Take a quote: checks it, proves this account's initial margin after the trade, and signs.

    Example: zkmargin trade accept --quote quote.json --most 1300 --keystore alice.json
    """
    from zkmargin.engine.units import usd
    from zkmargin.scripts.cli.inputs import require_writable
    from zkmargin.venue.trade_files import accept_quote

    require_writable(out, request, quote, connection.keystore, connection.deployment)
    asked, answer = _read_offer(request, quote)
    with connection.resume() as (_, trader):
        accepted = accept_quote(trader, asked, answer, most=None if most is None else usd(most))
    facts = {"taker": "0x" + trader.id.hex(), "epoch": answer.message.epoch}
    _write(out, accepted.to_json(), "Accepted", facts, as_json)


@app.command("settle")
@with_wallet
def settle(
    connection: Connection,
    request: RequestFile = Path("request.json"),
    quote: QuoteFile = Path("quote.json"),
    accepted: Annotated[Path, typer.Option(help="What `trade accept` wrote.")] = Path("accepted.json"),
    as_json: AsJson = False,
) -> None:
    """The maker's last step: checks the taker's proof, proves its own side, settles both in one transaction.

    Example: zkmargin trade settle --accepted accepted.json --keystore bob.json
    """
    from zkmargin.engine.files import read_text
    from zkmargin.venue.trade_files import AcceptedFile, settle_accepted

    asked, answer = _read_offer(request, quote)
    agreed = AcceptedFile.from_json(read_text(accepted))
    with connection.resume() as (node, trader):
        receipt = settle_accepted(node, trader, asked, answer, agreed)
    show_receipt("Settled", trader, receipt, as_json)
