"""Measurements behind the figures of the documents. docs/development.md says which ledger of `costs/` each writes; the
others print."""
