"""How scenario groups and multipliers are trained, offline."""
