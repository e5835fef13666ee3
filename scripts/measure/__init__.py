"""Measurements behind the figures of the documents; each writes a ledger of `costs/`."""
