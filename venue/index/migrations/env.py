"""What Alembic runs: the versions, on the connection that `venue.index.database` hands over."""

from alembic import context

from zkmargin.venue.index.tables import Table

LOADED_AS = "env_py"
"""Name under which Alembic loads this file; a plain import runs nothing."""

if __name__ == LOADED_AS:
    context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
    with context.begin_transaction():
        context.run_migrations()
