"""The first version: events, and what is read of them.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "blocks",
        sa.Column("number", LONG, autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.Column("time", LONG, nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "rollbacks",
        sa.Column("id", LONG, autoincrement=True, nullable=False),
        sa.Column("block", LONG, nullable=False),
        sa.Column("after_event", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "venue",
        sa.Column("clearing_house", sa.String(length=42), nullable=False),
        sa.Column("chain_id", LONG, nullable=False),
        sa.Column("first_block", LONG, nullable=False),
        sa.Column("first_block_hash", sa.String(length=66), nullable=False),
        sa.PrimaryKeyConstraint("clearing_house"),
    )
    op.create_table(
        "events",
        sa.Column("id", LONG, autoincrement=True, nullable=False),
        sa.Column("block", LONG, nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("transaction", sa.String(length=66), nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["block"], ["blocks.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("block", "log_index"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_name"), "events", ["name"], unique=False)
    op.create_table(
        "account_states",
        sa.Column("event", LONG, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=66), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("commitment", sa.String(length=66), nullable=False),
        sa.Column("attested_epoch", LONG, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event", "account"),
    )
    op.create_index(op.f("ix_account_states_account"), "account_states", ["account"], unique=False)
    op.create_table(
        "accounts",
        sa.Column("event", LONG, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=66), nullable=False),
        sa.Column("auth", sa.String(length=42), nullable=False),
        sa.Column("index", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event"),
        sa.UniqueConstraint("account"),
    )
    op.create_index(op.f("ix_accounts_auth"), "accounts", ["auth"], unique=False)
    op.create_table(
        "attestations",
        sa.Column("event", LONG, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=66), nullable=False),
        sa.Column("policy", sa.String(length=66), nullable=False),
        sa.Column("epoch", LONG, nullable=False),
        sa.Column("time", LONG, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event"),
    )
    op.create_index(op.f("ix_attestations_account"), "attestations", ["account"], unique=False)
    op.create_table(
        "defaults",
        sa.Column("event", LONG, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=66), nullable=False),
        sa.Column("step", sa.String(length=64), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event"),
    )
    op.create_index(op.f("ix_defaults_account"), "defaults", ["account"], unique=False)
    op.create_table(
        "epochs",
        sa.Column("event", LONG, autoincrement=False, nullable=False),
        sa.Column("number", LONG, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("time", LONG, nullable=False),
        sa.Column("min_epoch", LONG, nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("snapshot_hash", sa.String(length=66), nullable=False),
        sa.Column("policy_hash", sa.String(length=66), nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event"),
        sa.UniqueConstraint("number"),
    )
    op.create_table(
        "flows",
        sa.Column("event", LONG, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=66), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("cash", sa.String(), nullable=False),
        sa.Column("lots", sa.JSON(), nullable=False),
        sa.Column("recipient", sa.String(length=42), nullable=False),
        sa.Column("fee", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event"),
    )
    op.create_index(op.f("ix_flows_account"), "flows", ["account"], unique=False)
    op.create_table(
        "payment_steps",
        sa.Column("event", LONG, autoincrement=False, nullable=False),
        sa.Column("token", sa.String(length=42), nullable=False),
        sa.Column("number", LONG, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", LONG, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event"),
    )
    op.create_index(op.f("ix_payment_steps_number"), "payment_steps", ["number"], unique=False)
    op.create_table(
        "payments",
        sa.Column("event", LONG, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=66), nullable=False),
        sa.Column("recipient", sa.String(length=42), nullable=False),
        sa.Column("token", sa.String(length=42), nullable=False),
        sa.Column("number", LONG, nullable=False),
        sa.Column("amount", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event"),
    )
    op.create_index(op.f("ix_payments_account"), "payments", ["account"], unique=False)
    op.create_index(op.f("ix_payments_recipient"), "payments", ["recipient"], unique=False)
    op.create_table(
        "trades",
        sa.Column("event", LONG, autoincrement=False, nullable=False),
        sa.Column("plus", sa.String(length=66), nullable=False),
        sa.Column("minus", sa.String(length=66), nullable=False),
        sa.Column("epoch", LONG, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("trade_tag", sa.String(length=66), nullable=False),
        sa.Column("fee_plus", sa.String(), nullable=False),
        sa.Column("fee_minus", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event"),
    )
    op.create_index(op.f("ix_trades_minus"), "trades", ["minus"], unique=False)
    op.create_index(op.f("ix_trades_plus"), "trades", ["plus"], unique=False)


def downgrade() -> None:
    """Drops them."""
    op.drop_index(op.f("ix_trades_plus"), table_name="trades")
    op.drop_index(op.f("ix_trades_minus"), table_name="trades")
    op.drop_table("trades")
    op.drop_index(op.f("ix_payments_recipient"), table_name="payments")
    op.drop_index(op.f("ix_payments_account"), table_name="payments")
    op.drop_table("payments")
    op.drop_index(op.f("ix_payment_steps_number"), table_name="payment_steps")
    op.drop_table("payment_steps")
    op.drop_index(op.f("ix_flows_account"), table_name="flows")
    op.drop_table("flows")
    op.drop_table("epochs")
    op.drop_index(op.f("ix_defaults_account"), table_name="defaults")
    op.drop_table("defaults")
    op.drop_index(op.f("ix_attestations_account"), table_name="attestations")
    op.drop_table("attestations")
    op.drop_index(op.f("ix_accounts_auth"), table_name="accounts")
    op.drop_table("accounts")
    op.drop_index(op.f("ix_account_states_account"), table_name="account_states")
    op.drop_table("account_states")
    op.drop_index(op.f("ix_events_name"), table_name="events")
    op.drop_table("events")
    op.drop_table("venue")
    op.drop_table("rollbacks")
    op.drop_table("blocks")
