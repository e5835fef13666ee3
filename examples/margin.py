"""What a portfolio requires: the report of one account, and many accounts at once."""

import zkmargin as zk

market = zk.Market.load("deribit_2026-08-22")
house = zk.House(market)
book = zk.Portfolio("desk", {"BTC-25DEC26-80000-C": 500, "BTC-PERPETUAL": -300}, cash=zk.usd(500_000))

report = house.report(book)
for level, required in report.levels.items():
    print(f"{level}: {required.requirement:,.2f} USD required of {report.equity:,.2f}, by the {required.binding}")
for coin, row in report.coins.items():
    print(f"{coin}: loses {row.worst_loss:,.2f} USD in {row.worst_scenario}")

poor = zk.Portfolio("poor", book.positions, cash=zk.usd(1_000))
try:
    house.check(poor)
except zk.RequirementNotMet as refusal:
    print(f"{poor.name}: {refusal.missing_usd6 / 1e6:,.2f} USD missing")

together = house.batch([book, poor])
print("met:", together.is_met.tolist())
