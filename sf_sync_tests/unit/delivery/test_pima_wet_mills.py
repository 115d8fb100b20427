"""What registrations and visits of wet mills become, beyond the samples."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sf_sync.delivery.mapping.errors import RecordRefused
from sf_sync.delivery.mapping.plan import Plan
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.mapping.stale import neutralise
from sf_sync_tests.unit.delivery.samples import (
    TO_POSTGRES,
    answered,
    expected,
    made_by,
    messages,
    only,
    plan_of,
    row,
    rows,
    sample,
)

REGISTRATION, VISIT = "wet_mill_registration_form", "wet_mill_visit"
TYPES = "edge_14_wet_mill_visit_type_inference"
MILL = "form.wet_mill_details"
CASE = "09376fda-b88d-5bd5-8bc1-eb9320d49172"


def registered(registry: Registry, answers: dict[str, object]) -> Plan:
    return plan_of(registry, answered(REGISTRATION, answers))


def visited(registry: Registry, answers: dict[str, object]) -> Plan:
    return plan_of(registry, answered(VISIT, answers))


@pytest.mark.parametrize(
    ("country", "code", "status"),
    [
        ("ET", "2", "Private"),
        ("KE", "2", "Estate"),
        ("BU", "1", "undefined"),
        ("KE", "9", "undefined"),
        ("KE", "", "undefined"),
    ],
)
def test_the_status_of_a_mill_depends_on_the_country(
    registry: Registry, country: str, code: str, status: str
) -> None:
    plan = registered(
        registry, {"form.survey_type": f"Wet Mill Registration - {country}", f"{MILL}.mill_status": code}
    )
    assert only(plan, "mill").fields["mill_status"] == status


@pytest.mark.parametrize(
    ("country", "code", "role"),
    [
        ("ET", "1", "General manager"),
        ("BU", "2", "Site/factory manager"),
        ("KE", "2", "CEO/Secretary Manger"),
        ("KE", "99", "Owner"),
        ("KE", "5", "undefined"),
    ],
)
def test_the_role_of_a_manager_is_of_the_countrys_list_or_free_text(
    registry: Registry, country: str, code: str, role: str
) -> None:
    plan = registered(
        registry,
        {
            "form.survey_type": f"Wet Mill Registration - {country}",
            f"{MILL}.manager_role": code,
            f"{MILL}.manager_role_other": "Owner",
        },
    )
    assert only(plan, "mill").fields["manager_role"] == role


@pytest.mark.parametrize("details", ["", ...])
def test_a_mill_without_details_is_registered_as_undefined(registry: Registry, details: object) -> None:
    fields = only(registered(registry, {MILL: details}), "mill").fields
    assert {name: fields[name] for name in ("mill_status", "exporting_status", "vertical_integration")} == {
        "mill_status": "undefined",
        "exporting_status": "Undefined",
        "vertical_integration": "Undefined",
    }
    assert "name" not in fields


def test_what_a_registration_says_wrongly_is_blank_with_a_warning(registry: Registry) -> None:
    plan = registered(
        registry,
        {
            f"{MILL}.office_gps": "91 200",
            "form.registration_date": "2.4.2025",
            f"{MILL}.ba_signature": "",
            f"{MILL}.manager_signature": "lost.png",
        },
    )
    fields = only(plan, "mill").fields
    names = ("office_gps", "registration_date", "ba_signature", "manager_signature")
    assert [fields[name] for name in names] == [None] * 4
    assert len(plan.warnings) == 3


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("form.wetmill_tns_id", "Missing wetmill_tns_id"),
        ("form.subcase_0.case.@case_id", 'form.subcase_0.case."@case_id" is missing'),
    ],
)
def test_a_registration_without_its_identification_is_refused(
    registry: Registry, path: str, says: str
) -> None:
    with pytest.raises(RecordRefused) as refused:
        registered(registry, {path: " "})
    assert says in refused.value.problems


@pytest.mark.parametrize("index", ["", ..., {"parent": {"@case_type": "staff"}}])
def test_a_mill_registered_under_no_role_has_no_user(registry: Registry, index: object) -> None:
    operation = only(registered(registry, {"form.subcase_0.case.index": index}), "mill")
    assert "user_id" not in operation.references
    assert operation.fields.get("user_id") is None


@pytest.mark.parametrize("name", [REGISTRATION, VISIT])
def test_forms_of_a_mill_share_its_lane_and_are_ordered_by_their_end(registry: Registry, name: str) -> None:
    plan = plan_of(registry, sample(name))
    assert plan.lane == CASE
    end = str(sample(name)["form"]["meta"]["timeEnd"])
    assert plan.event_time == datetime.fromisoformat(end)
    assert plan.event_time.tzinfo == UTC


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("form.case.@case_id", "", 'form.case."@case_id" is missing'),
        ("form.survey_type", ..., "form.survey_type is missing"),
        ("form.date", "", "date(form.date) is missing or wrong"),
        ("form.date", "29.5.2025", "date(form.date) is missing or wrong"),
    ],
)
def test_a_visit_without_mill_kind_or_day_is_refused(
    registry: Registry, path: str, value: object, says: str
) -> None:
    with pytest.raises(RecordRefused) as refused:
        visited(registry, {path: value})
    assert says in refused.value.problems


@pytest.mark.parametrize(
    ("country", "version", "topic"),
    [
        ("ET", "54", "Inclusive Training"),
        ("ET", "55", "TASQ Overview"),
        ("ET", "", "TASQ Overview"),
        ("ET", "old", "TASQ Overview"),
        ("KE", "54", "TASQ Overview"),
    ],
)
def test_old_versions_of_the_ethiopian_visit_have_the_old_topics(
    registry: Registry, country: str, version: str, topic: str
) -> None:
    plan = visited(registry, {"form.survey_type": f"Wet Mill Visit - {country}", "form.@version": version})
    (found,) = [one for one in made_by(plan, "answer") if one.fields["question_name"] == "training_topic"]
    assert found.fields["value_text"] == topic


@pytest.mark.parametrize("surveys", ["", ..., {}, {"kpis": ""}])
def test_a_visit_without_surveys_is_a_visit(registry: Registry, surveys: object) -> None:
    plan = visited(registry, {"form.surveys": surveys})
    assert [one.object for one in plan.operations] == ["form_visits"]
    assert plan.warnings == ()


def test_the_mill_is_referred_to_and_never_written_by_a_visit(registry: Registry) -> None:
    plan = plan_of(registry, sample("edge_13_wet_mill_visit_for_unknown_mill"))
    reference = only(plan, "visit").references["wetmill_id"]
    assert (reference.object, dict(reference.key)) == (
        "wetmills",
        {"commcare_case_id": "0ab3a12e-2f08-5d39-bf08-b0c127edd92d"},
    )
    assert {one.object for one in plan.operations} == {
        "form_visits",
        "survey_responses",
        "survey_question_responses",
    }


def test_surveys_come_after_their_visit_and_answers_after_their_survey(registry: Registry) -> None:
    plan = plan_of(registry, sample(VISIT))
    assert {(one.object, one.level) for one in plan.operations} == {
        ("form_visits", 0),
        ("survey_responses", 1),
        ("survey_question_responses", 2),
    }


def test_an_edited_visit_deletes_the_answers_and_surveys_that_it_has_no_more(registry: Registry) -> None:
    older = plan_of(registry, sample(VISIT))
    newer = visited(
        registry,
        {
            "form.surveys.kpis": "",
            "form.surveys.infrastructure.number_of_drying_tables": "",
            "form.surveys.manager_needs_assessment.business_and_operations.documents": "1",
        },
    )
    gone = neutralise(newer, older.operations)
    visit = sample(VISIT)["id"]
    kpis = [key for table, key in rows(older) if table == "survey_question_responses" and "-kpis-" in key]
    documents = f"SQR-{visit}-manager_needs_assessment-business_and_operations-documents"
    assert {one.op for one in gone} == {"delete"}
    assert {str(one.key["submission_id"]) for one in gone} == {
        f"SR-{visit}-kpis",
        *kpis,
        f"SQR-{visit}-infrastructure-number_of_drying_tables",
        f"{documents}-2",
        f"{documents}-3",
    }


def test_an_answer_that_changes_its_type_clears_the_column_it_had(registry: Registry) -> None:
    plan = visited(registry, {"form.surveys.infrastructure.number_of_drying_tables": "many"})
    (found,) = [one for one in plan.operations if "number_of_drying_tables" in str(one.key)]
    values = {name: value for name, value in found.fields.items() if name.startswith("value_")}
    assert values == {
        "value_text": "many",
        **dict.fromkeys(("value_number", "value_boolean", "value_date", "value_gps")),
    }


def test_the_survey_outside_the_list_is_counted(registry: Registry) -> None:
    assert messages(plan_of(registry, sample(TYPES))) == [
        (None, "form.surveys has 1 that aren't known and aren't stored: unlisted_survey")
    ]


@pytest.mark.parametrize("name", [name for name in TO_POSTGRES if "legacy_differences" in expected(name)])
def test_the_differences_from_the_earlier_platform_are_the_intended_ones(
    registry: Registry, name: str
) -> None:
    made = rows(plan_of(registry, sample(name)))
    for one in expected(name)["legacy_differences"]:
        columns = made["survey_question_responses", one["submission_id"]]
        assert {key: columns.get(key) for key in one["legacy"]} != one["legacy"], one["submission_id"]
    for one in expected(name)["legacy_only"]:
        assert (one["table"], one["submission_id"]) not in made, one["why"]


def test_every_row_of_a_visit_has_its_own_key(registry: Registry) -> None:
    plan = plan_of(registry, sample(VISIT))
    assert len({row(one)[0] for one in plan.operations}) == len(plan.operations)
