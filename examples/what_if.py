"""Questions of a trader: what an order does, how large it may be, what carries the margin, and what a crash does."""

import zkmargin as zk

house = zk.House(zk.Market.load("deribit_2026-08-22"))
book = zk.Portfolio("desk", {"BTC-25DEC26-80000-C": 500, "BTC-PERPETUAL": -300}, cash=zk.usd(500_000))

whatif = house.whatif(book, {"BTC-PERPETUAL": -100})
print(f"selling 100 lots of the perpetual changes initial margin by {whatif.change['initial']:+,.2f} USD")

largest = house.largest(book, {"BTC-PERPETUAL": -1})
print("largest sale:", largest.lots, "ended by", largest.rows)

for leg in house.explain(book).legs:
    print(f"{leg.name}: {leg.contribution:,.2f} USD, the next lot {leg.right:,.4f} USD")

for result in house.stress(book).results:
    print(f"{result.stress.name}: P&L {result.pnl:,.0f} USD, margin met: {result.is_met['maintenance']}")
