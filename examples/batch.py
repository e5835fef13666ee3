"""A maker trades with three takers in one transaction, and all four show their margin in another."""

import sys

import zkmargin as zk

market = zk.Market.load("deribit_2026-08-22").at(sys.argv[1] if len(sys.argv) > 1 else "standard")
house = zk.House(market)
call = next(item.name for item in market.listing.by_name.values() if item.is_call)

with zk.LocalVenue(market) as venue:
    venue.publish(house.epoch(number=1))
    maker, *takers = (venue.open(zk.Wallet.create(), cash=zk.usd(100_000)) for _ in range(4))
    queue = zk.TradeQueue(venue)
    for lots, taker in enumerate(takers, 1):  # each quote starts from what the trades before it leave
        queue.add(taker.accept(maker.quote(taker.request({call: lots}), taker_pays=zk.usd(200 * lots))))
    carried = queue.send()
    gas = sum(receipt.gas_used for receipt in carried.receipts)
    print(f"three trades settled with {gas:,} gas; the maker holds {dict(maker.positions)}")

    carried = venue.attest_all([maker, *takers])
    print(f"four accounts attested with {sum(receipt.gas_used for receipt in carried.receipts):,} gas")
    print(f"skipped: {carried.skipped}, refused: {carried.refused}")
