"""What runs a venue and what its members run: wallets, an owner's node, publishers, keepers, development networks."""
