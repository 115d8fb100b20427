"""Facts about how the org refuses: the engine decides by these codes and words what to do next."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from sf_sync.doctor.facts.org import ProbedOrg
from sf_sync.doctor.facts.registry import Observed, fact, observed, unknown
from sf_sync.mirror import plan
from sf_sync.salesforce import bulk, rest
from sf_sync.salesforce.describe import describe
from sf_sync.salesforce.errors import (
    BulkRefused,
    LocatorExpired,
    ObjectMissing,
    SalesforceError,
    UnknownField,
)

NO_FIELD = "SfSyncHasNoSuchField__c"
NO_OBJECT = "SfSyncHasNoSuchObject__c"
NO_LOCATOR = "c2Zfc3luYw"
NO_CURSOR = "0r8000000000000AAA-2000"
NO_JOB = "750000000000000AAA"


@fact(
    "A33", "A field that isn't there is refused with INVALID_FIELD and the words No such column, by both APIs"
)
def unknown_fields(org: ProbedOrg) -> Observed:
    statement = f"SELECT Id, {NO_FIELD} FROM {org.sample.shape.sobject} LIMIT 1"  # noqa: S608
    by_rest = _refused(lambda: org.query(statement), UnknownField)
    by_bulk = _refused(lambda: org.create(statement), UnknownField)
    return observed(
        by_rest.verdict == by_bulk.verdict == "holds", f"REST: {by_rest.said}; Bulk: {by_bulk.said}"
    )


@fact("A34", "The describe of an object that isn't there is refused with 404")
def unknown_objects(org: ProbedOrg) -> Observed:
    return _refused(lambda: describe(org.session, NO_OBJECT), ObjectMissing)


@fact("A35", "A REST cursor that is gone is refused with INVALID_QUERY_LOCATOR")
def dead_cursors(org: ProbedOrg) -> Observed:
    path = org.session.path(f"/query/{NO_CURSOR}")
    return _refused(lambda: rest.query_more(org.session, path, "probing"), LocatorExpired)


@fact("A36", "A locator that a job hasn't is refused with INVALIDQUERYLOCATOR")
def dead_locators(org: ProbedOrg) -> Observed:
    return _refused(lambda: org.results(org.job.id, locator=NO_LOCATOR), LocatorExpired)


@fact("A37", "A job that selects an address is refused with the words compound data not supported")
def compound_fields(org: ProbedOrg) -> Observed:
    for name, described in org.describes.items():
        field = next((field.name for field in described.fields if field.type == "address"), None)
        if field is not None and name not in plan.NOT_IN_BULK:
            statement = f"SELECT Id, {field} FROM {name} LIMIT 1"  # noqa: S608
            return _refused(lambda statement=statement: org.create(statement), BulkRefused)  # type: ignore[misc]
    return unknown("no configured object has an address")


@fact("A38", "A job of TaskWhoRelation is refused with the words not supported by the Bulk API")
def relations(org: ProbedOrg) -> Observed:
    name = next((name for name in sorted(plan.NOT_IN_BULK, reverse=True) if name in org.describes), None)
    if name is None:
        return unknown("the org has no Shared Activities, or they are not configured")
    return _refused(lambda: org.create(f"SELECT Id FROM {name} LIMIT 1"), BulkRefused)  # noqa: S608


@fact("A39", "Aborting a job that has ended is refused with INVALIDJOBSTATE")
def ended_jobs(org: ProbedOrg) -> Observed:
    path = org.session.path(f"/jobs/query/{org.job.id}")
    try:
        org.session.json("PATCH", path, "probing", body={"state": "Aborted"})
    except SalesforceError as error:
        return observed(error.code == "INVALIDJOBSTATE", _words(error))
    return observed(False, "it was taken")


@fact("A40", "A job that was deleted is answered with 404")
def deleted_jobs(org: ProbedOrg) -> Observed:
    job_id, version = org.empty_job.id, org.session.api_version
    bulk.delete(org.session, job_id, version=version)
    return _refused(lambda: bulk.info(org.session, job_id, version=version), bulk.JobGone)


@fact("A41", "A resource that isn't there is refused with an errorCode in a JSON array")
def refusals_are_arrays(org: ProbedOrg) -> Observed:
    path = org.session.path(f"/jobs/query/{NO_JOB}")
    try:
        with closing(org.session.send("GET", path, "probing")) as answer:
            return observed(False, f"it was answered with {answer.status_code}")
    except SalesforceError as error:
        return observed(bool(error.code), _words(error))


def _refused(attempt: Callable[[], object], expected: type[SalesforceError]) -> Observed:
    """Whether an attempt is refused, and classed as expected by the code that the engine uses."""
    try:
        attempt()
    except SalesforceError as error:
        return observed(isinstance(error, expected), _words(error))
    return observed(False, "it was taken")


def _words(error: SalesforceError) -> str:
    text = " ".join(str(error).split())
    return f"{error.status} {error.code} ({text[-120:]})"
