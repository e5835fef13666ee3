"""Margin rules of derivatives venues, each proved by the numbers that the venue or its documents publish.

A model is a market, a book and parameters turned into scenarios and rules (`interface.VenueModel`); `evaluation` prices
every option of every model through `engine.market.valuation.black76_price`, once. docs/venues.md has formulas and
sources.

These models are references. The proved policies are the house model's (`engine.margin`).
"""
