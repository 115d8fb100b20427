"""Facts about every answer: the token's, the clock in its headers, the budget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sf_sync.doctor.facts.org import ProbedOrg
from sf_sync.doctor.facts.registry import Observed, fact, observed, unknown
from sf_sync.salesforce import rest

CLOCK_OFF = timedelta(seconds=5)


@fact("A01", "The token's identity URL ends in the 18-character id of the org and the user's")
def token_names_the_org(org: ProbedOrg) -> Observed:
    told = org.session.token.organization_id
    if told is None:
        return unknown("the sign-in told no identity URL, as with a given access token")
    asked = rest.query(org.session, "SELECT Id FROM Organization", "probing").records[0]["Id"]
    return observed(told == asked, f"the sign-in told {told}, the org is {asked}")


@fact("A02", "Every answer has a Date header, on the clock that stamps records")
def date_is_the_orgs_clock(org: ProbedOrg) -> Observed:
    stamped = datetime.fromisoformat(org.created.body["createdDate"]).astimezone(UTC)
    off = abs(org.created.server_time - stamped)
    said = f"the header said {org.created.server_time:%H:%M:%S}, the job was created at {stamped:%H:%M:%S}"
    return observed(off <= CLOCK_OFF, said)


@fact("A03", "REST answers tell the daily requests used and allowed in Sforce-Limit-Info")
def usage_is_told(org: ProbedOrg) -> Observed:
    org.query(f"SELECT Id FROM {org.sample.shape.sobject} LIMIT 1")  # noqa: S608 - a name from describe
    usage = org.session.usage
    return observed(
        usage is not None, f"{usage.used} of {usage.allowed}" if usage else "no such header, or none read"
    )


@fact("A04", "The limits resource has DailyApiRequests and DailyBulkV2QueryJobs with Max and Remaining")
def limits_are_told(org: ProbedOrg) -> Observed:
    limits = org.session.json("GET", org.session.path("/limits"), "probing").body
    said = {name: limits.get(name) for name in ("DailyApiRequests", "DailyBulkV2QueryJobs")}
    good = all(value and {"Max", "Remaining"} <= value.keys() for value in said.values())
    return observed(good, "; ".join(f"{name}: {value}" for name, value in said.items()))
