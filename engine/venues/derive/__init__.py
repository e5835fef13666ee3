"""Derive's three margin models, with readers of its published cases."""
