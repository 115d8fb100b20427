"""The tables of the mirror's ledger, and the judge of single cells."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# Called for single cells of a page that didn't type, or that look as if PostgreSQL would read more into them
# than the org meant; an exception block for each is slow, and only such pages pay for it.
FITS = r"""
create function sync.fits(value text, type text) returns boolean
language plpgsql immutable set timezone to 'UTC' as $$
begin
    case type
        when 'boolean' then
            return lower(value) in ('true', 'false');
        when 'integer' then
            return value !~ '[^0-9eE.+-]' and value::numeric % 1 = 0 and value::numeric::integer is not null;
        when 'bigint' then
            return value !~ '[^0-9eE.+-]' and value::numeric % 1 = 0 and value::numeric::bigint is not null;
        when 'numeric' then
            return value !~ '[^0-9eE.+-]' and value::numeric is not null;
        when 'date' then
            return value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' and value::date is not null;
        when 'timestamptz' then
            return value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}'
                and value ~ ':[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})$'
                and value::timestamptz is not null
                and value::timestamptz between '0001-01-01Z' and '9999-12-31T23:59:59.999999Z';
        when 'time' then
            return value ~ '^[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z?$' and value::time is not null;
        else
            return true;
    end case;
exception when data_exception then
    return false;
end
$$
"""


def upgrade() -> None:
    op.create_table(
        "budget",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=True),
        sa.Column("allowed", sa.BigInteger(), nullable=True),
        sa.Column("exhausted_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "observed_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("connection"),
        schema="sync",
        comment="The org's own figure of API requests in the last 24 hours, as of its last answer.",
    )
    op.create_table(
        "connections",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("instance_url", sa.Text(), nullable=False),
        sa.Column(
            "first_seen_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("connection"),
        schema="sync",
        comment="The org behind each connection; another org behind the same settings is refused.",
    )
    op.create_table(
        "coverage",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("covered", postgresql.TSTZMULTIRANGE(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("connection", "object", "source"),
        schema="sync",
        comment="Intervals of SystemModstamp that are complete; changed only in the transaction that closes a window.",
    )
    op.create_table(
        "object_state",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "api", sa.Text(), nullable=True, comment="The API that the org's answers have forced, if any."
        ),
        sa.Column("api_reason", sa.Text(), nullable=True),
        sa.Column(
            "fields",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Columns by field, for all fields ever seen, and which are gone.",
        ),
        sa.Column(
            "drift",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What changed in the org's fields when they changed last, as sentences.",
        ),
        sa.Column("drifted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("described_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("unchanged_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", "object", "source"),
        schema="sync",
        comment="What was learned about an object at run time.",
    )
    op.create_table(
        "rejected_cells",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("rejected_cell_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "record_id",
            sa.Text(),
            nullable=True,
            comment="NULL where the row had no usable Id; then raw holds the whole row.",
        ),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("extract_id", sa.UUID(), nullable=False),
        sa.Column(
            "rejected_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("resolved_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", "rejected_cell_id"),
        schema="sync",
        comment="Values that could not be typed, kept raw. Resolved when a later version of the record types.",
    )
    op.create_index(
        "rejected_cells_open",
        "rejected_cells",
        ["connection", "object", "record_id", "field"],
        unique=True,
        schema="sync",
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "requests",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("request_id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("window_start", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("window_end", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reported_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", "request_id"),
        schema="sync",
        comment="A window that somebody asked for. One that is still open is gone on with by the same request.",
    )
    op.create_index(
        "requests_open",
        "requests",
        ["connection", "object", "source", "created_at"],
        unique=False,
        schema="sync",
    )
    op.create_table(
        "tokens",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column(
            "seed_hash", sa.Text(), nullable=False, comment="Of SF_REFRESH_TOKEN; another one begins anew."
        ),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="The tokens in use, encrypted with a key made from the seed.",
        ),
        sa.Column(
            "refused",
            sa.Text(),
            nullable=True,
            comment="Why the org no longer takes the token; nobody asks again until the seed changes.",
        ),
        sa.Column(
            "changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("connection"),
        schema="sync",
        comment="The one place of a rotating refresh token: its row is locked while it is used.",
    )
    op.create_table(
        "extracts",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("extract_id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("request_id", sa.UUID(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("window_start", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("window_end", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "id_after",
            sa.Text(),
            nullable=True,
            comment="Where one second holds too many rows: only ids above this one …",
        ),
        sa.Column("id_until", sa.Text(), nullable=True, comment="… and up to this one."),
        sa.Column("api", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("soql", sa.Text(), nullable=False),
        sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("api_version", sa.Text(), nullable=False),
        sa.Column("max_records", sa.Integer(), nullable=False),
        sa.Column(
            "page_mode", sa.Text(), nullable=False, comment="How pages are asked for: serial or parallel."
        ),
        sa.Column("expected", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'new'"), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("read_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reported_rows", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection", "request_id"],
            ["sync.requests.connection", "sync.requests.request_id"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection", "extract_id"),
        schema="sync",
        comment="One reading of a window, with everything about it frozen before the job is made.",
    )
    op.create_index(
        "extracts_by_object", "extracts", ["connection", "object", "created_at"], unique=False, schema="sync"
    )
    op.create_table(
        "pages",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("extract_id", sa.UUID(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False, comment="Empty for the first page."),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("next_locator", sa.Text(), nullable=True),
        sa.Column("rows", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("new", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stale", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("revived", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("duplicate", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rejected", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rejected_cells", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("nul_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("seconds", sa.DOUBLE_PRECISION(), nullable=False),
        sa.Column(
            "merged_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["connection", "extract_id"],
            ["sync.extracts.connection", "sync.extracts.extract_id"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection", "extract_id", "locator"),
        schema="sync",
        comment="Written in the transaction of the page's merge, so a page counted here is in the mirror table.",
    )
    op.execute(FITS)


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a backup to go back")
