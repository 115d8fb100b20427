"""Can every configured object be read, and how?"""

from __future__ import annotations

from datetime import UTC, datetime

from sf_sync.catalog.columns import shape
from sf_sync.catalog.definition import CatalogError, ObjectDefinition, Source
from sf_sync.doctor.finding import Finding, failed, ok, warning
from sf_sync.mirror import plan
from sf_sync.mirror.ledger import Part
from sf_sync.mirror.window import DAY, Window
from sf_sync.salesforce import rest
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.errors import ObjectMissing, SalesforceError
from sf_sync.salesforce.session import OrgSession


def look(session: OrgSession, definition: ObjectDefinition, *, by_name: bool) -> list[Finding]:
    """One finding for each source object. `by_name`: the user chose the object, so it must be there."""
    return [_look_at(session, definition, source, by_name=by_name) for source in definition.sources]


def _look_at(session: OrgSession, definition: ObjectDefinition, source: Source, *, by_name: bool) -> Finding:
    looked_at = f"object {definition.name} ({source.sobject})"
    now = datetime.now(UTC)
    part = Part(Window(now - DAY, now))
    try:
        described = describe(session, source.sobject).object
        if not described.queryable:
            return failed(
                looked_at, "the org lets nobody query it", f"take {definition.name} out of the catalog"
            )
        one = shape(definition, source, described)
        api = plan.choose_api(definition, one, part, None)
        statement = f"SELECT Id, {one.cursor} FROM {one.sobject} WHERE {plan.condition(one, part)} LIMIT 1"  # noqa: S608
        rest.query(session, statement, f"reading {one.sobject}", operation=plan.operation(one))
    except ObjectMissing as error:
        if by_name:
            return failed(
                looked_at,
                str(error),
                f"grant the user read access, or take {definition.name} out of SF_SYNC_OBJECTS",
            )
        return warning(looked_at, f"{error}; a sync of all objects skips it")
    except CatalogError as error:
        what, _, remedy = str(error).removeprefix(f"{definition.name}: ").partition("; ")
        return failed(looked_at, what, remedy or f"correct the catalog file of {definition.name}")
    except SalesforceError as error:
        return failed(looked_at, str(error), "grant the user read access to the object and its fields")
    unread = len(described.fields) - len(one.fields)
    left_out = f" ({unread} more are compound, files or left out)" if unread else ""
    return ok(
        looked_at, f"readable, {len(one.fields)} fields{left_out}, {_api(definition, one.sobject, api)}"
    )


def _api(definition: ObjectDefinition, sobject: str, api: str) -> str:
    if sobject in plan.NOT_IN_BULK:
        return "by REST, because Bulk refuses it"
    if definition.api != "auto":
        return f"by {api}, as the catalog says"
    return "by Bulk or REST, whichever is cheaper" if api == "bulk" else "by REST"
