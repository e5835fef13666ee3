"""Derives the shipped records from public data."""
