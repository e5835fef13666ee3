"""A margin rule as integers, and what its rows mean."""
