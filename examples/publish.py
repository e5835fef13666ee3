"""A risk publisher: it computes every number of an epoch again before it signs, and refuses what others would like."""

from dataclasses import replace

import zkmargin as zk

market = zk.Market.load("deribit_2026-08-22").at("mini")
house = zk.House(market)
pinned = zk.Parameters.load("house_v1")
looser = replace(pinned, delta_limit={coin: 2 * limit for coin, limit in pinned.delta_limit.items()})

with zk.LocalVenue(market) as venue:
    live = venue.publish(house.epoch(number=1))
    print(f"epoch {live.data.number} posted, {live.receipt.gas_used:,} gas, {len(live.signed.signatures)} signatures")

    proposal = venue.publisher.propose(zk.House(market, looser).epoch(number=2))
    try:
        venue.publisher.sign(proposal)
    except zk.ZkMarginError as refusal:
        print(f"not signed: {str(refusal).split(';')[0]}")
