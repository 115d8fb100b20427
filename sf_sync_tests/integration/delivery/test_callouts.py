"""Callouts of Salesforce, from the inbox to cases in CommCare."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest

from sf_sync.commcare.session import Answer, CommCareSession
from sf_sync.delivery.destinations.commcare import CommCareDestination
from sf_sync.delivery.destinations.commcare_documents import instance_id
from sf_sync.delivery.records import Receipt
from sf_sync.delivery.sources import SALESFORCE
from sf_sync.delivery.worker import Delivered, Worker, drain
from sf_sync.pima.callouts_destination import load_documents
from sf_sync.sandbox.commcare import LocalCommCare
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.integration.delivery.conftest import POLICY, Deliveries
from sf_sync_tests.integration.delivery.killing import Countdown, Killed
from sf_sync_tests.unit.delivery.callouts import NOW, callout, changed, load_callouts, records_of

GROUP = "a0TDM0000001G01AA2"
TRAINER = "a0PDM0000001R01AA2"
SESSION = "a0SDM0000001S01AA2"
HOUSEHOLDS = ["a0HDM0000001H11AA2", "a0HDM0000001H12AA2", "a0HDM0000001H13AA2"]


@pytest.fixture
def commcare() -> Iterator[LocalCommCare]:
    """An empty project space."""
    with LocalCommCare() as running:
        yield running


@pytest.fixture
def session(commcare: LocalCommCare) -> Iterator[CommCareSession]:
    """A session with the project space."""
    with CommCareSession(commcare.url, commcare.domain, commcare.username, commcare.api_key) as opened:
        yield opened


@pytest.fixture
def pauses() -> list[float]:
    """How long the destination would have slept, in seconds."""
    return []


@pytest.fixture
def worker(database: Database, session: CommCareSession, pauses: list[float]) -> Worker:
    """A worker that delivers callouts."""
    destination = CommCareDestination(
        session, load_documents(), receiver_tag="GCP_Forms", now=lambda: NOW, sleep=pauses.append
    )
    return Worker(database, CONNECTION, {SALESFORCE.name: load_callouts()}, {"commcare": destination}, POLICY)


class Callouts:
    """What tests do with callouts: hand them in, deliver, look."""

    def __init__(self, worker: Worker, db: psycopg.Connection[Any], commcare: LocalCommCare) -> None:
        self.deliveries = Deliveries(worker, db)
        self.worker = worker
        self.db = db
        self.commcare = commcare

    def store(self, *payloads: Mapping[str, Any]) -> list[Receipt]:
        records = [
            SALESFORCE.read(json.dumps(one).encode(), lambda document: document.get("jobType"))
            for one in payloads
        ]
        return self.deliveries.store(*records)

    def deliver(self, *payloads: Mapping[str, Any]) -> Delivered:
        """Hand payloads in and deliver everything that is due."""
        if payloads:
            self.store(*payloads)
        return drain(self.worker)

    def parents(self) -> None:
        """The trainer and the group that the samples hang on."""
        self.deliver(callout("project_role"), callout("training_group"))
        assert {TRAINER, GROUP} <= self.commcare.cases.keys()
        self.commcare.calls.clear()

    def status(self, payload: Mapping[str, Any]) -> str | None:
        return self.deliveries.statuses().get(payload["id"])

    def error(self, payload: Mapping[str, Any]) -> str:
        rows = self.db.execute(
            "select error from delivery.deliveries where record_id = %s", [payload["id"]]
        ).fetchall()
        return str(rows[0][0])

    def outcomes(self, payload: Mapping[str, Any]) -> list[tuple[str, str | None, int]]:
        """Of each operation that was judged: the case, its outcome and how often it was sent."""
        return self.db.execute(
            "select o.key ->> 'case_id', o.outcome, o.sent from delivery.operations o "
            "join delivery.deliveries d using (connection, delivery_id) where d.record_id = %s order by 1",
            [payload["id"]],
        ).fetchall()

    def posts(self) -> int:
        """How many documents were sent."""
        return sum(one.method == "POST" for one in self.commcare.calls)

    def properties(self, case_id: str) -> dict[str, str]:
        return dict(self.commcare.cases[case_id].properties)


@pytest.fixture
def callouts(worker: Worker, db: psycopg.Connection[Any], commcare: LocalCommCare) -> Callouts:
    """Callouts of this test."""
    return Callouts(worker, db, commcare)


def test_every_sample_becomes_cases(callouts: Callouts, commcare: LocalCommCare) -> None:
    payloads = [callout(one) for one in ("project_role", "training_group", "training_session", "participant")]
    sampled = callout("edge_07_partial_failure_three_records")
    records_of(sampled)[1]["trainingGroupId"] = GROUP
    callouts.deliver(*payloads, sampled)

    assert {callouts.status(one) for one in (*payloads, sampled)} == {"completed"}
    assert Counter(one.case_type for one in commcare.cases.values()) == {
        "coffee_ke_2024ac_staff": 1,
        "coffee_ke_2024ac_training_group": 1,
        "coffee_ke_2024ac_training_session": 1,
        "coffee_ke_2024ac_participant": 2,
        "coffee_ke_2024ac_household_samples": 3,
    }
    farmer = commcare.cases["0e275543-f315-5836-8965-37c259e2e9c4"]
    assert farmer.case_name == "Caturra Catuai & <Kōhī> 1/2"
    assert farmer.properties["Farmer_Number"] == "2"
    assert {name: one.case_id for name, one in farmer.indices.items()} == {"parent": GROUP}
    assert callouts.properties(HOUSEHOLDS[0])["Household_Participants"] == "Arabica & Caturra"
    assert callouts.properties(HOUSEHOLDS[0])["Name"] == "11"


def test_what_was_delivered_is_the_form_in_commcare(callouts: Callouts, commcare: LocalCommCare) -> None:
    callouts.deliver(payload := callout("project_role"))

    [(target,)] = callouts.db.execute("select target_id from delivery.operations").fetchall()
    assert target == str(instance_id(payload["id"], TRAINER))
    assert list(commcare.forms) == [target]


def test_an_empty_payload_is_completed_with_nothing_sent(callouts: Callouts) -> None:
    callouts.deliver(payload := callout("edge_01_empty_array"))

    assert callouts.status(payload) == "completed"
    assert callouts.commcare.calls == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("edge_02_array_key_missing", "doc.trainingGroups is missing or not a list"),
        ("edge_03_null_project_key", "lower(doc.uniqueProjectKey) is missing or wrong"),
    ],
)
def test_a_payload_that_lacks_its_foundation_is_dead_with_nothing_sent(
    callouts: Callouts, name: str, says: str
) -> None:
    callouts.deliver(payload := callout(name))

    assert callouts.status(payload) == "dead"
    assert callouts.error(payload) == says
    assert callouts.commcare.calls == []


def test_a_payload_without_its_type_is_kept_and_nothing_is_sent(callouts: Callouts) -> None:
    [receipt] = callouts.store(callout("edge_04_job_type_missing"))
    callouts.deliver()

    assert (receipt.state, receipt.reason) == ("ignored", "no routing name")
    assert callouts.commcare.calls == []


def test_markup_arrives_as_text(callouts: Callouts) -> None:
    callouts.parents()
    callouts.deliver(payload := callout("edge_05_markup_in_unescaped_fields"))

    assert callouts.status(payload) == "completed"
    case = callouts.properties("01117f12-4da4-5577-816b-78256b80144c")
    assert case["Cooperative_Membership_Number"] == "A&B</n0:update><x>"
    assert case["Household_Number"] == "7<8"
    assert case["Phone_Number"] == "0712 000 107"


def test_a_member_who_is_primary_by_true_is_farmer_one(callouts: Callouts) -> None:
    callouts.parents()
    callouts.deliver(callout("edge_06_boolean_primary_member"))

    assert callouts.properties("e161e4b3-07eb-5458-8c92-a8e424eb2ed8")["Farmer_Number"] == "1"


def test_a_wet_mill_is_ignored_while_its_switch_is_off(callouts: Callouts) -> None:
    callouts.deliver(payload := callout("wetmill__not_routed"))

    assert callouts.status(payload) is None
    assert callouts.db.execute("select state, reason from delivery.inbox").fetchall() == [
        ("ignored", "no mapping takes this kind of record")
    ]


def test_of_three_records_one_fails_and_a_retry_sends_that_one(callouts: Callouts) -> None:
    callouts.parents()
    payload = callout("edge_07_partial_failure_three_records")
    callouts.deliver(payload)

    assert callouts.status(payload) == "failed"
    assert callouts.deliveries.errors() == {payload["id"]: ("dependency", "PROCESSING_FAILURE")}
    assert callouts.outcomes(payload) == [
        (HOUSEHOLDS[0], "ok", 1),
        (HOUSEHOLDS[1], "failed", 1),
        (HOUSEHOLDS[2], "ok", 1),
    ]
    assert callouts.posts() == 3

    callouts.deliveries.later()
    callouts.deliver()

    assert callouts.posts() == 4
    assert [sent for _, _, sent in callouts.outcomes(payload)] == [1, 2, 1]


def test_a_record_that_fails_holds_back_what_comes_later_for_its_own_case_only(callouts: Callouts) -> None:
    callouts.parents()
    payload = callout("edge_07_partial_failure_three_records")
    callouts.deliver(payload)

    def later(number: int) -> dict[str, Any]:
        record = {**records_of(payload)[number], "householdStatus": "Inactive"}
        return {**payload, "id": f"later-{number}", "households": [record]}

    callouts.deliver(later(0), later(1))

    assert callouts.status(later(0)) == "completed"
    assert callouts.properties(HOUSEHOLDS[0])["Status"] == "Inactive"
    assert callouts.status(later(1)) == "new"


def refused_by_us(**also: object) -> dict[str, Any]:
    """Two farmers, of whom the first has a character in the name that XML can't hold."""
    return {**changed("participant", participantName="Ara\x07bica"), **also}


