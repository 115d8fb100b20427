"""The list of forms is read whole, page by page, whatever happens meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.commcare import forms as lists
from sf_sync.commcare import session as sessions
from sf_sync.commcare.errors import ConfigurationError, PermanentError, TransientError
from sf_sync.commcare.forms import list_forms, stamp
from sf_sync.commcare.session import CommCareSession
from sf_sync.sandbox.commcare import LocalCommCare, form_api
from sf_sync.sandbox.commcare.space import ProjectSpace
from sf_sync.sandbox.http import Call
from sf_sync_tests.integration.sandbox.commcare import form

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def ids(session: CommCareSession, start: datetime = LONG_AGO, page_size: int = 10) -> list[str]:
    return [one["id"] for page in list_forms(session, start, page_size) for one in page.forms]


@dataclass
class Unwired:
    """A session whose requests are answered without HTTP; `between` runs after each."""

    space: ProjectSpace
    between: Callable[[int], None] = lambda _: None
    asked: int = 0

    def path(self, below: str) -> str:
        return below

    def json(self, path: str, doing: str, *, params: Mapping[str, str]) -> Any:
        answer = json.loads(form_api.answer(self.space, Call("GET", path, params), None).data)
        self.asked += 1
        self.between(self.asked)
        return answer


def space_of(forms: int) -> ProjectSpace:
    space = ProjectSpace("p", lambda: "")
    for one in range(forms):
        space.take(f"f{one:03}", form(f"f{one:03}"), b"first")
    return space


@given(
    st.integers(1, 60),
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 59), st.integers(1, 40)), max_size=8),
)
def test_with_forms_of_the_same_moment_every_form_is_read_once(
    forms: int, page_size: int, ties: list[tuple[int, int]]
) -> None:
    space = space_of(forms)
    for first, length in ties:
        for one in range(first, min(first + length, forms)):
            space.forms[f"f{one:03}"]["indexed_on"] = space.forms[f"f{min(first, forms - 1):03}"][
                "indexed_on"
            ]
    read = ids(cast(CommCareSession, Unwired(space)), page_size=page_size)
    assert sorted(read) == sorted(space.forms)


@given(st.integers(1, 60), st.integers(2, 12), st.dictionaries(st.integers(1, 20), st.integers(0, 59)))
def test_with_edits_between_pages_every_form_is_read_as_it_is_at_the_end(
    forms: int, page_size: int, edits: dict[int, int]
) -> None:
    space = space_of(forms)

    def edit(asked: int) -> None:
        if asked in edits and edits[asked] < forms:
            name = f"f{edits[asked]:03}"
            space.take(name, form(name), f"edit {asked}".encode())

    unwired = Unwired(space, edit)
    pages = list_forms(cast(CommCareSession, unwired), LONG_AGO, page_size)
    read = [(one["id"], one["server_modified_on"]) for page in pages for one in page.forms]
    assert len(set(read)) == len(read)
    missed = {name for name, one in space.forms.items() if (name, one["server_modified_on"]) not in set(read)}
    # What is edited after the last answer is of the next pull.
    assert missed <= {f"f{edits.get(unwired.asked, -1):03}"}


@pytest.mark.parametrize("number", [0, 1, 9, 10, 11, 37])
def test_every_form_is_read_once(commcare: LocalCommCare, session: CommCareSession, number: int) -> None:
    for one in range(number):
        commcare.submit(form(f"f{one:03}"))
    assert ids(session) == [f"f{one:03}" for one in range(number)]


def test_it_begins_at_the_moment_asked_for(commcare: LocalCommCare, session: CommCareSession) -> None:
    for one in range(5):
        commcare.submit(form(f"f{one}"))
    begin = datetime.fromisoformat(commcare.forms["f3"]["indexed_on"])
    assert ids(session, begin) == ["f3", "f4"]
    assert ids(session, begin + timedelta(days=1)) == []


def test_an_edit_while_it_is_read_hides_no_other_form(
    commcare: LocalCommCare, session: CommCareSession
) -> None:
    # By offset the eleventh form would slide into the first page, which was read already.
    for one in range(30):
        commcare.submit(form(f"f{one:03}"))
    pages = list_forms(session, LONG_AGO, 10)
    read = [one["id"] for one in next(pages).forms]
    commcare.submit(form("f000", answer="changed"))
    read += [one["id"] for page in pages for one in page.forms]
    assert sorted(read) == sorted([*(f"f{one:03}" for one in range(30)), "f000"])


def test_many_forms_of_one_moment_are_read_once(commcare: LocalCommCare, session: CommCareSession) -> None:
    for one in range(40):
        commcare.submit(form(f"f{one:03}"))
    same = commcare.forms["f005"]["indexed_on"]
    for one in range(5, 35):
        commcare.forms[f"f{one:03}"]["indexed_on"] = same
    assert ids(session) == [f"f{one:03}" for one in range(40)]


def test_pages_say_up_to_when_the_list_is_read(commcare: LocalCommCare, session: CommCareSession) -> None:
    assert [page.read_to for page in list_forms(session, LONG_AGO)] == [LONG_AGO]
    for one in range(15):
        commcare.submit(form(f"f{one:03}"))
    pages = list(list_forms(session, LONG_AGO, 10))
    assert [stamp(page.read_to) for page in pages] == [
        commcare.forms["f009"]["indexed_on"],
        commcare.forms["f014"]["indexed_on"],
    ]


def test_a_page_that_fails_is_asked_for_again(commcare: LocalCommCare, session: CommCareSession) -> None:
    for one in range(25):
        commcare.submit(form(f"f{one:03}"))
    commcare.faults.add("throttled", "/api/form/", after=1, retry_after="0")
    commcare.faults.add("answer_cut", "/api/form/", after=1)
    commcare.faults.add("answer_lost", "/api/form/", after=2)
    assert ids(session) == [f"f{one:03}" for one in range(25)]
    assert [call.status for call in commcare.calls].count(429) == 1


def test_what_stays_down_is_told_after_some_tries(commcare: LocalCommCare, session: CommCareSession) -> None:
    commcare.faults.add("down", "/api/form/", times=99)
    with pytest.raises(TransientError, match="listing forms: CommCare answered 503"):
        ids(session)


def test_a_key_that_may_not_read_forms_is_told(commcare: LocalCommCare, session: CommCareSession) -> None:
    commcare.faults.add("forbidden", "/api/form/")
    with pytest.raises(ConfigurationError, match="answered 403; check CC_USERNAME and CC_API_KEY"):
        ids(session)


def test_an_address_in_an_answer_is_not_followed_while_the_list_goes_on_by_time(
    commcare: LocalCommCare, session: CommCareSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in range(25):
        commcare.submit(form(f"f{one:03}"))
    real = CommCareSession.json

    def elsewhere(self: CommCareSession, *args: Any, **more: Any) -> Any:
        answer = real(self, *args, **more)
        if answer["meta"]["next"]:
            answer["meta"]["next"] = "http://127.0.0.1:9/steal"
        return answer

    monkeypatch.setattr(CommCareSession, "json", elsewhere)
    assert ids(session) == [f"f{one:03}" for one in range(25)]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ([], "has no list `objects`"),
        ({"objects": [], "meta": {}}, "whether there is more"),
        ({"objects": [{"id": "f1"}], "meta": {"next": "?offset=1"}}, "the same forms again"),
        ({"objects": [{"id": "f1"}], "meta": {"next": "//["}}, "isn't an address of"),
        ({"objects": [{"id": "f1"}], "meta": {"next": 7}}, "isn't an address of"),
    ],
)
def test_answers_that_are_no_list_of_forms_end_it_with_a_sentence(
    session: CommCareSession, monkeypatch: pytest.MonkeyPatch, answer: Any, sentence: str
) -> None:
    monkeypatch.setattr(CommCareSession, "json", lambda *_, **__: answer)
    with pytest.raises(PermanentError, match=sentence):
        ids(session)


def test_a_page_that_is_too_long_is_asked_for_in_smaller_ones(
    commcare: LocalCommCare, session: CommCareSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in range(20):
        commcare.submit(form(f"f{one:03}", answer="x" * 2_000))
    real = sessions.CommCareSession.send
    monkeypatch.setattr(
        CommCareSession, "send", lambda *args, **more: real(*args, **{**more, "most_bytes": 10_000})
    )
    assert ids(session, page_size=20) == [f"f{one:03}" for one in range(20)]


Json = Callable[..., Any]
NextOf = Callable[[str], object]


def by_next_alone(
    monkeypatch: pytest.MonkeyPatch, *, offsets: bool = True, next_of: NextOf = lambda address: address
) -> None:
    """As if the list heeded the first `indexed_on_start` alone, and `offset` too only where `offsets` says so."""
    real: Json = CommCareSession.json
    first: dict[str, str] = {}

    def json_of(self: CommCareSession, path: str, doing: str, **more: Any) -> Any:
        if asked := more.get("params"):
            first.update({name: asked[name] for name in ("indexed_on_start", "offset") if name not in first})
            kept = first if not offsets else {"indexed_on_start": first["indexed_on_start"]}
            more["params"] = {**asked, **kept}
        answer = real(self, path, doing, **more)
        if answer["meta"]["next"]:
            answer["meta"]["next"] = next_of(answer["meta"]["next"])
        return answer

    monkeypatch.setattr(CommCareSession, "json", json_of)


@pytest.mark.parametrize("offsets", [True, False])
@pytest.mark.parametrize("page_size", [1, 3, 4, 20])
def test_a_list_that_goes_on_by_its_next_page_alone_is_read_once_and_whole(
    commcare: LocalCommCare,
    session: CommCareSession,
    monkeypatch: pytest.MonkeyPatch,
    offsets: bool,
    page_size: int,
) -> None:
    for one in range(9):
        commcare.submit(form(f"f{one}"))
    by_next_alone(monkeypatch, offsets=offsets)

    assert ids(session, page_size=page_size) == [f"f{one}" for one in range(9)]
    assert len(commcare.calls) <= 9 // page_size + 4


@pytest.mark.parametrize("written", ["whole", "path", "query"])
def test_the_next_page_may_be_written_whole_or_relative(
    commcare: LocalCommCare, session: CommCareSession, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    for one in range(9):
        commcare.submit(form(f"f{one}"))
    path = session.path("/api/form/v1/")
    begin = {"whole": commcare.url + path, "path": path, "query": ""}[written]
    by_next_alone(monkeypatch, offsets=False, next_of=lambda address: f"{begin}?{address.partition('?')[2]}")

    assert ids(session, page_size=3) == [f"f{one}" for one in range(9)]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://127.0.0.1:9/a/pima-demo/api/form/v1/",
        "//127.0.0.1:9/a/pima-demo/api/form/v1/",
        "{url}.example.org/a/pima-demo/api/form/v1/",
        "/a/other/api/form/v1/",
        "/a/pima-demo/api/form/v1/../../case/v2/",
        "../../../settings/",
        "file:///etc/hostname",
    ],
)
def test_a_next_page_elsewhere_is_refused_with_what_came_before_kept(
    commcare: LocalCommCare, session: CommCareSession, monkeypatch: pytest.MonkeyPatch, elsewhere: str
) -> None:
    for one in range(9):
        commcare.submit(form(f"f{one}"))
    address = elsewhere.format(url=commcare.url)
    by_next_alone(monkeypatch, offsets=False, next_of=lambda given: f"{address}?{given.partition('?')[2]}")
    read: list[str] = []
    pages = list_forms(session, LONG_AGO, 3)
    with pytest.raises(PermanentError, match=r"`meta\.next` isn't an address of .*, so it is not followed"):
        read.extend(one["id"] for page in pages for one in page.forms)

    assert read == ["f0", "f1", "f2"]
    assert {call.path.partition("?")[0] for call in commcare.calls} == {"/a/pima-demo/api/form/v1/"}


def test_a_list_whose_next_pages_go_round_is_refused(
    commcare: LocalCommCare, session: CommCareSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in range(9):
        commcare.submit(form(f"f{one}"))
    by_next_alone(monkeypatch, offsets=False, next_of=lambda address: address.replace("offset=6", "offset=0"))
    with pytest.raises(PermanentError, match="leads back to a page that was read"):
        ids(session, page_size=3)


def test_next_pages_are_followed_so_far_and_no_further(
    commcare: LocalCommCare, session: CommCareSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in range(9):
        commcare.submit(form(f"f{one}"))
    by_next_alone(monkeypatch, offsets=False)
    monkeypatch.setattr(lists, "MOST_FOLLOWED", 2)
    with pytest.raises(PermanentError, match=r"more than 2 pages by `meta\.next`"):
        ids(session, page_size=1)
