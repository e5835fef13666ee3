"""Solidity sources, and what compiles, deploys and calls them."""
