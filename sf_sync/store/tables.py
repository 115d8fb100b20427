"""sf_sync's own tables in schema `sync`, as SQLAlchemy metadata: what the migrations make and the engines fill.

Mirror tables aren't here: they follow the org's describe. Every key begins with the connection.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, JSONB, TIMESTAMP, TSTZMULTIRANGE, UUID

SCHEMAS = ("salesforce", "salesforce_live", "sync", "delivery", "pima", "geo", "analytics")

metadata = MetaData(schema="sync")


def _moment(
    name: str, *, nullable: bool = True, now: bool = False, comment: str | None = None
) -> Column[datetime]:
    default = text("now()") if now else None
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable, server_default=default, comment=comment)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


connections = Table(
    "connections",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("instance_url", Text, nullable=False),
    _moment("first_seen_at", nullable=False, now=True),
    comment="The org behind each connection; another org behind the same settings is refused.",
)

requests = Table(
    "requests",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("request_id", UUID(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()")),
    Column("organization_id", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    _moment("window_start", nullable=False),
    _moment("window_end", nullable=False),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("error", Text),
    Column("owner", Text, nullable=False),
    Column("run_id", Text),
    _moment("created_at", nullable=False, now=True),
    _moment("finished_at"),
    _moment("reported_at"),
    comment="A window that somebody asked for. One that is still open is gone on with by the same request.",
)
Index("requests_open", requests.c.connection, requests.c.object, requests.c.source, requests.c.created_at)

extracts = Table(
    "extracts",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("extract_id", UUID(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()")),
    Column("request_id", UUID(as_uuid=True), nullable=False),
    Column("organization_id", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("source", Text, nullable=False),
    _moment("window_start", nullable=False),
    _moment("window_end", nullable=False),
    Column("id_after", Text, comment="Where one second holds too many rows: only ids above this one …"),
    Column("id_until", Text, comment="… and up to this one."),
    Column("api", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("soql", Text, nullable=False),
    Column("fields", JSONB, nullable=False),
    Column("api_version", Text, nullable=False),
    Column("max_records", Integer, nullable=False),
    Column("page_mode", Text, nullable=False, comment="How pages are asked for: serial or parallel."),
    Column("expected", BigInteger),
    Column("state", Text, nullable=False, server_default=text("'new'")),
    Column("job_id", Text),
    _moment(
        "job_created_at",
        comment="As the org says: by it a job is known to be the one that was made for this.",
    ),
    _moment("read_at"),
    Column("reported_rows", BigInteger),
    Column("error", Text),
    _moment("created_at", nullable=False, now=True),
    _moment("finished_at"),
    ForeignKeyConstraint(
        ["connection", "request_id"],
        ["sync.requests.connection", "sync.requests.request_id"],
        ondelete="CASCADE",
    ),
    comment="One reading of a window, with everything about it frozen before the job is made.",
)
Index("extracts_by_object", extracts.c.connection, extracts.c.object, extracts.c.created_at)
Index("extracts_by_request", extracts.c.connection, extracts.c.request_id)

pages = Table(
    "pages",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("extract_id", UUID(as_uuid=True), primary_key=True),
    Column("locator", Text, primary_key=True, comment="Empty for the first page."),
    Column("ordinal", Integer, nullable=False),
    Column("next_locator", Text),
    *(
        _count(name)
        for name in (
            "rows",
            "new",
            "updated",
            "unchanged",
            "stale",
            "revived",
            "duplicate",
            "rejected",
            "refreshed",
            "missed",
            "rejected_cells",
            "nul_bytes",
            "bytes",
        )
    ),
    Column("seconds", DOUBLE_PRECISION, nullable=False),
    _moment("merged_at", nullable=False, now=True),
    ForeignKeyConstraint(
        ["connection", "extract_id"],
        ["sync.extracts.connection", "sync.extracts.extract_id"],
        ondelete="CASCADE",
    ),
    comment="Written in the transaction of the page's merge, so a page counted here is in the mirror table.",
)

coverage = Table(
    "coverage",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("covered", TSTZMULTIRANGE, nullable=False, server_default=text("'{}'")),
    _moment("changed_at", nullable=False, now=True),
    comment="Intervals of SystemModstamp that are complete; changed only in the transaction that closes a window.",
)

rejected_cells = Table(
    "rejected_cells",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("rejected_cell_id", BigInteger, Identity(always=True), primary_key=True),
    Column("object", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("record_id", Text, comment="NULL where the row had no usable Id; then raw holds the whole row."),
    Column("field", Text, nullable=False),
    Column("raw", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("extract_id", UUID(as_uuid=True), nullable=False),
    _moment("rejected_at", nullable=False, now=True),
    _moment("resolved_at"),
    comment="Values that could not be typed, kept raw. Resolved when a later version of the record types.",
)
Index(
    "rejected_cells_open",
    rejected_cells.c.connection,
    rejected_cells.c.object,
    rejected_cells.c.record_id,
    rejected_cells.c.field,
    unique=True,
    postgresql_where=rejected_cells.c.resolved_at.is_(None),
)

object_state = Table(
    "object_state",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("api", Text, comment="The API that the org's answers have forced, if any."),
    Column("api_reason", Text),
    Column("fields", JSONB, comment="Columns by field, for all fields ever seen, and which are gone."),
    _moment("described_at"),
    _moment("unchanged_at"),
    _moment("deleted_until", comment="Up to when the org's list of deleted records has been read."),
    _moment("ids_compared_at"),
    Column("reread", JSONB, comment="Up to which _synced_at each parent's changes have been followed."),
    _moment("refreshed_at"),
    comment="What was learned about an object at run time.",
)

tokens = Table(
    "tokens",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("seed_hash", Text, nullable=False, comment="Of SF_REFRESH_TOKEN; another one begins anew."),
    Column("sealed", LargeBinary, comment="The tokens in use, encrypted with a key made from the seed."),
    Column(
        "refused",
        Text,
        comment="Why the org no longer takes the token; nobody asks again until the seed changes.",
    ),
    _moment("changed_at", nullable=False, now=True),
    comment="The one place of a rotating refresh token: its row is locked while it is used.",
)

budget = Table(
    "budget",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("used", BigInteger),
    Column("allowed", BigInteger),
    _moment("exhausted_until"),
    _moment("observed_at", nullable=False, now=True),
    *(
        Column(name, BigInteger)
        for name in ("jobs_left", "jobs_allowed", "result_bytes_left", "result_bytes_allowed")
    ),
    _moment(
        "limits_at", comment="When the org was asked for its limits: query jobs and bytes of their results."
    ),
    comment="The org's own figure of API requests in the last 24 hours, as of its last answer.",
)

schema_changes = Table(
    "schema_changes",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("schema_change_id", BigInteger, Identity(always=True), primary_key=True),
    Column("object", Text, nullable=False),
    Column("source", Text, nullable=False),
    _moment("seen_at", nullable=False, now=True),
    Column("kind", Text, nullable=False, comment="first seen, added, left out, gone, back or retyped."),
    Column("field", Text, nullable=False),
    Column("column", Text, comment="NULL where the field has none."),
    Column("type", Text, comment="The column's type."),
    Column("says", Text, nullable=False),
    comment="How the org's fields have changed, one row a field.",
)
Index("schema_changes_by_object", schema_changes.c.connection, schema_changes.c.object)

absences = Table(
    "absences",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("record_id", Text(collation="C"), primary_key=True),
    _moment("absent_at", nullable=False),
    Column("source", Text, nullable=False),
    Column("found_by", Text, nullable=False, comment="The org's list of deleted records, or a comparison."),
    _moment("deleted_at", comment="As the org says; NULL where a comparison found it."),
    _moment("found_at", nullable=False, now=True),
    _moment("returned_at", comment="When the org was seen to show the record again."),
    comment="Records that are gone from the org: since when that is known, and how it was found.",
)

verifications = Table(
    "verifications",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("verification_id", UUID(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()")),
    Column("object", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("level", Text, nullable=False, comment="deletes, counts, ids or values."),
    Column("outcome", Text, comment="NULL while it runs, or when it broke off."),
    *(
        Column(name, BigInteger)
        for name in ("org_rows", "table_rows", "missing", "absent", "differing", "repaired", "api_calls")
    ),
    Column("says", Text),
    Column("details", JSONB),
    Column("run_id", Text),
    _moment("started_at", nullable=False, now=True),
    _moment("finished_at"),
    comment="Comparisons of the org with the mirror: what differed and what was repaired.",
)
Index(
    "verifications_by_object", verifications.c.connection, verifications.c.object, verifications.c.started_at
)

usage = Table(
    "usage",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("hour", TIMESTAMP(timezone=True), primary_key=True),
    Column("object", Text, primary_key=True, comment="Empty where a request is about no object."),
    Column("operation", Text, primary_key=True),
    _count("calls"),
    _count("bytes"),
    comment="Our own requests to the org: how many, by hour, object and operation.",
)

erasures = Table(
    "erasures",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("erasure_id", UUID(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()")),
    Column("record_id", Text(collation="C"), nullable=False),
    Column("places", JSONB, nullable=False, comment="Rows removed or blanked, by table."),
    Column("asked_by", Text, nullable=False),
    _moment("erased_at", nullable=False, now=True),
    comment="That a person's data was erased, without the data.",
)
