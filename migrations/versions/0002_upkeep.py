"""Deletes, comparisons, usage, changes of fields, erasures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "absences",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(collation="C"), nullable=False),
        sa.Column("absent_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "found_by",
            sa.Text(),
            nullable=False,
            comment="The org's list of deleted records, or a comparison.",
        ),
        sa.Column(
            "deleted_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="As the org says; NULL where a comparison found it.",
        ),
        sa.Column(
            "found_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "returned_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the org was seen to show the record again.",
        ),
        sa.PrimaryKeyConstraint("connection", "object", "record_id"),
        schema="sync",
        comment="Records that are gone from the org: since when that is known, and how it was found.",
    )
    op.create_table(
        "erasures",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("erasure_id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("record_id", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "places",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Rows removed or blanked, by table.",
        ),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column(
            "erased_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("connection", "erasure_id"),
        schema="sync",
        comment="That a person's data was erased, without the data.",
    )
    op.create_table(
        "schema_changes",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("schema_change_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "seen_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="first seen, added, left out, gone, back or retyped."
        ),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("column", sa.Text(), nullable=True, comment="NULL where the field has none."),
        sa.Column("type", sa.Text(), nullable=True, comment="The column's type."),
        sa.Column("says", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "schema_change_id"),
        schema="sync",
        comment="How the org's fields have changed, one row a field.",
    )
    op.create_index(
        "schema_changes_by_object", "schema_changes", ["connection", "object"], unique=False, schema="sync"
    )
    op.create_table(
        "usage",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("hour", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("object", sa.Text(), nullable=False, comment="Empty where a request is about no object."),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "hour", "object", "operation"),
        schema="sync",
        comment="Our own requests to the org: how many, by hour, object and operation.",
    )
    op.create_table(
        "verifications",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("verification_id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False, comment="deletes, counts, ids or values."),
        sa.Column("outcome", sa.Text(), nullable=True, comment="NULL while it runs, or when it broke off."),
        sa.Column("org_rows", sa.BigInteger(), nullable=True),
        sa.Column("table_rows", sa.BigInteger(), nullable=True),
        sa.Column("missing", sa.BigInteger(), nullable=True),
        sa.Column("absent", sa.BigInteger(), nullable=True),
        sa.Column("differing", sa.BigInteger(), nullable=True),
        sa.Column("repaired", sa.BigInteger(), nullable=True),
        sa.Column("api_calls", sa.BigInteger(), nullable=True),
        sa.Column("says", sa.Text(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column(
            "started_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", "verification_id"),
        schema="sync",
        comment="Comparisons of the org with the mirror: what differed and what was repaired.",
    )
    op.create_index(
        "verifications_by_object",
        "verifications",
        ["connection", "object", "started_at"],
        unique=False,
        schema="sync",
    )
    op.add_column(
        "object_state",
        sa.Column(
            "deleted_until",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Up to when the org's list of deleted records has been read.",
        ),
        schema="sync",
    )
    op.add_column(
        "object_state",
        sa.Column("ids_compared_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        schema="sync",
    )
    op.add_column(
        "object_state",
        sa.Column(
            "reread",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Up to which _synced_at each parent's changes have been followed.",
        ),
        schema="sync",
    )
    op.add_column(
        "object_state",
        sa.Column("refreshed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        schema="sync",
    )
    op.add_column(
        "pages",
        sa.Column("refreshed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        schema="sync",
    )
    op.add_column(
        "pages",
        sa.Column("missed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        schema="sync",
    )
    op.add_column(
        "extracts",
        sa.Column(
            "job_created_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="As the org says: by it a job is known to be the one that was made for this.",
        ),
        schema="sync",
    )
    op.create_index(
        "extracts_by_request", "extracts", ["connection", "request_id"], unique=False, schema="sync"
    )
    # Each change is a row of sync.schema_changes.
    op.drop_column("object_state", "drift", schema="sync")
    op.drop_column("object_state", "drifted_at", schema="sync")
    for name in ("jobs_left", "jobs_allowed", "result_bytes_left", "result_bytes_allowed"):
        op.add_column("budget", sa.Column(name, sa.BigInteger(), nullable=True), schema="sync")
    op.add_column(
        "budget",
        sa.Column(
            "limits_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When the org was asked for its limits: query jobs and bytes of their results.",
        ),
        schema="sync",
    )


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a backup to go back")
