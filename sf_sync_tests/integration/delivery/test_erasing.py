"""`sf-sync erase` takes a person out of the forms too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from sf_sync.cli import app
from sf_sync.delivery.mapping.plan import Reference
from sf_sync.delivery.records import Incoming
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, household, write
from sf_sync_tests.table_texts import table_texts

PERSON, OTHER = "3b512b47-88cb-5681-bea9-4a7596e6876c", "0e275543-f315-5836-8965-000000000000"
SESSION = "a0SDM0000001S01AA2"
NAME = "Quetzalcoatlus"
ByKey = Callable[[str, str], dict[str, dict[str, object]]]


@pytest.fixture(autouse=True)
def _led_to_the_test(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)


def registration(record_id: str, person: str, name: str) -> Incoming:
    return form(record_id, [write("Participant__c", {"CommCare_Case_Id__c": person}, {"Name": name})])


def attendance(record_id: str, *people: str) -> Incoming:
    return form(
        record_id,
        [
            write(
                "Attendance__c",
                {"Submission_ID__c": f"S01{one}"},
                {"Status__c": "Present"},
                references={
                    "Participant__r": Reference("Participant__c", {"CommCare_Case_Id__c": one}),
                    "Training_Session__r": Reference("Training_Session__c", {"CommCare_Case_Id__c": SESSION}),
                },
            )
            for one in people
        ],
        minute=5,
    )


def erased(by_key: ByKey, org: LocalOrg, *options: str) -> Result:
    record_id = str(by_key("Participant__c", "CommCare_Case_Id__c")[PERSON]["Id"])
    return CliRunner().invoke(app, ["erase", record_id, *options])


def kept(forms: Deliveries, text: str) -> list[str]:
    """The tables in which something is left of it, and the records with a body that says it."""
    tables = table_texts(forms.worker.database)
    bodies = forms.db.execute(
        "select record_id from delivery.inbox where position(convert_to(%s, 'UTF8') in body) > 0", [text]
    ).fetchall()
    return [name for name, rows in tables.items() if any(text in row for row in rows)] + [
        record_id for (record_id,) in bodies
    ]


def test_a_person_goes_from_bodies_plans_attempts_and_keys_and_others_stay(
    forms: Deliveries, org: LocalOrg, by_key: ByKey
) -> None:
    forms.deliver(registration("r1", PERSON, NAME), registration("r2", OTHER, "Sinornis"))
    forms.deliver(attendance("a1", PERSON, OTHER), attendance("a2", OTHER))
    assert {"r1", "a1", "delivery.deliveries", "delivery.operations"} <= set(kept(forms, PERSON))

    done = erased(by_key, org, "--yes")

    assert done.exit_code == 0, done.output
    assert "delivery.inbox" in done.output
    assert kept(forms, PERSON) == []
    assert kept(forms, NAME) == []
    assert {"r2", "a2"} <= set(kept(forms, OTHER))
    assert set(forms.statuses().values()) == {"completed"}


def test_what_was_not_delivered_yet_will_never_bring_them_back(
    forms: Deliveries, org: LocalOrg, by_key: ByKey
) -> None:
    forms.deliver(registration("r1", PERSON, NAME))
    org.control.fault("unable_to_lock_row", object="Attendance__c", times=99)
    forms.deliver(attendance("waits", PERSON))
    forms.store(attendance("new", PERSON))
    assert forms.statuses()["waits"] == "failed"

    assert erased(by_key, org, "--yes").exit_code == 0
    org.control.clear_faults()
    forms.later()
    forms.deliver(form("next", [household(1)]))

    assert forms.statuses() == {"r1": "completed", "waits": "dead", "next": "completed"}
    assert forms.errors()["waits"] == ("permanent", "ERASED")
    assert not by_key("Attendance__c", "Submission_ID__c")


def test_a_form_that_names_a_record_only_by_its_id_is_found(forms: Deliveries, org: LocalOrg) -> None:
    farmer = org.control.insert("Participant__c", {"Name": NAME})
    forms.deliver(form("edit", [write("Participant__c", {"Id": farmer}, {"Name": NAME}, op="update")]))

    done = CliRunner().invoke(app, ["erase", farmer, "--yes"])

    assert done.exit_code == 0, done.output
    assert kept(forms, NAME) == []
    assert [one for one in kept(forms, farmer[:15]) if one != "sync.erasures"] == []
