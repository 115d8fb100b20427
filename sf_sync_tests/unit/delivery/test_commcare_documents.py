"""Records of Salesforce become the XML documents that CommCare takes as cases."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from sf_sync.delivery.destinations.commcare_documents import Documents, DocumentsError, Sender, Unwritable
from sf_sync.delivery.mapping.errors import MappingError, RecordRefused
from sf_sync.delivery.mapping.loading import load_mapping
from sf_sync.pima.callouts_destination import load_documents
from sf_sync_tests.unit.delivery.callouts import (
    SAMPLES,
    callout,
    changed,
    documents_of,
    form_elements,
    load_callouts,
    mapping_of,
    parsed,
    plan_of,
    properties,
    seen,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("participant", ["participant.record1", "participant.record2"]),
        ("project_role", ["project_role"]),
        ("training_session", ["training_session"]),
        ("training_group", ["training_group"]),
    ],
)
def test_every_sample_becomes_its_expected_documents(name: str, expected: list[str]) -> None:
    documents = documents_of(callout(name))

    assert [seen(one) for one in documents] == [
        seen((SAMPLES / f"{one}.expected.xml").read_bytes()) for one in expected
    ]


def test_a_wet_mill_becomes_its_expected_document_and_is_taken_only_where_the_switch_is_on() -> None:
    payload = callout("wetmill__not_routed")
    (document,) = documents_of(payload, mapping_of("wetmill").plan(payload))

    assert seen(document) == seen((SAMPLES / "wetmill__not_routed.expected.xml").read_bytes())
    assert load_callouts().route(payload) == ()


def test_the_form_has_one_id_for_a_case_of_a_job_whenever_it_is_made() -> None:
    def ids(name: str) -> list[UUID]:
        found = [
            one.text or ""
            for document in documents_of(callout(name))
            for one in parsed(document).iter()
            if one.tag == "{http://openrosa.org/jr/xforms}instanceID"
        ]
        return [UUID(one) for one in found]

    first, second = ids("participant")
    assert first != second
    assert [first, second] == ids("participant")
    assert first.version == 5


def test_markup_stays_text() -> None:
    (document,) = documents_of(callout("edge_05_markup_in_unescaped_fields"))

    assert properties(document)["Cooperative_Membership_Number"] == "A&B</n0:update><x>"
    assert properties(document)["Household_Number"] == "7<8"
    assert properties(document)["Phone_Number"] == "0712 000 107"


def test_lines_and_tabs_come_out_as_they_went_in() -> None:
    (document, _) = documents_of(changed("participant", participantName="a\r\nb\tc\rd"))

    assert properties(document)["First_Name"] == "a\r\nb\tc\rd"


@pytest.mark.parametrize(
    ("said", "number", "member"),
    [
        ("Yes", "1", "Yes"),
        ("No", "2", "No"),
        ("True", "1", "Yes"),
        (False, "2", "No"),
        (True, "1", "Yes"),
        (0, "2", "No"),
        ("1", "1", "Yes"),
        (None, "", ""),
        ("perhaps", "", "perhaps"),
    ],
)
def test_the_first_farmer_of_a_household_is_number_one(said: object, number: str, member: str) -> None:
    document = documents_of(changed("participant", participantPrimaryHouseholdMember=said))[0]

    assert properties(document)["Farmer_Number"] == number
    assert properties(document)["Primary_Household_Member"] == member


@pytest.mark.parametrize(
    ("given", "written"),
    [(350.0, "350"), ("350.0", "350"), (12.7, "12.7"), ("12.7", "12.7"), (0, "0")],
)
def test_numbers_of_trees_keep_what_they_say(given: object, written: str) -> None:
    document = documents_of(changed("participant", householdFarmSize=given))[0]

    assert properties(document)["Number_of_Trees"] == written


@pytest.mark.parametrize("project", ["coffee_ke_2024ac", "coffee_elsewhere"])
@pytest.mark.parametrize(("given", "written"), [(None, ""), ("", ""), (..., "0")])
def test_a_household_without_a_number_of_trees_has_none_where_it_says_so_and_else_zero(
    given: object, written: str, project: str
) -> None:
    payload = {**changed("participant", householdFarmSize=given), "uniqueProjectKey": project}
    document = documents_of(payload)[0]

    assert properties(document)["Number_of_Trees"] == written
    assert form_elements(document)["Number_of_Trees"] == written


@pytest.mark.parametrize(
    ("household", "primary", "written"),
    [
        ("107", "Yes", "Arabica Bourbon Typica 107-1"),
        ("107", None, "Arabica Bourbon Typica 107-"),
        (107, "perhaps", "Arabica Bourbon Typica 107-"),
        (None, "No", "Arabica Bourbon Typica -2"),
    ],
)
def test_a_farmers_name_with_the_household_keeps_its_dash(
    household: object, primary: object, written: str
) -> None:
    payload = changed("participant", HHID=household, participantPrimaryHouseholdMember=primary)
    document = documents_of(payload)[0]

    assert properties(document)["Name_Household_Concat"] == written
    assert form_elements(document)["Name_Household_Concat"] == written


@pytest.mark.parametrize(
    ("current", "module", "written"),
    [
        ("Current", "Weeding", "(Current) Weeding"),
        (None, "Weeding", "Weeding"),
        ("", "Weeding", "Weeding"),
        (..., "Weeding", "Weeding"),
        ("Previous", None, "(Previous)"),
        (None, None, ""),
    ],
)
def test_a_session_is_named_after_its_module_where_nobody_says_whether_that_is_the_current_one(
    current: object, module: object, written: str
) -> None:
    payload = changed("training_session", currentPrevious=current, trainingModuleName=module)
    (document,) = documents_of(payload)

    assert properties(document)["Current_Previous_Name"] == written
    assert form_elements(document)["Current_Previous_Name"] == written


@pytest.mark.parametrize(
    ("given", "written"), [("0712000107", "0712000107"), ("+254 7", "+254 7"), (712, "712")]
)
def test_a_phone_number_is_text(given: object, written: str) -> None:
    document = documents_of(changed("participant", participantPhoneNumber=given))[0]

    assert properties(document)["Phone_Number"] == written


@pytest.mark.parametrize(
    ("project", "property"),
    [
        ("COFFEE_KE_2024BC", "Cooperative_Membership_Number"),
        ("Coffee_BDI_TNS_2024C", "National_ID_Number"),
        ("coffee_zim", "Grower_Number"),
        ("coffee_elsewhere", None),
    ],
)
def test_the_other_id_number_is_what_the_project_uses(project: str, property: str | None) -> None:
    payload = {**callout("participant"), "uniqueProjectKey": project}
    written = properties(documents_of(payload)[0])
    kinds = ("Cooperative_Membership_Number", "National_ID_Number", "Grower_Number")

    assert {name: written[name] for name in kinds} == {
        name: "CM-0107" if name == property else "" for name in kinds
    }


def test_null_is_empty_and_never_the_word_none() -> None:
    nothing = dict.fromkeys(
        ("participantOtherIDNumber", "HHID", "status", "householdId", "participantAge", "tnsId"), None
    )
    document = documents_of(changed("participant", **nothing))[0]

    assert b"None" not in document
    assert properties(document)["Household_Number"] == ""
    assert properties(document)["Name_Household_Concat"] == "Arabica Bourbon Typica -1"


def test_what_the_payload_does_not_say_is_left_alone_in_the_case() -> None:
    document = documents_of(changed("participant", shadeTrees=...))[0]

    assert "Shade_Trees" not in properties(document)
    assert "Shade_Trees" not in form_elements(document)


def test_what_phones_fill_is_written_to_a_new_case_only() -> None:
    (new,) = documents_of(callout("training_session"))
    (known,) = documents_of(callout("training_session"), case={"Module_Name": "Weeding"})

    assert properties(new).keys() - properties(known).keys() == {"Session_1_Date", "Session_2_Date"}


@pytest.mark.parametrize(
    ("there", "written"), [("30", "31"), ("31", "31"), ("32", None), ("", "31"), ("many", "31")]
)
def test_a_counter_is_never_lowered(there: str, written: str | None) -> None:
    (document,) = documents_of(callout("training_group"), case={"Household_Counter": there})

    assert properties(document).get("Household_Counter") == written


def test_a_group_that_lost_its_trainer_hangs_on_nobody() -> None:
    (document,) = documents_of(changed("training_group", staffId=None))
    root = parsed(document)

    assert properties(document)["Parent_Id"] == ""
    assert [one.text for one in root.iter() if one.tag.endswith("}parent")] == [None]


@pytest.mark.parametrize("character", ["\x01", "\x0b", "\x1f", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_is_refused_with_the_name_of_the_field(character: str) -> None:
    with pytest.raises(Unwritable, match=rf"Gender holds the character U\+{ord(character):04X}"):
        documents_of(changed("participant", participantGender=f"Fe{character}male"))


@pytest.mark.parametrize("key", [None, "", " ", [], ["coffee"], {"a": "coffee"}])
def test_a_payload_without_its_project_sends_nothing(key: object) -> None:
    payload = {**callout("edge_03_null_project_key"), "uniqueProjectKey": key}
    with pytest.raises(RecordRefused, match=r"lower\(doc\.uniqueProjectKey\) is missing"):
        plan_of(payload)


@pytest.mark.parametrize("records", [..., None, "Arabica", {"commCareCaseId": "a"}, 7])
def test_a_payload_without_its_records_is_refused(records: object) -> None:
    payload = callout("participant")
    if records is ...:
        del payload["participants"]
    else:
        payload["participants"] = records

    with pytest.raises(RecordRefused, match=r"doc\.participants is missing or not a list"):
        plan_of(payload)


def test_an_empty_payload_is_a_plan_of_nothing() -> None:
    assert plan_of(callout("edge_01_empty_array")).operations == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"commCareCaseId": None}, "item.commCareCaseId is missing"),
        ({"trainingGroupId": ""}, "item.trainingGroupId is missing"),
        ({"ccMobileWorkerGroupId": ...}, "item.ccMobileWorkerGroupId is missing"),
        ({"commCareCaseId": "x" * 300}, "longer than 255 characters"),
    ],
)
def test_a_record_that_cannot_be_planned_fails_alone(changes: dict[str, object], says: str) -> None:
    bad, good = plan_of(changed("participant", **changes)).operations

    assert bad.problem is not None
    assert says in bad.problem
    assert bad.fields == {}
    assert good.problem is None


def test_what_is_no_record_fails_alone() -> None:
    payload = callout("participant")
    payload["participants"] = [None, "x", [], *payload["participants"]]

    assert [one.problem is None for one in plan_of(payload).operations] == [False, False, False, True, True]


def test_payloads_of_a_project_share_a_lane() -> None:
    lanes = {plan_of(callout(name)).lane for name in ("participant", "training_group", "project_role")}
    assert lanes == {"coffee_ke_2024ac"}


def test_a_mapping_is_checked_against_the_documents(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "routes: [{name: A}]\n"
        "destination: commcare\n"
        "steps:\n"
        "  - id: a\n"
        "    op: upsert\n"
        "    object: project_role\n"
        "    key: {case_id: doc.a}\n"
        "    fields: {Colour: doc.b, parent: {object: project_role, key: {case_id: doc.c}}}\n"
        "  - {id: b, op: upsert, object: tractor, key: {case_id: doc.a}}\n"
    )
    with pytest.raises(MappingError) as refused:
        load_mapping(path, {}, {}, {"commcare": load_documents()})

    assert [str(one).partition(": ")[2] for one in refused.value.faults] == [
        "unknown field project_role.Colour",
        "unknown field project_role.parentId",
        "unknown object tractor",
    ]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("parent: nobody", "there is no document nobody"),
        ("create_only: [Age]", "Age isn't in `update`"),
        ("wrapped_in: a b", "a b is no name of an XML element"),
        ("colour: red", "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_description_of_documents_is_refused_with_its_reason(
    tmp_path: Path, wrong: str, says: str
) -> None:
    path = tmp_path / "documents.yaml"
    path.write_text(
        "case:\n  xmlns: x\n  name: Case\n  version: '1'\n  case_type: _case\n  form: []\n  update: []\n"
        f"  {wrong}\n"
    )
    with pytest.raises(DocumentsError, match=says):
        Documents.load(path, Sender("1", "api", "d"))
