"""Published snapshots by their hash, and what finds the epochs that count, so that neither is looked for in all events.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the table, with the rows of the events that are there, and the indexes."""
    snapshots = op.create_table(
        "snapshots",
        sa.Column("event", LONG, autoincrement=False, nullable=False),
        sa.Column("snapshot_hash", sa.String(length=66), nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event"),
    )
    events = sa.table("events", sa.column("id", LONG), sa.column("name", sa.String()), sa.column("fields", sa.JSON()))
    said = sa.select(events.c.id, events.c.fields["snapshotHash"].as_string())
    published = said.where(events.c.name == "SnapshotPublished")
    op.execute(snapshots.insert().from_select(["event", "snapshot_hash"], published))
    op.create_index(op.f("ix_snapshots_snapshot_hash"), "snapshots", ["snapshot_hash"], unique=False)
    op.create_index(op.f("ix_epochs_min_epoch"), "epochs", ["min_epoch"], unique=False)
    op.create_index("ix_epochs_generation_number", "epochs", ["generation", "number"], unique=False)


def downgrade() -> None:
    """Drops them."""
    op.drop_index("ix_epochs_generation_number", table_name="epochs")
    op.drop_index(op.f("ix_epochs_min_epoch"), table_name="epochs")
    op.drop_index(op.f("ix_snapshots_snapshot_hash"), table_name="snapshots")
    op.drop_table("snapshots")