def corrected() -> dict[str, Any]:
    """What Salesforce sends when the name is corrected: a new payload."""
    return {**changed("participant", participantName="Arabica"), "id": "the-corrected-job"}


def test_what_failed_for_good_does_not_hold_back_its_correction(callouts: Callouts) -> None:
    callouts.parents()
    callouts.deliver(refused_by_us())
    assert callouts.status(refused_by_us()) == "dead"

    callouts.deliver(corrected())

    assert callouts.status(corrected()) == "completed"
    farmer = "e161e4b3-07eb-5458-8c92-a8e424eb2ed8"
    assert callouts.properties(farmer)["First_Name"] == "Arabica"
    assert callouts.db.execute("select after_gap from delivery.deliveries where after_gap").fetchall() == []


def test_the_correction_of_one_record_does_not_wait_for_another_that_is_tried_again(
    callouts: Callouts,
) -> None:
    callouts.parents()
    waiting = refused_by_us()
    records_of(waiting)[1]["trainingGroupId"] = "a0TDM0000009X99AA2"
    callouts.deliver(waiting)
    assert callouts.status(waiting) == "failed"

    first = {**corrected(), "participants": records_of(corrected())[:1]}
    second = {**corrected(), "id": "the-other-farmer", "participants": records_of(corrected())[1:]}
    callouts.deliver(first, second)

    assert callouts.status(first) == "completed"
    assert callouts.status(second) == "new"


