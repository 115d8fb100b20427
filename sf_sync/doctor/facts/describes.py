"""Facts about describes and about what a deletion leaves to be seen."""

from __future__ import annotations

from datetime import datetime, timedelta

from sf_sync.catalog.columns import TYPES, UNREAD_TYPES
from sf_sync.doctor.facts.org import ProbedOrg
from sf_sync.doctor.facts.registry import Observed, fact, observed, unknown
from sf_sync.salesforce import rest, soql

TEXT_TYPES = frozenset(
    {
        "string", "textarea", "picklist", "multipicklist", "phone", "email", "url", "combobox", "encryptedstring",
        "anyType", "byte",
    }
)  # fmt: skip
LOOKED_BACK = timedelta(days=14)
LOOKED_AT = 50
ROUNDING = timedelta(seconds=2)


@fact("A42", "Every field type is one that we have a column type for, or know to be unreadable")
def types_are_known(org: ProbedOrg) -> Observed:
    known = {*TYPES, *UNREAD_TYPES, *TEXT_TYPES}
    found = {field.type for described in org.describes.values() for field in described.fields}
    strange = sorted(found - known)
    return observed(
        not strange,
        f"{len(found)} types in {len(org.describes)} objects; unknown: {', '.join(strange) or 'none'}",
    )


@fact("A43", "The components of an address name it in compoundFieldName")
def components_name_their_compound(org: ProbedOrg) -> Observed:
    found = {}
    for name, described in org.describes.items():
        for address in (field.name for field in described.fields if field.type == "address"):
            parts = [field.name for field in described.fields if field.compound_field_name == address]
            found[f"{name}.{address}"] = len(parts)
    if not found:
        return unknown("no configured object has an address")
    said = ", ".join(f"{name} has {parts}" for name, parts in found.items())
    return observed(all(found.values()), said)


@fact("A44", "A deletion moves SystemModstamp")
def deletions_move_the_stamp(org: ProbedOrg) -> Observed:
    until = org.now
    for name, described in org.describes.items():
        if not described.replicateable or described.field("SystemModstamp") is None:
            continue
        span = {"start": soql.moment(until - LOOKED_BACK), "end": soql.moment(until)}
        path = org.session.path(f"/sobjects/{name}/deleted")
        deleted = org.session.json("GET", path, "probing", params=span).body["deletedRecords"][-LOOKED_AT:]
        moments = {row["id"]: datetime.fromisoformat(row["deletedDate"]) for row in deleted}
        if not moments:
            continue
        ids = ", ".join(soql.literal(record) for record in moments)
        statement = f"SELECT Id, SystemModstamp FROM {name} WHERE Id IN ({ids}) AND IsDeleted = true"  # noqa: S608
        rows = rest.query(org.session, statement, "probing", operation="queryAll").records
        if rows:
            late = [
                row["Id"]
                for row in rows
                if datetime.fromisoformat(row["SystemModstamp"]) < moments[row["Id"]] - ROUNDING
            ]
            return observed(
                not late, f"{name}: {len(rows)} deleted rows, {len(late)} with a stamp before the deletion"
            )
    return unknown("nothing was deleted during the last 14 days")
