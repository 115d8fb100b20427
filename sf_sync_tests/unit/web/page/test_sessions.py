"""A session is as good as the secret that it was signed with."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.web.keys import Key
from sf_sync.web.page.sessions import LASTS_S, Sessions
from sf_sync.web.people import People, Person

MARY, JOHN = Person("mary", "operator"), Person("john", "intake")
KEY = Key("mary", "a-secret-of-mary-for-these-tests")
SESSIONS = Sessions(People(((MARY, KEY), (JOHN, Key("john", "a-secret-of-john-for-these-tests")))))


def test_a_session_is_of_the_person_who_began_it() -> None:
    session = SESSIONS.read(SESSIONS.begin(MARY))
    assert session is not None
    assert session.person == MARY
    assert session.sent_this(session.csrf)
    assert not session.sent_this("")


def test_two_sessions_have_different_tokens() -> None:
    first, second = (SESSIONS.read(SESSIONS.begin(MARY)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert not first.sent_this(second.csrf)


def test_a_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie, now = SESSIONS.begin(MARY), time.time()
    monkeypatch.setattr("sf_sync.web.page.sessions.time.time", lambda: now + LASTS_S - 5)
    assert SESSIONS.read(cookie) is not None
    monkeypatch.setattr("sf_sync.web.page.sessions.time.time", lambda: now + LASTS_S + 5)
    assert SESSIONS.read(cookie) is None


def test_a_sender_has_no_session() -> None:
    assert SESSIONS.read(SESSIONS.begin(JOHN)) is None


@pytest.mark.parametrize("change", [{"role": "admin"}, {"name": "john"}, {"until": 2**40}, {"id": 7}])
def test_a_changed_claim_is_no_session(change: dict[str, object]) -> None:
    payload, _, mac = SESSIONS.begin(MARY).partition(".")
    claim = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | change
    forged = base64.urlsafe_b64encode(json.dumps(claim).encode()).rstrip(b"=").decode()
    assert SESSIONS.read(f"{forged}.{mac}") is None


@given(st.text(max_size=2_000))
def test_no_text_is_a_session_by_accident(text: str) -> None:
    assert SESSIONS.read(text) is None
    assert SESSIONS.read(f"{base64.urlsafe_b64encode(text.encode()).decode()}.{'0' * 64}") is None