def test_what_waits_for_a_payload_goes_on_as_soon_as_that_fails_for_good(
    callouts: Callouts, commcare: LocalCommCare
) -> None:
    callouts.parents()
    waiting = refused_by_us()
    commcare.faults.add("failing", "/receiver/", times=1)
    callouts.deliver(waiting)
    assert callouts.status(waiting) == "failed"
    second = {**corrected(), "participants": records_of(corrected())[1:]}
    callouts.deliver(second)
    assert callouts.status(second) == "new"

    callouts.deliveries.later()
    callouts.deliver()

    assert callouts.status(waiting) == "dead"
    assert callouts.status(second) == "completed"


def test_a_missing_parent_that_is_written_wakes_its_child(callouts: Callouts) -> None:
    callouts.parents()
    child = callout("edge_07_partial_failure_three_records")
    callouts.deliver(child)
    late = changed("training_group", commCareCaseId="a0TDM0000009X99AA2")
    callouts.deliver({**late, "id": "a-late-group"})

    assert callouts.status(child) == "completed"
    assert HOUSEHOLDS[1] in callouts.commcare.cases
    assert callouts.posts() == 5


def test_children_that_come_before_their_parents_are_delivered_in_the_end(callouts: Callouts) -> None:
    payloads = [callout(one) for one in ("participant", "training_session", "training_group", "project_role")]
    for one in payloads:
        callouts.deliver(one)

    assert {callouts.status(one) for one in payloads} == {"completed"}
    assert callouts.commcare.cases[GROUP].indices["parent"].case_id == TRAINER


def test_parents_and_children_that_are_due_together_are_through_at_once(callouts: Callouts) -> None:
    payloads = [callout(one) for one in ("participant", "training_session", "training_group", "project_role")]
    callouts.deliver(*payloads)

    assert {callouts.status(one) for one in payloads} == {"completed"}


