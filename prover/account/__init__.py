"""A hidden account: its commitment, its secrets, its escrow, and how it is rebuilt from the chain."""
