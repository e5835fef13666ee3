"""The escrow committee: t of n members hold the key that opens an account's escrow, and no fewer learn anything."""
