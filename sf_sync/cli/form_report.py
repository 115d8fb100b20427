"""How the command shows a record and what became of it, and a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sf_sync.cli.console import out, table
from sf_sync.delivery.mapping.plan import Operation, Plan
from sf_sync.delivery.status import RecordStatus


def say_record(found: RecordStatus) -> None:
    """Print a record, its deliveries, operations and tries."""
    out.print(f"{found.source} {found.record_id}: {found.kind or 'no routing name'}", highlight=False)
    out.print(
        f"received {found.received_at:%Y-%m-%d %H:%M:%S} UTC, {found.body_bytes:,} bytes, "
        f"{found.duplicates} times again; {found.reason or found.state}",
        highlight=False,
        soft_wrap=True,
    )
    for one in found.deliveries:
        wait = f", next try {one.next_attempt_at:%Y-%m-%d %H:%M:%S} UTC" if one.next_attempt_at else ""
        behind = f", waits for {one.waits_for}" if one.waits_for else ""
        why = f": {one.error_code}: {one.error}" if one.error_code else ""
        out.print(
            f"{one.mapping}: {one.status}{wait}{behind}{why}", markup=False, highlight=False, soft_wrap=True
        )
    if found.operations:
        rows = table("operation", "does", "key", "outcome", "record", "why")
        for operation in found.operations:
            rows.add_row(
                operation.operation_id,
                f"{operation.op} {operation.object}",
                _key(operation.key),
                operation.outcome or "unknown",
                operation.target_id or "",
                operation.note or operation.error or "",
            )
        out.print(rows)
    if found.attempts:
        rows = table("try", "worker", "outcome", "why")
        for attempt in found.attempts:
            why = f"{attempt.step}: {attempt.error_code}: {attempt.error}" if attempt.error_code else ""
            rows.add_row(
                f"{attempt.started_at:%Y-%m-%d %H:%M:%S}", attempt.worker, attempt.outcome or "under way", why
            )
        out.print(rows)


def say_plan(plan: Plan) -> None:
    """Print a plan: its operations, what was skipped, what could not be used."""
    out.print(
        f"lane {plan.lane or 'of the record'}, event {plan.event_time or 'as received'}", highlight=False
    )
    rows = table("level", "operation", "does", "key", "fields")
    for one in plan.operations:
        rows.add_row(str(one.level), one.id, f"{one.op} {one.object}", _key(one.key), _fields(one))
    out.print(rows)
    for skipped in plan.skipped:
        out.print(f"skipped {skipped.step}: {skipped.reason}", markup=False, highlight=False, soft_wrap=True)
    for warning in plan.warnings:
        place = ", ".join(filter(None, (warning.step, warning.field)))
        out.print(f"warning {place}: {warning.message}", markup=False, highlight=False, soft_wrap=True)


def _fields(operation: Operation) -> str:
    parts = [f"{name}={value!r}" for name, value in operation.fields.items()]
    parts += [f"{name} → {one.object} {_key(one.key)}" for name, one in operation.references.items()]
    return ", ".join(parts)


def _key(key: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in key.items())
