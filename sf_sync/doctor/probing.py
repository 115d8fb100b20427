"""Runs the checks of docs/assumptions.md against the org. Reads, makes two or three query jobs and deletes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.doctor.facts import FACTS
from sf_sync.doctor.facts.org import ProbedOrg
from sf_sync.doctor.facts.registry import Fact, Observed, unknown
from sf_sync.doctor.finding import Finding, Mark
from sf_sync.salesforce.errors import DailyLimitReached, SalesforceError, TransientError
from sf_sync.salesforce.session import OrgSession

LOOKED_AT = "facts of the wire"
MARKS: dict[str, Mark] = {"holds": "ok", "differs": "failed", "unknown": "warning"}


def probe(session: OrgSession, definitions: Sequence[ObjectDefinition]) -> Iterator[Finding]:
    """One finding for each fact, in the order of their ids. Raises SalesforceError where there is nothing to see."""
    org = ProbedOrg(session, definitions)
    try:
        _ = org.sample
        for one in sorted(FACTS.values(), key=lambda fact: fact.id):
            yield _finding(one, _check(one, org))
    finally:
        org.close()


def _check(one: Fact, org: ProbedOrg) -> Observed:
    try:
        return one.check(org)
    except (TransientError, DailyLimitReached) as error:
        return unknown(str(error))
    except SalesforceError as error:
        return Observed("differs", str(error))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        return Observed("differs", f"an answer of another shape ({type(error).__name__}: {error})")


def _finding(one: Fact, observed: Observed) -> Finding:
    said = "could not tell" if observed.verdict == "unknown" else "observed"
    remedy = f"read {one.id} in docs/assumptions.md and report it" if observed.verdict == "differs" else None
    return Finding(MARKS[observed.verdict], f"{one.id} {one.expects}", f"{said}: {observed.said}", remedy)
