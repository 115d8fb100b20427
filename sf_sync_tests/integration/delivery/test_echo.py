"""What we write to Salesforce makes it push to CommCare, which forwards it to us: the circle ends there (trap F16)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest

from sf_sync.commcare.session import CommCareSession
from sf_sync.delivery.destinations.commcare import CommCareDestination
from sf_sync.delivery.destinations.org_schema import OrgSchema
from sf_sync.delivery.destinations.salesforce import SalesforceDestination
from sf_sync.delivery.sources import COMMCARE, SALESFORCE, Source
from sf_sync.delivery.worker import Worker
from sf_sync.pima.callouts_destination import load_documents
from sf_sync.pima.folders import load_registry
from sf_sync.salesforce.session import OrgSession
from sf_sync.sandbox.commcare import LocalCommCare
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import POLICY, Deliveries
from sf_sync_tests.unit.delivery.callouts import callout, load_callouts
from sf_sync_tests.unit.delivery.samples import sample

GROUP = "a0TDM0000001G01AA2"


@pytest.fixture
def commcare() -> Iterator[LocalCommCare]:
    """An empty project space."""
    with LocalCommCare() as running:
        yield running


@pytest.fixture
def worker(database: Database, delivering: OrgSession, commcare: LocalCommCare) -> Iterator[Worker]:
    """A worker with the mappings of both sources."""
    schema = OrgSchema(delivering)
    with CommCareSession(commcare.url, commcare.domain, commcare.username, commcare.api_key) as session:
        yield Worker(
            database,
            CONNECTION,
            {
                COMMCARE.name: load_registry(COMMCARE.name, {"salesforce": schema}),
                SALESFORCE.name: load_callouts(),
            },
            {
                "salesforce": SalesforceDestination(delivering, schema=schema, first_wait_s=0.001),
                "commcare": CommCareDestination(session, load_documents(), receiver_tag="GCP_Forms"),
            },
            POLICY,
        )


def pushed_by_the_org(participants: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The callout that the org's automation makes of participants that are to be in CommCare."""
    record = callout("participant")["participants"][0]
    return {
        **callout("participant"),
        "id": "a-callout-of-the-org",
        "participants": [
            {
                **record,
                "commCareCaseId": one["CommCare_Case_Id__c"],
                "status": one["Status__c"],
                "trainingGroupId": GROUP,
            }
            for one in participants
        ],
    }


def test_a_registration_that_salesforce_pushes_back_comes_to_rest(
    forms: Deliveries, worker: Worker, org: LocalOrg, commcare: LocalCommCare, db: psycopg.Connection[Any]
) -> None:
    forwarded: list[Mapping[str, Any]] = []
    commcare.space.listeners.append(forwarded.append)

    def arrive(source: Source, *documents: Mapping[str, Any]) -> None:
        routing_name = worker.routers[source.name].routing_name  # type: ignore[attr-defined]
        forms.deliver(*(source.read(json.dumps(one).encode(), routing_name) for one in documents))

    registration = sample("farmer_registration__existing_household_replaces_primary")
    arrive(SALESFORCE, callout("project_role"), callout("training_group"))
    arrive(COMMCARE, registration)
    participants = [one for one in org.truth("Participant__c") if one["Create_In_CommCare__c"]]
    assert participants

    arrive(SALESFORCE, pushed_by_the_org(participants))
    assert {str(one["CommCare_Case_Id__c"]) for one in participants} <= commcare.cases.keys()
    documents, truth = len(commcare.calls), org.truth("Participant__c")

    arrive(COMMCARE, *forwarded)

    assert len(forwarded) == 2 + len(participants)
    assert len(commcare.calls) == documents
    assert org.truth("Participant__c") == truth
    assert set(forms.statuses().values()) == {"completed"}
    assert db.execute(
        "select state, reason, count(*) from delivery.inbox where source = 'commcare' group by 1, 2 order by 1"
    ).fetchall() == [
        ("ignored", "sf_sync has written this form itself", len(forwarded)),
        ("planned", None, 1),
    ]
