"""Two hidden accounts trade: asked, quoted and accepted by signed messages, proved on both sides, settled at once."""

import sys

import zkmargin as zk

market = zk.Market.load("deribit_2026-08-22").at(sys.argv[1] if len(sys.argv) > 1 else "standard")
house = zk.House(market)
call = next(item.name for item in market.listing.by_name.values() if item.is_call)

with zk.LocalVenue(market) as venue:
    venue.publish(house.epoch(number=1))
    alice, bob = (venue.open(zk.Wallet.create(), cash=zk.usd(100_000)) for _ in range(2))
    quote = bob.quote(alice.request({call: 5}), taker_pays=zk.usd(1_000))
    receipt = venue.settle(alice.accept(quote))
    print(f"settled with {receipt.gas_used:,} gas; alice holds {dict(alice.positions)}, and the chain knows neither")

    asked = zk.AttestationRequest.create(bob.id, "net_delta", recipient=alice.address)
    zk.verify_attestation(bob.attest_to(asked), asked, venue.read_facts(bob.id))
    print("bob showed alice that his net delta is within its limit, and no position")

    asked = zk.AttestationRequest.create(bob.id, "net_delta", recipient=venue.submitter)  # a contract would ask so
    checked = venue.check_attestation(asked, bob.attest_to(asked), max_age=300)
    print(f"a contract is told: met at the prices of {checked.time}")
