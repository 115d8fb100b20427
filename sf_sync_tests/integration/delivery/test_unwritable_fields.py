"""A plan with a field that the org would never take is refused as a whole, before anything is sent."""

from __future__ import annotations

import pytest

from sf_sync.delivery.destinations import org_schema
from sf_sync.delivery.mapping.plan import Operation, OperationKind, Reference, Scalar
from sf_sync.salesforce.describe import Field
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, household, write

WRITES = ("POST", "PATCH", "DELETE")


def why(forms: Deliveries, record_id: str) -> str:
    [(error,)] = forms.db.execute(
        "select error from delivery.deliveries where record_id = %s", [record_id]
    ).fetchall()
    return str(error)


def written(org: LocalOrg) -> list[str]:
    """Requests that write."""
    return [one.path for one in org.control.requests() if one.method in WRITES and "/sobjects" in one.path]


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("CreatedDate", "Participant__c.CreatedDate can't be written by the integration user"),
        ("Shoe_Size__c", "the org has no field Participant__c.Shoe_Size__c"),
    ],
)
def test_a_field_that_cannot_be_written_fails_its_form_for_good_and_nothing_of_it_is_sent(
    forms: Deliveries, org: LocalOrg, field: str, says: str
) -> None:
    person = write(
        "Participant__c",
        {"CommCare_Case_Id__c": "p1"},
        {field: "7"},
        after=["Household__c"],
        references={"Household__r": Reference("Household__c", {"Household_ID__c": "HH-0001"})},
    )

    forms.deliver(form("wrong", [household(1), person]))

    assert forms.statuses() == {"wrong": "dead"}
    assert says in why(forms, "wrong")
    assert written(org) == []


def test_forms_beside_it_are_delivered(forms: Deliveries) -> None:
    forms.deliver(form("wrong", [household(1, {"Shoe_Size__c": 7})]), form("right", [household(2)]))

    assert forms.statuses() == {"wrong": "dead", "right": "completed"}
    assert forms.errors() == {"wrong": ("permanent", "INVALID_FIELD")}


def test_an_object_that_the_user_does_not_see_is_named(forms: Deliveries) -> None:
    forms.deliver(form("wrong", [write("Secret__c", {"Name": "x"})]))

    assert "no object Secret__c, or the integration user may not see it" in why(forms, "wrong")


def test_a_field_that_was_given_back_is_written_without_a_new_worker(
    forms: Deliveries, org: LocalOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    org.control.hide_field("Household__c", "Farm_Size__c")
    forms.deliver(form("f1", [household(1, {"Farm_Size__c": 7})]))
    assert forms.errors() == {"f1": ("permanent", "INVALID_FIELD")}

    org.control.hide_field("Household__c", "Farm_Size__c", hidden=False)
    monkeypatch.setattr(org_schema, "FRESH_S", 0.0)
    forms.deliver(form("f2", [household(2, {"Farm_Size__c": 7})]))

    assert forms.statuses() == {"f1": "dead", "f2": "completed"}


def test_an_object_is_described_once_for_all_forms(forms: Deliveries, org: LocalOrg) -> None:
    for number in range(5):
        forms.deliver(form(f"f{number}", [household(number)]))

    assert sum(one.path.endswith("/describe") for one in org.control.requests()) == 1


@pytest.mark.parametrize(
    ("op", "createable", "updateable", "refused"),
    [
        ("upsert", True, False, False),
        ("upsert", False, False, True),
        ("update", True, False, True),
        ("update", False, True, False),
    ],
)
def test_an_update_needs_an_updateable_field_and_an_upsert_one_that_is_either(
    op: OperationKind, createable: bool, updateable: bool, refused: bool
) -> None:
    fields = {
        "Key__c": Field(name="Key__c", type="string"),
        "A__c": Field(name="A__c", type="string", createable=createable, updateable=updateable),
    }
    key: dict[str, Scalar] = {"Key__c": "k"}

    problem = org_schema.problem(Operation("1", "step", op, "X__c", key, {"A__c": "a"}, {}), fields)

    assert (problem is not None) is refused
