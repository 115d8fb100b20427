"""Operations over HTTP are audited, and a source is read for records that it never handed over."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("audit_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("who", sa.Text(), nullable=False, comment="The name of the key by which it was asked."),
        sa.Column("role", sa.Text(), nullable=False, comment="operator or admin."),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column(
            "asked",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Without personal data.",
        ),
        sa.Column("records", sa.BigInteger(), nullable=True, comment="How many records it concerned."),
        sa.PrimaryKeyConstraint("connection", "audit_id"),
        schema="delivery",
        comment="What people asked of the delivery over HTTP: every change, and every look at personal data.",
    )
    op.create_index("audit_at", "audit", ["connection", "at"], unique=False, schema="delivery")
    op.create_table(
        "pulls",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "read_to",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="Everything that the source indexed before is stored.",
        ),
        sa.Column(
            "pulled_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("connection", "source"),
        schema="delivery",
        comment="How far a source was read for records that it never handed over.",
    )


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a backup to go back")
