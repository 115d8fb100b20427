"""Observations and farm visits, from their sample forms to records of the org."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sf_sync.delivery.destinations.org_schema import OrgSchema
from sf_sync.delivery.destinations.salesforce import SalesforceDestination
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.mapping.values import coerce, lookup_field
from sf_sync.delivery.records import Incoming
from sf_sync.delivery.sources import COMMCARE
from sf_sync.delivery.worker import Worker
from sf_sync.pima.folders import load_registry
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import POLICY, Deliveries

ByKey = Callable[[str, str], dict[str, dict[str, object]]]
SAMPLES = Path(__file__).parents[2] / "samples" / "commcare"
FORMS = (
    "training_observation",
    "demo_plot_observation",
    "farm_visit_full",
    "farm_visit_full__et",
    "farm_visit_full__bu",
    "farm_visit_aa",
)


@pytest.fixture
def registry(delivering: OrgSession) -> Registry:
    """The mappings of PIMA's forms, with the org's own types."""
    return load_registry(COMMCARE.name, {"salesforce": OrgSchema(delivering)})


@pytest.fixture
def worker(database: Database, delivering: OrgSession, registry: Registry) -> Worker:
    """A worker for CommCare's forms."""
    destination = SalesforceDestination(delivering, first_wait_s=0.001)
    return Worker(database, CONNECTION, {COMMCARE.name: registry}, {"salesforce": destination}, POLICY)


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_bytes())
    return found


def on_the_wire(value: object) -> object:
    """What the org holds, as JSON would spell it."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


def form(registry: Registry, document: dict[str, Any]) -> Incoming:
    return COMMCARE.read(json.dumps(document).encode(), registry.routing_name)


@pytest.mark.parametrize("name", FORMS)
def test_the_org_has_what_the_sample_expects(
    registry: Registry, forms: Deliveries, delivering: OrgSession, by_key: ByKey, name: str
) -> None:
    assert forms.deliver(form(registry, sample(name))).outcomes == {"completed": 1}

    schema = OrgSchema(delivering)
    expected = json.loads((SAMPLES / "expected" / f"{name}.expected.json").read_bytes())
    for write in expected["salesforce"]:
        ((field, key),) = write["key"].items()
        record = by_key(write["object"], field)[key]
        for said, value in write["fields"].items():
            if isinstance(value, dict):
                assert record[lookup_field(said)] is not None, (write["object"], said)
            else:
                field_type = schema.field_type(write["object"], said)
                assert field_type is not None
                assert on_the_wire(record[said]) == coerce(value, field_type), (write["object"], said)


def test_an_edited_visit_leaves_only_the_results_that_it_still_has(
    registry: Registry, forms: Deliveries, by_key: ByKey
) -> None:
    visit = sample("farm_visit_full")
    forms.deliver(form(registry, visit))
    before = by_key("FV_Best_Practice_Results__c", "Best_Practice_Result_Submission_ID__c")

    visit["form"]["best_practice_questions"]["erosion_control"]["methods_of_erosion_control"] = "3 0"
    visit["form"]["best_practice_questions"]["weeding"]["used_herbicides"] = "no"
    visit["server_modified_on"] = "2025-05-28T08:00:00.000000Z"
    forms.deliver(form(registry, visit))

    after = by_key("FV_Best_Practice_Results__c", "Best_Practice_Result_Submission_ID__c")
    gone = {key.partition("_")[2] for key in before.keys() - after.keys()}
    assert gone == {"erosion_2", "weeding_1", "weeding_3"}
    assert not after.keys() - before.keys()


def test_a_plot_and_its_varieties_are_there_after_an_inventory(
    registry: Registry, forms: Deliveries, by_key: ByKey
) -> None:
    visit = sample("farm_visit_full")
    visit["form"]["survey_type"] = "Farm Visit Full - ZM"
    visit["form"]["household_tns_id"] = "DMOKE0107"
    visit["form"]["field_inventory_survey"] = {
        "general_plot_information": {
            "current_index": "1",
            "total_coffee": "250",
            "varieties": "4 9",
            "variety_4": "200",
            "variety_9": "50",
            "other_variety": "Geisha",
        }
    }
    assert forms.deliver(form(registry, visit)).outcomes == {"completed": 1}

    farm = by_key("Farm__c", "TNS_Id__c")["F-01-DMOKE0107"]
    varieties = by_key("Coffee_Variety__c", "Name")
    household = by_key("Household__c", "Household_ID__c")["DMOKE0107"]
    assert {varieties[f"CV-0{code}-F-01-DMOKE0107"]["Farm__c"] for code in (4, 9)} == {farm["Id"]}
    assert household["FIS_Completed__c"] is True
    assert household["Lastest_Visit_with_FIS__c"] == farm["Latest_Farm_Visit_Record__c"]
