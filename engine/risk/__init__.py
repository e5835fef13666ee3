"""Risk statistics: volatility filters, measures, and the reduction of a sample to a policy's scenarios."""
