"""An owner's node: accounts of own wallets whose states outlive the process, from the first trade to a withdrawal."""

import sys
import tempfile

import zkmargin as zk

market = zk.Market.load("deribit_2026-08-22").at(sys.argv[1] if len(sys.argv) > 1 else "standard")
call = next(item.name for item in market.listing.by_name.values() if item.is_call)
payer, *owners = (zk.Wallet.create() for _ in range(3))
with zk.LocalVenue(market) as venue, tempfile.TemporaryDirectory() as folder:  # stands for anybody's deployment
    venue.publish(zk.House(market).epoch(number=1))
    venue.chain.send(payer.address, "0x", value=10**18)
    venue.contracts.cash.mint(payer.address, zk.usd(200_000))
    node = zk.Node.join(venue.chain.url, venue.contracts.deployment, payer=payer, folder=folder)
    alice, bob = (node.open(owner, cash=zk.usd(100_000)) for owner in owners)
    node.settle(alice.accept(bob.quote(alice.request({call: 5}), taker_pays=zk.usd(1_000))))
    print(alice.attest().gas_used, alice.withdraw(zk.usd(250)).gas_used)
    later = zk.Node.join(venue.chain.url, venue.contracts.deployment, payer=payer, folder=folder)
    print(later.resume(owners[0]).portfolio.to_json())
