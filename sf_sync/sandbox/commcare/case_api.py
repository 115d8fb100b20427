"""Case API v2: `GET /a/{domain}/api/case/v2/{id}`, several ids by comma, and `bulk-fetch`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import unquote

from sf_sync.sandbox.http import Call, Reply, json_reply

from . import stamps
from .cases import Case
from .space import ProjectSpace

MOST_IDS = 5_000


def answer(space: ProjectSpace, call: Call, which: str) -> Reply:
    """One case, or several in the order of their ids with a stub for each that isn't there."""
    name = unquote(which).strip("/")
    if name == "bulk-fetch":
        return _bulk(space, call)
    if call.method != "GET" or not name:
        return json_reply({"error": "This local project space doesn't have that part of the case API."}, 405)
    if "," in name:
        return _several(space, name.split(","))
    found = space.cases.get(name)
    if found is None:
        return json_reply({"error": f"Case '{name}' not found"}, 404)
    return json_reply(rendered(space.domain, found))


def rendered(domain: str, case: Case) -> dict[str, Any]:
    """A case as the API writes it."""
    return {
        "domain": domain,
        "case_id": case.case_id,
        "case_type": case.case_type,
        "case_name": case.case_name,
        "external_id": case.external_id or None,
        "owner_id": case.owner_id,
        "date_opened": stamps.write(case.opened),
        "last_modified": stamps.write(case.modified),
        "server_last_modified": stamps.write(case.server_modified),
        "indexed_on": stamps.write(case.server_modified),
        "closed": case.closed is not None,
        "date_closed": None if case.closed is None else stamps.write(case.closed),
        "properties": dict(case.properties),
        "indices": {name: asdict(index) for name, index in case.indices.items()},
    }


def _bulk(space: ProjectSpace, call: Call) -> Reply:
    if call.method != "POST":
        return json_reply({"error": "Use POST."}, 405)
    body = call.json_object()
    case_ids, external_ids = body.get("case_ids", []), body.get("external_ids", [])
    if not case_ids and not external_ids:
        return json_reply({"error": "Payload must include 'case_ids' or 'external_ids' fields"}, 400)
    if len(case_ids) + len(external_ids) > MOST_IDS:
        return json_reply({"error": f"You cannot request more than {MOST_IDS} cases per request."}, 400)
    return _several(space, case_ids, external_ids)


def _several(space: ProjectSpace, case_ids: list[str], external_ids: list[str] | None = None) -> Reply:
    by_external = {case.external_id: case for case in space.cases.values() if case.external_id}
    asked = [("case_id", name, space.cases.get(name)) for name in case_ids]
    asked += [("external_id", name, by_external.get(name)) for name in external_ids or []]
    rows = [
        {kind: name, "error": "not found"} if case is None else rendered(space.domain, case)
        for kind, name, case in asked
    ]
    missing = sum("error" in row for row in rows)
    return json_reply({"matching_records": len(rows) - missing, "missing_records": missing, "cases": rows})
