"""Margin of portfolios of derivatives as integer policies: markets, models, certificates. No chain, no circuit."""
