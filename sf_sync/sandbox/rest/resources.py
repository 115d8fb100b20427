"""Versions, resource list, limits, describes and single records (protocol §2.1, §2.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from sf_sync.sandbox.describe import describe_global, describe_object, flags
from sf_sync.sandbox.errors import ApiError, not_found
from sf_sync.sandbox.http import Call, Reply, json_reply, raw_json
from sf_sync.sandbox.org import RELEASES, Org
from sf_sync.sandbox.schema import ObjectType
from sf_sync.sandbox.soql import execute
from sf_sync.sandbox.soql.parser import parse

from .records import records

RESOURCES = ("tooling", "metadata", "eclair", "sobjects", "search", "query", "queryAll", "limits", "jobs",
             "composite", "recent", "parameterizedSearch", "theme", "ui-api", "actions")  # fmt: skip


def versions() -> Reply:
    """`GET /services/data`: needs no token and is not counted."""
    rows = [{"label": label, "url": f"/services/data/v{v}", "version": v} for v, label in RELEASES.items()]
    return json_reply(rows)


def root(org: Org, call: Call) -> Reply:
    """`GET /services/data/vXX.X`: name → path."""
    base = f"/services/data/v{call.version}"
    identity = f"https://login.salesforce.com/id/{org.id}/{call.user}"
    return json_reply({name: f"{base}/{name}" for name in RESOURCES} | {"identity": identity})


def limits(org: Org, call: Call) -> Reply:
    """`GET limits`."""
    return json_reply(org.limits.report())


def sobjects(org: Org, call: Call) -> Reply:
    """`GET sobjects`: the global describe."""
    return _unless_unchanged(org, call) or json_reply(
        describe_global(org.seen_by(call.user).values(), call.version)
    )


def describe(org: Org, call: Call, name: str) -> Reply:
    """`GET sobjects/X/describe`."""
    kind = find_kind(org, call, name)
    return _unless_unchanged(org, call) or json_reply(
        describe_object(kind, org.seen_by(call.user), call.version),
        headers={"Last-Modified": _last_modified(org)},
    )


def basic(org: Org, call: Call, name: str) -> Reply:
    """`GET sobjects/X`."""
    return json_reply({"objectDescribe": flags(find_kind(org, call, name), call.version), "recentItems": []})


def record(org: Org, call: Call, name: str, record_id: str) -> Reply:
    """`GET sobjects/X/<id>[?fields=A,B]`."""
    kind = find_kind(org, call, name)
    table = org.tables[kind.name]
    slot = table.slot(record_id)
    if slot is None:
        raise not_found()
    if not table.live(slot):
        raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted", ())
    fields = call.params.get("fields") or ",".join(f.name for f in kind.visible)
    soql = f"SELECT {fields} FROM {kind.name} WHERE Id = '{record_id}'"  # noqa: S608 - SOQL, from a checked id
    found = execute.select(parse(soql), org.seen_by(call.user), org.tables, everything=False, today=org.today)
    return raw_json(records(found, 0, 1, call.version)[0])


def find_kind(org: Org, call: Call, name: str) -> ObjectType:
    """A visible object by the name in a path; 404 where there is none."""
    kind = org.kind(name, call.user)
    if kind is None:
        raise not_found()
    return kind


def _last_modified(org: Org) -> str:
    return format_datetime(datetime.fromtimestamp(int(org.schema_changed), UTC), usegmt=True)


def _unless_unchanged(org: Org, call: Call) -> Reply | None:
    since = call.headers.get("if-modified-since")
    if since is None:
        return None
    try:
        moment = parsedate_to_datetime(since)
    except ValueError:
        return None
    return Reply(304) if moment.timestamp() >= int(org.schema_changed) else None
