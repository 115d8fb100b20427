"""Who gets in, for how long, and what is told to those who don't."""

from __future__ import annotations

import pytest

from sf_sync.store.database import Database
from sf_sync.web.keys import Key
from sf_sync.web.page.sessions import COOKIE
from sf_sync.web.people import People, Person
from sf_sync_tests.integration.web.page.visiting import OPERATOR, PEOPLE, SENDER, Visitor, signed_in
from sf_sync_tests.integration.web.serving import serving

PAGES = ("/", "/records", "/records/6f2c1c9a-0000-4000-8000-000000000000")
ACTIONS = ("/replay", "/replay/ask", "/sign-out", "/records/6f2c1c9a-0000-4000-8000-000000000000/values")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_to_sign_in_and_comes_back(url: str, path: str) -> None:
    visitor = Visitor(url)
    answer = visitor.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")
    to = path if path != "/" else ""
    assert visitor.sign_in(OPERATOR, to).headers["location"] == path


@pytest.mark.parametrize("path", ACTIONS)
def test_nothing_is_done_for_those_who_are_not_signed_in(url: str, path: str) -> None:
    assert Visitor(url).post(path, {"csrf": "x"}).status_code == 403


def test_a_wrong_secret_is_told_without_being_repeated(url: str) -> None:
    visitor = Visitor(url)
    answer = visitor.post("/sign-in", {"name": "alemitu", "secret": "not-the-secret-of-anybody"})
    assert answer.status_code == 403
    assert "don't belong together" in answer.text.replace("&#39;", "'")
    assert "not-the-secret-of-anybody" not in answer.text
    assert COOKIE not in visitor.session.cookies


def test_the_secret_of_another_name_is_wrong(url: str) -> None:
    answer = Visitor(url).post("/sign-in", {"name": "marta", "secret": OPERATOR.secret})
    assert answer.status_code == 403


def test_a_senders_key_opens_no_page(url: str) -> None:
    assert Visitor(url).sign_in(SENDER).status_code == 403


def test_the_cookie_is_for_this_site_and_not_for_scripts(url: str) -> None:
    cookie = Visitor(url).sign_in(OPERATOR).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age=43200" in cookie
    assert "secure;" not in f"{cookie};"
    assert OPERATOR.secret not in cookie


def test_behind_https_the_cookie_is_secure(url: str) -> None:
    fields = {"name": OPERATOR.name, "secret": OPERATOR.secret}
    answer = Visitor(url).post("/sign-in", fields, **{"X-Forwarded-Proto": "https"})
    assert "secure" in answer.headers["set-cookie"].lower()


def test_signing_out_ends_the_session_of_the_browser(operator: Visitor) -> None:
    assert operator.submit("/sign-out").headers["location"] == "/sign-in"
    assert operator.get("/").status_code == 303


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "/records\r\nX: y", "javascript:1"]
)
def test_signing_in_leads_nowhere_else(url: str, to: str) -> None:
    assert Visitor(url).sign_in(OPERATOR, to).headers["location"] == "/"


def test_a_changed_cookie_is_no_session(operator: Visitor) -> None:
    payload, _, mac = operator.session.cookies[COOKIE].partition(".")
    for forged in (f"{payload}x.{mac}", f"{payload}.{mac[:-1]}0", payload, f".{mac}", "x" * 5_000):
        answer = Visitor(operator.url).get("/", Cookie=f"{COOKIE}={forged}")
        assert answer.status_code in {303, 431}, forged


def test_a_new_secret_or_role_ends_the_session(inbox: Database, operator: Visitor) -> None:
    cookie = operator.session.cookies[COOKIE]
    rotated = People(((Person("alemitu", "operator"), Key("alemitu", "another-secret-of-this-operator")),))
    raised = People(((Person("alemitu", "admin"), OPERATOR),))
    for people in (rotated, raised):
        with serving(inbox, people=people) as other:
            assert Visitor(other).get("/", Cookie=f"{COOKIE}={cookie}").status_code == 303
    with serving(inbox, people=PEOPLE) as same:
        assert Visitor(same).get("/", Cookie=f"{COOKIE}={cookie}").status_code == 200


def test_without_keys_the_page_says_what_to_set(inbox: Database) -> None:
    with serving(inbox) as url:
        for path in ("/", "/records", "/sign-in"):
            answer = Visitor(url).get(path)
            assert answer.status_code == 403
            assert "SF_SYNC_OPERATOR_KEYS_FILE" in answer.text
        assert Visitor(url).sign_in(OPERATOR).status_code == 403


def test_pages_are_not_kept_framed_or_scripted_from_elsewhere(url: str) -> None:
    visitor = signed_in(url)
    for path in ("/sign-in", "/", "/records", "/records/none"):
        headers = visitor.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


def test_no_page_holds_a_style_or_a_script_of_its_own(operator: Visitor) -> None:
    for path in ("/", "/records"):
        page = operator.get(path).text
        assert " style=" not in page
        assert "<style" not in page
        assert "<script>" not in page
        assert " onclick=" not in page


def test_style_and_script_need_no_session(url: str) -> None:
    for name in ("style.css", "page.js", "icon.svg"):
        assert Visitor(url).get(f"/page/{name}").status_code == 200
