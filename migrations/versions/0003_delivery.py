"""The delivery: inbox, deliveries, lanes, operations, attempts, applied events, awaited targets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("tokens", schema="delivery")))
    op.create_table(
        "applied",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "fields",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="By field: [microseconds of the event, record, version].",
        ),
        sa.Column(
            "holder",
            sa.BigInteger(),
            nullable=True,
            comment="The token under which the target is being written.",
        ),
        sa.Column("held_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "written_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("connection", "object", "key"),
        schema="delivery",
        comment="Which event each field of a target was last written for.",
    )
    op.create_index(
        "applied_written", "applied", ["connection", "written_at"], unique=False, schema="delivery"
    )
    op.create_table(
        "inbox",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("receipt_id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column(
            "arrival", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Order of arrival."
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="Orders what one record has been."),
        sa.Column(
            "kind", sa.Text(), nullable=True, comment="The routing name; NULL where the record doesn't say."
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="new, planned or ignored."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why a record is ignored."),
        sa.Column("body", sa.LargeBinary(), nullable=True, comment="As it arrived; NULL once it is purged."),
        sa.Column("body_bytes", sa.Integer(), nullable=False),
        sa.Column(
            "about", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "duplicates",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="How often the same version arrived again.",
        ),
        sa.Column(
            "modified_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When the source last changed the record.",
        ),
        sa.Column(
            "received_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("planned_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("purged_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", "receipt_id"),
        schema="delivery",
        comment="Every record that arrived, raw.",
    )
    op.create_index(
        "inbox_new",
        "inbox",
        ["connection", "arrival"],
        unique=False,
        schema="delivery",
        postgresql_where=sa.text("state = 'new'"),
    )
    op.create_index("inbox_received", "inbox", ["connection", "received_at"], unique=False, schema="delivery")
    op.create_index(
        "inbox_unplanned",
        "inbox",
        ["connection", "kind", "modified_at"],
        unique=False,
        schema="delivery",
        postgresql_where=sa.text("state in ('new', 'ignored')"),
    )
    op.create_index(
        "inbox_record",
        "inbox",
        ["connection", "source", "record_id", "version"],
        unique=True,
        schema="delivery",
    )
    op.create_table(
        "lanes",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "due_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the lane may be claimed: work is due, or the lease has run out.",
        ),
        sa.Column("token", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("leased_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", "lane"),
        schema="delivery",
        comment="Lanes in which something waits. Who holds one writes with its token, which nobody had before.",
    )
    op.create_index("lanes_due", "lanes", ["connection", "due_at"], unique=False, schema="delivery")
    op.create_table(
        "deliveries",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("receipt_id", sa.UUID(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("mapping_hash", sa.Text(), nullable=True),
        sa.Column("versions", sa.Text(), nullable=False, comment="latest or every."),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "plan",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="NULL where none could be made, and once it is purged.",
        ),
        sa.Column(
            "event_time",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When the record's event happened; orders a lane.",
        ),
        sa.Column("modified_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "run", sa.Integer(), server_default=sa.text("1"), nullable=False, comment="Counts redeliveries."
        ),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "next_attempt_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Not before this moment; NULL is at once.",
        ),
        sa.Column(
            "blocked_by",
            sa.BigInteger(),
            nullable=True,
            comment="The delivery of the same lane whose targets this one shares.",
        ),
        sa.Column(
            "blocks_until",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Until when a failure holds back what shares a target with it.",
        ),
        sa.Column("after_gap", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "failures",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Outcomes that failed in this run.",
        ),
        sa.Column(
            "lost_claims",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Claims that ended without an outcome in this run.",
        ),
        sa.Column("token", sa.BigInteger(), nullable=True),
        sa.Column("error_class", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True, comment="Without personal data."),
        sa.Column("superseded_by", sa.UUID(), nullable=True),
        sa.Column("first_failed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection", "receipt_id"],
            ["delivery.inbox.connection", "delivery.inbox.receipt_id"],
        ),
        sa.PrimaryKeyConstraint("connection", "delivery_id"),
        schema="delivery",
        comment="(record, version, mapping) being carried out.",
    )
    op.create_index(
        "deliveries_blocked",
        "deliveries",
        ["connection", "blocked_by"],
        unique=False,
        schema="delivery",
        postgresql_where=sa.text("blocked_by IS NOT NULL"),
    )
    op.create_index(
        "deliveries_day",
        "deliveries",
        ["connection", "mapping", "modified_at"],
        unique=False,
        schema="delivery",
    )
    op.create_index(
        "deliveries_in_order",
        "deliveries",
        ["connection", "lane", "event_time", "record_id", "version", "delivery_id"],
        unique=False,
        schema="delivery",
        postgresql_where=sa.text("status in ('new', 'failed', 'processing')"),
    )
    op.create_index(
        "deliveries_next",
        "deliveries",
        ["connection", "lane", sa.literal_column("next_attempt_at NULLS FIRST")],
        unique=False,
        schema="delivery",
        postgresql_where=sa.text("status in ('new', 'failed', 'processing')"),
    )
    op.create_index(
        "deliveries_receipt", "deliveries", ["connection", "receipt_id"], unique=False, schema="delivery"
    )
    op.create_index(
        "deliveries_record",
        "deliveries",
        ["connection", "source", "record_id", "version", "mapping"],
        unique=True,
        schema="delivery",
    )
    op.create_index(
        "deliveries_status",
        "deliveries",
        ["connection", "status", "changed_at"],
        unique=False,
        schema="delivery",
    )
    op.create_index(
        "deliveries_troubled",
        "deliveries",
        ["connection", "lane"],
        unique=False,
        schema="delivery",
        postgresql_where=sa.text("status in ('failed', 'dead')"),
    )
    op.create_table(
        "attempts",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column(
            "started_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=True,
            comment="completed, failed, dead, put off or lost; NULL while it is under way.",
        ),
        sa.Column("step", sa.Text(), nullable=True, comment="The step that failed."),
        sa.Column("error_class", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True, comment="Without personal data."),
        sa.ForeignKeyConstraint(
            ["connection", "delivery_id"],
            ["delivery.deliveries.connection", "delivery.deliveries.delivery_id"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection", "attempt_id"),
        schema="delivery",
        comment="Every try of a delivery.",
    )
    op.create_index(
        "attempts_delivery",
        "attempts",
        ["connection", "delivery_id", "attempt_id"],
        unique=False,
        schema="delivery",
    )
    op.create_table(
        "awaited",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection", "delivery_id"],
            ["delivery.deliveries.connection", "delivery.deliveries.delivery_id"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection", "object", "key", "delivery_id"),
        schema="delivery",
        comment="Targets that a failed delivery has not found; one that is written ends its wait.",
    )
    op.create_index(
        "awaited_delivery", "awaited", ["connection", "delivery_id"], unique=False, schema="delivery"
    )
    op.create_table(
        "operations",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("op", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("key", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=True,
            comment="ok or failed; NULL: sent, and not known what came of it.",
        ),
        sa.Column(
            "target_id", sa.Text(), nullable=True, comment="The id of the written record at its destination."
        ),
        sa.Column("created", sa.Boolean(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("error_class", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True, comment="Without personal data."),
        sa.Column(
            "sent",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="How often it was sent.",
        ),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("done_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection", "delivery_id"],
            ["delivery.deliveries.connection", "delivery.deliveries.delivery_id"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection", "delivery_id", "run", "operation_id"),
        schema="delivery",
        comment="Operations that were sent, and what came of each.",
    )


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a backup to go back")
