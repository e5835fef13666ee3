"""Backtests of margins on recorded prices: history, daily books, models, statistics."""
