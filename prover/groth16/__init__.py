"""Circuits compiled, keys, witnesses, proofs."""
