"""The places where the delivery keeps data of records: bodies, plans, attempts, keys of what was written."""

from __future__ import annotations

from psycopg import sql

from sf_sync.store.place import Place

# How the records are named: by their ids, and by the keys under which forms wrote them. A name of less than eight
# characters is found in too much that isn't about them.
NAMES = """
    names as materialized (
        select left(one, 15) as name from unnest(%(ids)s::text[]) one
        union select named.value from delivery.operations o, jsonb_each_text(o.key) named
        where o.target_id = any(%(ids)s) and length(named.value) >= 8
    )
"""
IN_BODY = "exists (select from names where position(convert_to(name, 'UTF8') in t.body) > 0)"
IN_PLAN = "exists (select from names where position(name in t.plan::text) > 0)"
IN_KEY = """exists (
    select from names where position(name in t.key::text) > 0 or position(lower(name) in t.key::text) > 0)"""
WRITTEN = """(t.connection, t.delivery_id) in (
    select o.connection, o.delivery_id from delivery.operations o where o.target_id = any(%(ids)s))"""
OF_WRITTEN = """(t.connection, t.receipt_id) in (
    select d.connection, d.receipt_id from delivery.deliveries d
    join delivery.operations o using (connection, delivery_id) where o.target_id = any(%(ids)s))"""


def delivery_places() -> list[Place]:
    """Where forms about records leave traces, in the order in which they can be removed.

    A form about several people is blanked as a whole. What was not delivered yet never is: it is dead then.
    """
    return [
        _deleted(
            "attempts",
            f"""(t.connection, t.delivery_id) in (
                select t.connection, t.delivery_id from delivery.deliveries t where {IN_PLAN} or {WRITTEN})""",  # noqa: S608 - constants
        ),
        _blanked(
            "deliveries",
            f"t.plan is not null and ({IN_PLAN} or {WRITTEN})",
            """
            plan = null, changed_at = now(), next_attempt_at = null,
            status = case when status in ('new', 'failed', 'held') then 'dead' else status end,
            error_class = case when status in ('new', 'failed', 'held') then 'permanent' else error_class end,
            error_code = case when status in ('new', 'failed', 'held') then 'ERASED' else error_code end,
            error = case when status in ('new', 'failed', 'held') then 'it was about a person who was erased'
                else error end
            """,
        ),
        _blanked(
            "inbox",
            f"t.body is not null and ({IN_BODY} or {OF_WRITTEN})",
            "body = null, about = '{}', purged_at = now()",
        ),
        _deleted("applied", IN_KEY),
        _deleted("awaited", IN_KEY),
        # The last, because the names are found by them.
        _deleted("operations", f"(t.target_id = any(%(ids)s) or {IN_KEY})"),
    ]


def _deleted(table: str, condition: str) -> Place:
    return Place(
        f"delivery.{table}",
        _rows(table, condition),
        (_composed(f"with {NAMES} delete from delivery.{table} t where {condition}"),),  # noqa: S608 - constants
    )


def _blanked(table: str, condition: str, changes: str) -> Place:
    return Place(
        f"delivery.{table}",
        _rows(table, condition),
        (_composed(f"with {NAMES} update delivery.{table} t set {changes} where {condition}"),),  # noqa: S608
    )


def _rows(table: str, condition: str) -> sql.Composed:
    return _composed(f"from (with {NAMES} select from delivery.{table} t where {condition}) as found")


def _composed(text: str) -> sql.Composed:
    return sql.Composed([sql.SQL(text)])
