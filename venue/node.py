"""An owner's node: a connection to a venue with wallets of one's own, whose accounts outlive the process.

::

    node = Node.join("http://127.0.0.1:8545", "deployment.json", payer=wallet, folder="state")
    alice = node.open(wallet)            # the first time
    alice = node.resume(wallet)          # in every later process

What settles is written to disk once it is mined. A process that ends in between loses nothing: the next one sees that
the chain's commitment is another, and rebuilds the state from the events and the wallet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.clearing_house import AccountView, Status
from zkmargin.contracts.deployment import Deployment
from zkmargin.contracts.rekey_desk import RekeyDesk
from zkmargin.contracts.sending import Sender
from zkmargin.contracts.trading import LEFT_BEHIND, Trader, Venue
from zkmargin.prover.account.account import Account, compute_account_id, derive_key
from zkmargin.prover.client import AccountClient, SignedAction
from zkmargin.prover.groth16.provers import RekeyProver
from zkmargin.prover.messages.wallet import Signer, Wallet
from zkmargin.prover.paths import BUILD
from zkmargin.prover.statement.secret import Secret
from zkmargin.venue.account_book import AccountBook
from zkmargin.venue.errors import AccountNotOpen


class Node(Venue):
    """A venue whose traders are kept in a folder; made by `join`."""

    book: AccountBook
    """Where the accounts' states are."""

    @classmethod
    def join(
        cls,
        url: str,
        deployment: Deployment | Path | str,
        *,
        payer: Wallet | Sender,
        folder: Path | str,
        build: Path = BUILD,
    ) -> Self:
        """The venue of a deployment, by `Venue.connect`, which says what is checked and raised.

        Parameters
        ----------
        payer : Wallet or Sender
            Pays for transactions; its tokens are what deposits pay in.
        folder : Path or str
            Where states are kept; one folder serves any number of wallets at one deployment.
        """
        node = cls.connect(url, deployment, payer, build=build)
        node.book = AccountBook(Path(folder), node.domain, node.facts.preset)
        return node

    def resume(self, wallet: Signer, *, index: int = 0, name: str = "", key: Secret | None = None) -> Trader:
        """The trader of an account that is open, as the chain has it now.

        Parameters
        ----------
        index : int
            Which of the wallet's accounts.
        key : Secret, optional
            Viewing key of a key file, where the wallet cannot derive it.

        Raises
        ------
        AccountNotOpen
            If the chain has no such account, or it is closed.
        RecoveryError
            If the state on disk is not the chain's, and the chain's cannot be rebuilt with this wallet.
        """
        account_id = compute_account_id(self.domain, wallet.address, index)
        on_chain = self.contracts.house.get_account(account_id)
        if on_chain.status not in (Status.ACTIVE, Status.FROZEN):
            raise AccountNotOpen(account_id, on_chain.status.name.lower(), "one that is open (`account open`)")
        number, key = self._find_key(wallet, account_id, index, on_chain, key)
        account = self.book.load(account_id, wallet.address, index, key) or Account.create(
            self.domain, wallet.address, index, key, self.facts.preset, on_chain.generation
        )
        trader = Trader(self, AccountClient(wallet, account, self.facts, self.provers), name)
        trader.key_index = number
        self.refresh(trader)
        self.traders[trader.id] = trader
        return trader

    def _find_key(
        self, wallet: Signer, account_id: bytes, index: int, on_chain: AccountView, given: Secret | None
    ) -> tuple[int, Secret]:
        """Which of the wallet's viewing keys the account has, and the key, which may be a key file's.

        The file says which; where there is none, or the chain is further, the chain's events do: the account may have
        moved in another process, or in one that ended before it wrote.
        """

        def derive(number: int) -> Secret:
            return given or derive_key(wallet, self.domain, account_id, number)

        number = self.book.read_key_index(account_id)
        if number is not None:
            key = derive(number)
            account = self.book.load(account_id, wallet.address, index, key)
            if account is not None and account.commitment == on_chain.commitment:
                return number, key
        desk = RekeyDesk(self.chain, self.contracts.house.contract.address)
        number = desk.count_moves(account_id, self.contracts.deployment.first_block)
        return number, derive(number)

    def _save(self, trader: Trader) -> None:
        self.book.save(trader.client.account, trader.key_index)

    def refresh(self, trader: Trader) -> AccountView:
        """As `Venue.refresh`, and writes what it took over."""
        before = trader.client.account
        stored = super().refresh(trader)
        if trader.client.account is not before:
            self._save(trader)
        return stored

    def open_account(self, trader: Trader) -> Receipt:
        """Opens the trader's account; raises `AccountNotOpen` if its number is used already."""
        status = self.contracts.house.get_account(trader.id).status
        if status != Status.NONE:
            raise AccountNotOpen(trader.id, status.name.lower(), "a number that was never used: take another index")
        receipt = super().open_account(trader)
        self._save(trader)
        return receipt

    def submit(self, trader: Trader, action: SignedAction) -> Receipt:
        """Sends an action, and writes the new state once it is mined."""
        receipt = super().submit(trader, action)
        self._save(trader)
        return receipt

    def rekey(self, trader: Trader, prover: RekeyProver, key: Secret | None = None) -> Receipt:
        """As `Venue.rekey`, and writes which key the account has now."""
        receipt = super().rekey(trader, prover, key)
        self._save(trader)
        return receipt

    def settle_sides(self, sides: Mapping[int, SignedAction], *parties: Trader) -> Receipt:
        """Sends both sides of a trade, and writes the parties' new states once it is mined."""
        receipt = super().settle_sides(sides, *parties)
        for party in parties:
            self._save(party)
        return receipt

    def catch_up(self, trader: Trader, *, least: int = LEFT_BEHIND) -> list[Receipt]:
        """As `Venue.catch_up`, and writes the state of an account that skipped."""
        receipts = super().catch_up(trader, least=least)
        if receipts:
            self._save(trader)
        return receipts
