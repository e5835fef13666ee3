"""Writes the generated sources: `python -m zkmargin.scripts.generate [--check]`."""