def test_a_record_that_cannot_be_planned_fails_alone_and_for_good(callouts: Callouts) -> None:
    callouts.parents()
    payload = changed("participant", commCareCaseId=None)
    callouts.deliver(payload)

    assert callouts.status(payload) == "dead"
    assert (
        callouts.error(payload) == "item.commCareCaseId is missing: it is the key case_id of step participant"
    )
    assert "0e275543-f315-5836-8965-37c259e2e9c4" in callouts.commcare.cases
    assert [outcome for _, outcome, _ in callouts.outcomes(payload)] == ["ok", "failed"]


def test_what_xml_cannot_hold_fails_its_record_alone(callouts: Callouts) -> None:
    callouts.parents()
    payload = changed("participant", participantGender="Fe\x0bmale")
    callouts.deliver(payload)

    assert callouts.status(payload) == "dead"
    assert callouts.deliveries.errors() == {payload["id"]: ("permanent", "UNWRITABLE")}
    assert "Fe" not in callouts.error(payload)
    assert "0e275543-f315-5836-8965-37c259e2e9c4" in callouts.commcare.cases


def test_the_same_payload_twice_is_one_form(callouts: Callouts, commcare: LocalCommCare) -> None:
    callouts.parents()
    forms = len(commcare.forms)
    payload = callout("participant")
    callouts.deliver(payload)
    [again] = callouts.store(payload)
    callouts.deliver()

    assert again.duplicate
    assert callouts.posts() == 2
    assert len(commcare.forms) == forms + 2


def test_two_payloads_about_a_case_keep_their_order(callouts: Callouts) -> None:
    callouts.parents()
    callouts.store(changed("participant", status="Active"))
    callouts.store({**changed("participant", status="Inactive"), "id": "a-later-job"})
    callouts.deliver()

    assert callouts.properties("e161e4b3-07eb-5458-8c92-a8e424eb2ed8")["Status"] == "Inactive"


BY_PHONES = [
    (SESSION, "Session_1_Date", "2025-06-03"),
    (GROUP, "Household_Counter", "40"),
    (TRAINER, "FFGs_Observed", "3"),
]


def by_phones(commcare: LocalCommCare) -> None:
    """Forms by which phones write what is theirs."""
    for number, (case_id, name, value) in enumerate(BY_PHONES):
        block = {"@case_id": case_id, "@date_modified": "2025-06-03T08:00:00Z", "@user_id": "phone"}
        commcare.submit(
            {"id": f"p{number}", "form": {"case": {**block, "update": {name: value}}, "meta": {}}}
        )


def assert_as_phones_left_it(callouts: Callouts) -> None:
    assert [(case, name, callouts.properties(case)[name]) for case, name, _ in BY_PHONES] == BY_PHONES


def test_what_phones_have_written_since_stays(callouts: Callouts, commcare: LocalCommCare) -> None:
    callouts.parents()
    callouts.deliver(callout("training_session"))
    by_phones(commcare)

    callouts.deliver(
        *(
            {**callout(one), "id": f"again-{one}"}
            for one in ("training_session", "training_group", "project_role")
        )
    )

    assert set(callouts.deliveries.statuses().values()) == {"completed"}
    assert_as_phones_left_it(callouts)


