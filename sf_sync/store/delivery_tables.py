"""The delivery's tables in schema `delivery`, as SQLAlchemy metadata. Every key begins with the connection.

Names by which rows are locked in order are COLLATE "C": the order must be the one that Python sorts by.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID

SCHEMA = "delivery"

metadata = MetaData(schema=SCHEMA)

tokens = Sequence("tokens", metadata=metadata)


def _moment(
    name: str, *, nullable: bool = True, now: bool = False, comment: str | None = None
) -> Column[datetime]:
    default = text("now()") if now else None
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable, server_default=default, comment=comment)


def _count(name: str, comment: str | None = None) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"), comment=comment)


inbox = Table(
    "inbox",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("receipt_id", UUID(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()")),
    Column("arrival", BigInteger, Identity(always=True), nullable=False, comment="Order of arrival."),
    Column("source", Text, nullable=False),
    Column("record_id", Text(collation="C"), nullable=False),
    Column("version", BigInteger, nullable=False, comment="Orders what one record has been."),
    Column("kind", Text, comment="The routing name; NULL where the record doesn't say."),
    Column("state", Text, nullable=False, comment="new, planned or ignored."),
    Column("reason", Text, comment="Why a record is ignored."),
    Column("body", LargeBinary, comment="As it arrived; NULL once it is purged."),
    Column("body_bytes", Integer, nullable=False),
    Column("about", JSONB, nullable=False, server_default=text("'{}'")),
    _count("duplicates", "How often the same version arrived again."),
    _moment("modified_at", nullable=False, comment="When the source last changed the record."),
    _moment("received_at", nullable=False, now=True),
    _moment("planned_at"),
    _moment("purged_at"),
    comment="Every record that arrived, raw.",
)
Index(
    "inbox_record",
    inbox.c.connection,
    inbox.c.source,
    inbox.c.record_id,
    inbox.c.version,
    unique=True,
)
Index("inbox_new", inbox.c.connection, inbox.c.arrival, postgresql_where=inbox.c.state == "new")
Index("inbox_received", inbox.c.connection, inbox.c.received_at)
Index(
    "inbox_unplanned",
    inbox.c.connection,
    inbox.c.kind,
    inbox.c.modified_at,
    postgresql_where=text("state in ('new', 'ignored')"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("delivery_id", BigInteger, Identity(always=True), primary_key=True),
    Column("receipt_id", UUID(as_uuid=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("record_id", Text(collation="C"), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("mapping_hash", Text),
    Column("versions", Text, nullable=False, comment="latest or every."),
    Column("destination", Text, nullable=False),
    Column("lane", Text(collation="C"), nullable=False),
    Column("plan", JSONB, comment="NULL where none could be made, and once it is purged."),
    _moment("event_time", nullable=False, comment="When the record's event happened; orders a lane."),
    _moment("modified_at", nullable=False),
    Column("run", Integer, nullable=False, server_default=text("1"), comment="Counts redeliveries."),
    Column("status", Text, nullable=False),
    _moment("next_attempt_at", comment="Not before this moment; NULL is at once."),
    Column("blocked_by", BigInteger, comment="The delivery of the same lane whose targets this one shares."),
    _moment("blocks_until", comment="Until when a failure holds back what shares a target with it."),
    Column("after_gap", Boolean, nullable=False, server_default=text("false")),
    _count("failures", "Outcomes that failed in this run."),
    _count("lost_claims", "Claims that ended without an outcome in this run."),
    Column("token", BigInteger),
    Column("error_class", Text),
    Column("error_code", Text),
    Column("error", Text, comment="Without personal data."),
    Column("superseded_by", UUID(as_uuid=True)),
    _moment("first_failed_at"),
    _moment("created_at", nullable=False, now=True),
    _moment("changed_at", nullable=False, now=True),
    _moment("finished_at"),
    ForeignKeyConstraint(
        ["connection", "receipt_id"], ["delivery.inbox.connection", "delivery.inbox.receipt_id"]
    ),
    comment="(record, version, mapping) being carried out.",
)
_WAITING = text("status in ('new', 'failed', 'processing')")
Index(
    "deliveries_record",
    deliveries.c.connection,
    deliveries.c.source,
    deliveries.c.record_id,
    deliveries.c.version,
    deliveries.c.mapping,
    unique=True,
)
Index(
    "deliveries_in_order",
    deliveries.c.connection,
    deliveries.c.lane,
    deliveries.c.event_time,
    deliveries.c.record_id,
    deliveries.c.version,
    deliveries.c.delivery_id,
    postgresql_where=_WAITING,
)
Index(
    "deliveries_next",
    deliveries.c.connection,
    deliveries.c.lane,
    deliveries.c.next_attempt_at.nulls_first(),
    postgresql_where=_WAITING,
)
Index(
    "deliveries_troubled",
    deliveries.c.connection,
    deliveries.c.lane,
    postgresql_where=text("status in ('failed', 'dead')"),
)
Index(
    "deliveries_blocked",
    deliveries.c.connection,
    deliveries.c.blocked_by,
    postgresql_where=deliveries.c.blocked_by.is_not(None),
)
Index("deliveries_receipt", deliveries.c.connection, deliveries.c.receipt_id)
Index("deliveries_day", deliveries.c.connection, deliveries.c.mapping, deliveries.c.modified_at)
Index("deliveries_status", deliveries.c.connection, deliveries.c.status, deliveries.c.changed_at)

lanes = Table(
    "lanes",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("lane", Text(collation="C"), primary_key=True),
    _moment("due_at", comment="When the lane may be claimed: work is due, or the lease has run out."),
    Column("token", BigInteger, nullable=False, server_default=text("0")),
    Column("owner", Text),
    _moment("leased_until"),
    comment="Lanes in which something waits. Who holds one writes with its token, which nobody had before.",
)
Index("lanes_due", lanes.c.connection, lanes.c.due_at)

operations = Table(
    "operations",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("delivery_id", BigInteger, primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("operation_id", Text, primary_key=True),
    Column("step", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("op", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("key", JSONB, nullable=False),
    Column("outcome", Text, comment="ok or failed; NULL: sent, and not known what came of it."),
    Column("target_id", Text, comment="The id of the written record at its destination."),
    Column("created", Boolean),
    Column("note", Text),
    Column("error_class", Text),
    Column("error_code", Text),
    Column("error", Text, comment="Without personal data."),
    _count("sent", "How often it was sent."),
    _moment("sent_at"),
    _moment("done_at"),
    ForeignKeyConstraint(
        ["connection", "delivery_id"],
        ["delivery.deliveries.connection", "delivery.deliveries.delivery_id"],
        ondelete="CASCADE",
    ),
    comment="Operations that were sent, and what came of each.",
)

attempts = Table(
    "attempts",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("attempt_id", BigInteger, Identity(always=True), primary_key=True),
    Column("delivery_id", BigInteger, nullable=False),
    Column("run", Integer, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("worker", Text, nullable=False),
    _moment("started_at", nullable=False, now=True),
    _moment("finished_at"),
    Column("outcome", Text, comment="completed, failed, dead, put off or lost; NULL while it is under way."),
    Column("step", Text, comment="The step that failed."),
    Column("error_class", Text),
    Column("error_code", Text),
    Column("error", Text, comment="Without personal data."),
    ForeignKeyConstraint(
        ["connection", "delivery_id"],
        ["delivery.deliveries.connection", "delivery.deliveries.delivery_id"],
        ondelete="CASCADE",
    ),
    comment="Every try of a delivery.",
)
Index("attempts_delivery", attempts.c.connection, attempts.c.delivery_id, attempts.c.attempt_id)

applied = Table(
    "applied",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("object", Text(collation="C"), primary_key=True),
    Column("key", Text(collation="C"), primary_key=True),
    Column(
        "fields",
        JSONB,
        nullable=False,
        server_default=text("'{}'"),
        comment="By field: [microseconds of the event, record, version].",
    ),
    Column("holder", BigInteger, comment="The token under which the target is being written."),
    _moment("held_until"),
    _moment("written_at", nullable=False, now=True),
    comment="Which event each field of a target was last written for.",
)
Index("applied_written", applied.c.connection, applied.c.written_at)

awaited = Table(
    "awaited",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("object", Text(collation="C"), primary_key=True),
    Column("key", Text(collation="C"), primary_key=True),
    Column("delivery_id", BigInteger, primary_key=True),
    ForeignKeyConstraint(
        ["connection", "delivery_id"],
        ["delivery.deliveries.connection", "delivery.deliveries.delivery_id"],
        ondelete="CASCADE",
    ),
    comment="Targets that a failed delivery has not found; one that is written ends its wait.",
)
Index("awaited_delivery", awaited.c.connection, awaited.c.delivery_id)

audit = Table(
    "audit",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("audit_id", BigInteger, Identity(always=True), primary_key=True),
    _moment("at", nullable=False, now=True),
    Column("who", Text, nullable=False, comment="The name of the key by which it was asked."),
    Column("role", Text, nullable=False, comment="operator or admin."),
    Column("action", Text, nullable=False),
    Column("asked", JSONB, nullable=False, server_default=text("'{}'"), comment="Without personal data."),
    Column("records", BigInteger, comment="How many records it concerned."),
    comment="What people asked of the delivery over HTTP: every change, and every look at personal data.",
)
Index("audit_at", audit.c.connection, audit.c.at)

pulls = Table(
    "pulls",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    _moment("read_to", nullable=False, comment="Everything that the source indexed before is stored."),
    _moment("pulled_at", nullable=False, now=True),
    comment="How far a source was read for records that it never handed over.",
)
