"""Versions of the database, one after another (Alembic)."""
