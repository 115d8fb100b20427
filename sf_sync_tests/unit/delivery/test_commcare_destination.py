"""How documents are sent: how many at a time, what a bad answer means for the others, when nothing more is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from sf_sync.commcare.errors import TransientError
from sf_sync.commcare.session import Answer, CommCareSession
from sf_sync.delivery.destination import DestinationDown, Outcome, Write
from sf_sync.delivery.destinations.commcare import CommCareDestination
from sf_sync.delivery.lanes import LeaseLost
from sf_sync.delivery.mapping.plan import Operation, Reference
from sf_sync.pima.callouts_destination import load_documents

STORED = b"<OpenRosaResponse><message nature='submit_success'/></OpenRosaResponse>"


@dataclass
class Space:
    """A project space that answers by rule; `sent` are the documents, `looked` the cases that were asked for."""

    answer: Callable[[bytes], Answer] = lambda _: Answer(201, {}, STORED)
    case: Callable[[str], Answer] = lambda _: Answer(404, {}, b"")
    sent: list[bytes] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    def path(self, below: str) -> str:
        return below

    def send(self, method: str, path: str, doing: str, *, body: bytes = b"", **_: Any) -> Answer:
        if method == "GET":
            self.looked.append(path)
            return self.case(path)
        self.sent.append(body)
        return self.answer(body)


def destination(space: Space, **more: Any) -> CommCareDestination:
    more = {"first_wait_s": 0.0, "sleep": lambda _: None, **more}
    return CommCareDestination(
        cast("CommCareSession", space), load_documents(), receiver_tag="GCP_Forms", **more
    )


def farmer(number: int) -> Write:
    fields = {"case_name": f"farmer {number}", "owner_id": "o", "project": "p"}
    parent = {"parent": Reference("training_group", {"case_id": "g"})}
    return Write(number, "upsert", "participant", {"case_id": f"c{number}"}, fields, parent, "job")


def group(number: int, *, written_before: bool = False) -> Write:
    fields = {"case_name": "group", "owner_id": "o", "project": "p", "Household_Counter": "31"}
    return Write(number, "upsert", "training_group", {"case_id": "g"}, fields, {}, "job", written_before)


def session_of_training(number: int, *, written_before: bool = False) -> Write:
    fields = {"case_name": "s", "owner_id": "o", "project": "p", "Session_1_Date": "", "Session_2_Date": ""}
    return Write(number, "upsert", "training_session", {"case_id": "s"}, fields, {}, "job", written_before)


def carried_out(
    to: CommCareDestination, writes: Sequence[Write], before_request: Callable[[], None] = lambda: None
) -> dict[int, Outcome]:
    return {one.write.number: one for outcomes in to.execute(writes, before_request) for one in outcomes}


def test_several_documents_are_on_their_way_at_a_time_and_never_more() -> None:
    together, active, most, counting = threading.Barrier(5, timeout=20), 0, 0, threading.Lock()

    def answer(_: bytes) -> Answer:
        nonlocal active, most
        with counting:
            active += 1
            most = max(most, active)
        together.wait()
        with counting:
            active -= 1
        return Answer(201, {}, STORED)

    outcomes = carried_out(destination(Space(answer), at_once=5), [farmer(n) for n in range(20)])

    assert {one.kind for one in outcomes.values()} == {"ok"}
    assert most == 5


def test_parents_are_sent_before_their_children() -> None:
    space = Space()
    carried_out(destination(space), [farmer(0), group(1), farmer(2)])

    assert b"New Training Group" in space.sent[0]
    assert all(b"New Participant" in one for one in space.sent[1:])


def test_the_form_or_else_the_case_is_what_was_written() -> None:
    named = Space(lambda body: Answer(201, {"X-CommCareHQ-FormID": "f1"} if b">c0<" in body else {}, STORED))
    outcomes = carried_out(destination(named), [farmer(0), farmer(1), group(2)])

    assert [outcomes[n].target_id for n in range(3)] == ["f1", "c1", "g"]
    assert [outcomes[n].created for n in range(3)] == [None, None, True]


def test_nothing_more_is_sent_once_the_lanes_are_lost() -> None:
    space, left = Space(), [None, None]

    def before_request() -> None:
        if not left:
            raise LeaseLost("taken over")
        left.pop()

    with pytest.raises(LeaseLost):
        carried_out(destination(space), [farmer(n) for n in range(9)], before_request)

    assert len(space.sent) == 2


def test_refused_credentials_end_it_and_fail_no_record() -> None:
    space = Space(lambda _: Answer(401, {}, b""))
    with pytest.raises(DestinationDown, match="CC_API_KEY"):
        carried_out(destination(space, at_once=2), [farmer(n) for n in range(9)])

    assert len(space.sent) == 2


def test_a_pause_that_was_asked_for_holds_all_documents() -> None:
    asked = [Answer(429, {"Retry-After": "2"}, b"")]
    slept: list[float] = []
    space = Space(lambda _: asked.pop() if asked else Answer(201, {}, STORED))
    outcomes = carried_out(destination(space, at_once=1, sleep=slept.append), [farmer(n) for n in range(4)])

    assert {one.kind for one in outcomes.values()} == {"ok"}
    assert len(space.sent) == 5
    [pause] = slept
    assert 1 < pause <= 2


def test_a_long_pause_is_left_to_the_worker() -> None:
    space = Space(lambda _: Answer(429, {"Retry-After": "90"}, b""))
    with pytest.raises(DestinationDown, match="answered 429") as down:
        carried_out(destination(space, at_once=1), [farmer(n) for n in range(4)])

    assert len(space.sent) == 1
    assert down.value.until is not None
    assert timedelta(seconds=80) < down.value.until - datetime.now(UTC) <= timedelta(seconds=90)


@pytest.mark.parametrize("status", [429, 503, 509])
def test_a_space_that_stays_throttled_is_down(status: int) -> None:
    space = Space(lambda _: Answer(status, {}, b""))
    with pytest.raises(DestinationDown):
        carried_out(destination(space, tries=3), [farmer(0)])

    assert len(space.sent) == 3


def test_no_answer_to_anything_is_a_space_that_is_down() -> None:
    def silent(_: bytes) -> Answer:
        raise TransientError("no answer")

    with pytest.raises(DestinationDown, match="no answer"):
        carried_out(destination(Space(silent)), [farmer(n) for n in range(3)])


def test_one_document_that_gets_no_answer_does_not_stop_the_others() -> None:
    def silent_for_one(body: bytes) -> Answer:
        if b">c1<" in body:
            raise TransientError("no answer")
        return Answer(201, {}, STORED)

    outcomes = carried_out(destination(Space(silent_for_one)), [farmer(n) for n in range(4)])

    assert [outcomes[n].kind for n in range(4)] == ["ok", "unknown", "ok", "ok"]


@pytest.mark.parametrize(
    ("status", "kind"), [(502, "unknown"), (504, "unknown"), (500, "failed"), (413, "failed")]
)
def test_what_a_gateway_gave_up_on_may_have_been_carried_out(status: int, kind: str) -> None:
    outcomes = carried_out(destination(Space(lambda _: Answer(status, {}, b""))), [farmer(0)])

    assert outcomes[0].kind == kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(500, {}, b""), "transient"),
        (Answer(200, {}, b"<html>"), "transient"),
        (Answer(200, {}, b'{"properties": 7}'), "transient"),
        (Answer(410, {}, b""), "permanent"),
    ],
)
def test_a_case_that_cannot_be_looked_at_is_not_written(answer: Answer, kind: str) -> None:
    space = Space(case=lambda _: answer)
    outcomes = carried_out(destination(space), [group(0), farmer(1)])

    failure = outcomes[0].failure
    assert failure is not None
    assert failure.kind == kind
    assert outcomes[1].kind == "ok"
    assert len(space.sent) == 1


def test_only_what_phones_write_too_is_looked_at_first() -> None:
    space = Space(case=lambda _: Answer(200, {}, b'{"properties": {"Household_Counter": "32"}}'))
    outcomes = carried_out(destination(space), [group(0), farmer(1)])

    assert space.looked == ["/api/case/v2/g"]
    assert outcomes[0].created is False
    assert b"n0:Household_Counter" not in space.sent[0]


NOT_SAID = [404, 400, 405, 501]
OF_PHONES = (b"n0:Household_Counter", b"n0:Session_1_Date", b"n0:Session_2_Date")


@pytest.mark.parametrize("status", NOT_SAID)
def test_what_we_have_written_before_keeps_what_phones_write_where_commcare_does_not_show_the_case(
    status: int,
) -> None:
    space = Space(case=lambda _: Answer(status, {}, b""))
    writes = [group(0, written_before=True), session_of_training(1, written_before=True)]
    outcomes = carried_out(destination(space), writes)

    assert [(outcomes[n].kind, outcomes[n].created) for n in range(2)] == [("ok", False), ("ok", False)]
    assert not [name for name in OF_PHONES if name in b"".join(space.sent)]
    assert all(b"n0:case_name" in one for one in space.sent)


@pytest.mark.parametrize("status", NOT_SAID)
def test_what_we_have_never_written_is_written_whole_where_commcare_does_not_show_the_case(
    status: int,
) -> None:
    space = Space(case=lambda _: Answer(status, {}, b""))
    outcomes = carried_out(destination(space), [group(0), session_of_training(1)])

    assert [(outcomes[n].kind, outcomes[n].created) for n in range(2)] == [("ok", True), ("ok", True)]
    assert all(name in b"".join(space.sent) for name in OF_PHONES)


def test_a_case_that_commcare_shows_is_what_counts_even_where_we_have_written_it() -> None:
    space = Space(case=lambda _: Answer(200, {}, b'{"properties": {"Household_Counter": "30"}}'))
    carried_out(destination(space), [group(0, written_before=True)])

    assert b"<n0:Household_Counter>31<" in space.sent[0]


@pytest.mark.parametrize("status", [401, 403])
def test_a_case_that_the_key_may_not_see_is_a_matter_of_configuration(status: int) -> None:
    space = Space(case=lambda _: Answer(status, {}, b""))
    with pytest.raises(DestinationDown, match="CC_API_KEY"):
        carried_out(destination(space), [group(0, written_before=True)])

    assert space.sent == []


def test_an_operation_that_no_document_describes_is_refused_before_anything_is_sent() -> None:
    to = destination(Space())
    known = Operation("a/1", "a", "upsert", "participant", {"case_id": "c"}, {}, {})
    unknown = Operation("b/1", "b", "upsert", "tractor", {"case_id": "c"}, {}, {})

    assert to.problem_of([known]) is None
    failure = to.problem_of([known, unknown])
    assert failure is not None
    assert (failure.kind, failure.step) == ("permanent", "b")
