"""Margin models: each turns a market snapshot and parameters into rows of a policy."""
