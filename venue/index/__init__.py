"""A deployment's events in a database, read on as blocks come, and what can be asked of it."""
