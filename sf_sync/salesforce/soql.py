"""Writing SOQL: window conditions and literals. Values are formatted by simple-salesforce, never pasted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from simple_salesforce.format import format_soql


def moment(value: datetime) -> str:
    """A datetime literal in UTC with whole seconds, as SystemModstamp has."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def window_condition(cursor: str, start: datetime, end: datetime) -> str:
    """`start <= cursor < end`: half-open, so that neighbouring windows share no row and miss none (trap C2)."""
    return f"{cursor} >= {moment(start)} AND {cursor} < {moment(end)}"


def select(fields: Sequence[str], sobject: str, where: str) -> str:
    """A flat query, without ORDER BY or LIMIT: either would switch off automatic chunking in Bulk."""
    return f"SELECT {', '.join(fields)} FROM {sobject} WHERE {where}"  # noqa: S608 - names come from describe


def count(sobject: str, where: str) -> str:
    """A query whose totalSize is the number of rows."""
    return f"SELECT COUNT() FROM {sobject} WHERE {where}"  # noqa: S608 - names come from describe


def literal(value: str) -> str:
    """A quoted and escaped string literal."""
    quoted: str = format_soql("{}", value)
    return quoted