@pytest.mark.parametrize("status", [404, 400, 405, 501])
def test_what_phones_have_written_since_stays_where_commcare_does_not_show_cases(
    callouts: Callouts, session: CommCareSession, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    send = session.send

    def without_cases(method: str, *given: Any, **more: Any) -> Answer:
        return Answer(status, {}, b"") if method == "GET" else send(method, *given, **more)

    monkeypatch.setattr(session, "send", without_cases)
    names = ("project_role", "training_group", "training_session")
    callouts.deliver(*map(callout, names))
    assert callouts.properties(GROUP)["Household_Counter"] == "31"
    by_phones(callouts.commcare)

    callouts.deliver(*({**callout(one), "id": f"again-{one}"} for one in names))

    assert set(callouts.deliveries.statuses().values()) == {"completed"}
    assert_as_phones_left_it(callouts)


def test_a_throttled_space_is_left_alone_for_as_long_as_it_asks(
    callouts: Callouts, commcare: LocalCommCare, pauses: list[float]
) -> None:
    callouts.parents()
    commcare.faults.add("throttled", "/receiver/", times=2, retry_after="4")
    callouts.deliver(payload := callout("edge_07_partial_failure_three_records"))

    assert [outcome for _, outcome, _ in callouts.outcomes(payload)] == ["ok", "failed", "ok"]
    assert pauses
    assert 3 < max(pauses) <= 4


def test_a_space_that_is_down_for_long_keeps_nobody_waiting(
    callouts: Callouts, commcare: LocalCommCare, pauses: list[float]
) -> None:
    callouts.parents()
    commcare.faults.add("down", "/receiver/", times=99, retry_after="600")
    delivered = callouts.deliver(payload := callout("participant"))

    assert delivered.down == "sending a participant: CommCare answered 503"
    assert delivered.down_until is not None
    assert pauses == []
    assert callouts.status(payload) == "new"

    commcare.faults.clear()
    callouts.deliveries.later()
    callouts.deliver()
    assert callouts.status(payload) == "completed"


def test_a_record_that_failed_for_good_does_not_take_the_others_with_it_when_the_space_goes_down(
    callouts: Callouts, commcare: LocalCommCare
) -> None:
    callouts.parents()
    commcare.faults.add("down", "/receiver/", times=99, retry_after="600")
    callouts.deliver(payload := changed("participant", commCareCaseId=None))
    assert callouts.status(payload) == "new"

    commcare.faults.clear()
    callouts.deliveries.later()
    callouts.deliver()

    assert callouts.status(payload) == "dead"
    assert [outcome for _, outcome, _ in callouts.outcomes(payload)] == ["ok", "failed"]


def test_credentials_that_are_refused_fail_no_record(callouts: Callouts, commcare: LocalCommCare) -> None:
    commcare.faults.add("forbidden", "", times=99)
    delivered = callouts.deliver(payload := callout("participant"))

    assert delivered.down is not None
    assert "CC_API_KEY" in delivered.down
    assert commcare.api_key not in delivered.down
    assert callouts.status(payload) == "new"


@pytest.mark.parametrize("fault", ["answer_lost", "answer_cut"])
def test_an_answer_that_is_lost_makes_no_second_form(
    callouts: Callouts, commcare: LocalCommCare, fault: str
) -> None:
    callouts.parents()
    forms = len(commcare.forms)
    commcare.faults.add(fault, "/receiver/", times=2)
    callouts.deliver(payload := callout("participant"))

    assert callouts.status(payload) == "completed"
    assert len(commcare.forms) == forms + 2


def test_a_worker_that_ends_at_any_request_leaves_one_form_for_each_case(
    callouts: Callouts, session: CommCareSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = [callout(one) for one in ("project_role", "training_group", "training_session", "participant")]
    send, moment, finished = session.send, 0, False
    while not finished:
        callouts.db.execute("truncate delivery.inbox, delivery.lanes, delivery.applied cascade")
        space = callouts.commcare.space
        for kept in (space.cases, space.forms, space._contents, space._of_case):
            kept.clear()
        callouts.store(*payloads)
        countdown = Countdown(moment)

        def dying_send(*given: Any, countdown: Countdown = countdown, **more: Any) -> Any:
            countdown.step()
            answer = send(*given, **more)
            countdown.step()
            return answer

        monkeypatch.setattr(session, "send", dying_send)
        try:
            drain(callouts.worker)
            finished = True
        except Killed:
            pass
        monkeypatch.setattr(session, "send", send)
        callouts.deliveries.later()

        callouts.deliver()

        assert set(callouts.deliveries.statuses().values()) == {"completed"}, moment
        written = {(job["id"], one) for job in payloads for one in _cases_of(job)}
        assert set(callouts.commcare.forms) == {str(instance_id(*one)) for one in written}, moment
        assert callouts.properties(GROUP)["Household_Counter"] == "31"
        assert not callouts.properties(SESSION).get("Session_1_Date")
        moment += 1
    assert moment > 10  # five documents, three looks


def _cases_of(payload: Mapping[str, Any]) -> list[str]:
    key = "sessionId" if payload["jobType"] == "Training Session" else "commCareCaseId"
    return [one[key] for one in records_of(payload)]


def test_documents_say_who_sends_them(callouts: Callouts, commcare: LocalCommCare) -> None:
    callouts.deliver(callout("project_role"))

    [call] = [one for one in commcare.calls if one.method == "POST"]
    assert call.path.startswith("/a/pima-demo/receiver/GCP_Forms/")
    [form] = commcare.forms.values()
    assert form["form"]["meta"]["username"] == "api"


def test_a_payload_that_lacked_its_type_can_be_sent_again_with_it(callouts: Callouts) -> None:
    callouts.deliver(callout("edge_04_job_type_missing"))
    callouts.deliver(payload := callout("project_role"))

    assert callouts.status(payload) == "completed"
