"""Who may operate: the key decides, a change takes POST, and nothing that anybody sends gets further than it should."""

from __future__ import annotations

import base64
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from sf_sync.settings import Settings, SettingsError
from sf_sync.store.database import Database
from sf_sync.web.people import NOBODY, People
from sf_sync_tests.integration.web.operations.operating import KEYS, PERSON, Operated, good, sent
from sf_sync_tests.integration.web.serving import raw, serving

CHANGES = (
    "/process-firestore-to-sf",
    "/process-firestore-to-cc",
    "/auto-retry-firestore-to-sf",
    "/auto-retry-firestore-to-cc",
    "/retry/sf/f1",
    "/retry/cc/f1",
    "/batch_retry/sf/",
    "/batch_retry/cc/",
    "/bulk_update/commcare_collection/",
    "/bulk_update/salesforce_collection/",
)
LOOKS = (
    "/record/commcare_collection/f1",
    "/failed/sf",
    "/failed/cc",
    "/status-count/commcare_collection",
)
EVERY = [*(("POST", path) for path in CHANGES), *(("GET", path) for path in LOOKS)]
EVIL = (
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "f1%00",
    "%ff%fe",
    "'; drop table delivery.inbox; --",
    "%25s",
    "x" * 5_000,
    "00000000-0000-0000-0000-00000000000g",
    "00000000-0000-0000-0000-000000000000",
    "sha256:zz",
    "{receipt}",
    "%F0%9F%8C%B1",
)


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_nothing_is_told_or_done_without_an_operators_key(asked: Operated, method: str, path: str) -> None:
    asked.forms.store(good("f1"))
    body = {"ids": ["f1"], "status": "held"}

    nobody = asked.ask(method, path, None, json=body)
    wrong = asked.ask(method, path, None, json=body, headers={"X-API-Key": KEYS["operator"][:-1]})
    sender = asked.ask(method, path, "intake", json=body)

    assert (nobody.status_code, wrong.status_code, sender.status_code) == (401, 401, 403)
    assert "Basic" in nobody.headers["WWW-Authenticate"]
    assert "may send records and nothing else" in sender.json()["error"]
    assert asked.audited() == []
    assert not any("f1" in answer.text for answer in (nobody, wrong, sender))


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_nothing_is_changed_but_by_post(asked: Operated, path: str, method: str) -> None:
    asked.forms.store(good("f1"))

    answer = asked.ask(method, path, "admin")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert method == "HEAD" or answer.json() == {"error": "expected POST at this address"}
    assert asked.audited() == []


def test_an_operators_key_sends_no_records(asked: Operated) -> None:
    for role in ("operator", "admin"):
        assert asked.post("/process-data-cc", role, json={"id": "f1"}).status_code == 401


@pytest.mark.parametrize(
    ("name", "role", "status"),
    [("olga", "operator", 200), ("adam", "admin", 200), ("adam", "operator", 401), ("", "operator", 401)],
)
def test_a_key_is_taken_by_basic_with_its_name(asked: Operated, name: str, role: str, status: int) -> None:
    given = base64.b64encode(f"{name}:{KEYS[role]}".encode()).decode()

    answer = asked.get("/failed/sf", None, headers={"Authorization": f"Basic {given}"})

    assert answer.status_code == status


def test_where_nobody_may_operate_the_answer_says_what_to_set(database: Database) -> None:
    with serving(database) as url:
        for method, path in EVERY:
            answer = requests.request(method, url + path, headers={"X-API-Key": KEYS["admin"]}, timeout=20)
            assert (answer.status_code, answer.json()["error"]) == (403, NOBODY)


def test_another_sites_page_cannot_use_a_key_that_a_browser_remembers(asked: Operated) -> None:
    path = "/process-firestore-to-sf"
    for origin in ("https://example.com", "null", "http://127.0.0.1:1"):
        assert asked.post(path, headers={"Origin": origin}).status_code == 403
    assert asked.audited() == []
    assert asked.post(path, headers={"Origin": asked.url}).status_code == 200


@pytest.mark.parametrize("evil", EVIL)
def test_no_id_gets_further_than_a_comparison(asked: Operated, evil: str) -> None:
    asked.forms.store(good("f1"))
    for method, path in (
        ("POST", f"/retry/sf/{evil}"),
        ("GET", f"/record/commcare_collection/{evil}"),
        ("POST", f"/retry/{evil}/f1"),
        ("GET", f"/record/{evil}/f1"),
        ("GET", f"/failed/{evil}"),
    ):
        sent_path = path.replace(" ", "%20").replace("{", "%7B").replace("}", "%7D")
        head = f"{method} {sent_path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEYS['admin']}\r\nConnection: close\r\n\r\n"
        status = raw(asked.url, head.encode())[9:12]
        assert status == b"404", (method, path)
    answer = asked.post("/batch_retry/sf/", json={"ids": [evil[:255], "\x00", "\ud800"]})
    assert answer.status_code == 404
    assert asked.forms.db.execute("select count(*) from delivery.inbox").fetchone() == (1,)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "the body is empty"),
        (b"{", 400, "not JSON"),
        (b"[]", 400, "expected a JSON object"),
        (b'{"ids": ' + b"[" * 50 + b"]" * 50 + b"}", 400, "nested deeper"),
        (b"{}", 400, "an empty one"),
        (b'{"status": "new"}', 422, "ids: expected an array"),
        (b'{"ids": [], "status": "new"}', 422, "ids: expected an array"),
        (b'{"ids": "f1", "status": "new"}', 422, "ids: expected an array"),
        (b'{"ids": [1], "status": "new"}', 422, "expected texts of at most 255 characters"),
        (
            b'{"ids": ["' + b"x" * 256 + b'"], "status": "new"}',
            422,
            "expected texts of at most 255 characters",
        ),
        (b'{"ids": ["' + b"x" * 1_100_000 + b'"]}', 413, "at most 1,048,576 bytes"),
    ],
)
@pytest.mark.parametrize("path", ["/bulk_update/commcare_collection/", "/batch_retry/sf/"])
def test_a_body_that_cannot_be_meant_is_refused_with_a_sentence(
    asked: Operated, path: str, body: bytes, status: int, said: str
) -> None:
    answer = asked.post(path, data=body)

    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert asked.audited() == []


def test_many_at_once_are_answered_or_told_to_come_again(asked: Operated) -> None:
    asked.forms.store(*(good(f"f{number}") for number in range(20)))
    paths = [path for _, path in EVERY if path in LOOKS] * 20

    with ThreadPoolExecutor(40) as pool:
        statuses = list(pool.map(lambda path: asked.get(path, "admin").status_code, paths))

    assert set(statuses) <= {200, 404, 503}
    assert statuses.count(200) > 0
    assert asked.get("/failed/sf").status_code == 200


def test_logs_hold_who_asked_for_what_and_no_secret_and_no_person(
    asked: Operated, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        asked.forms.deliver(sent(PERSON, [], refused="no"))
        asked.get(f"/record/commcare_collection/{PERSON}", "admin")
        asked.get("/failed/sf", None, headers={"X-API-Key": "a-wrong-secret-of-somebody"})
        asked.post("/retry/sf/nobody-like-this")

    ours = [one.getMessage() for one in caplog.records if not one.name.startswith("urllib3")]
    written = "".join([*ours, *capfd.readouterr()])
    assert "olga" in written
    assert "refused" in written
    for secret in (*KEYS.values(), "a-wrong-secret-of-somebody", PERSON, "nobody-like-this"):
        assert secret not in written


def people(**given: object) -> People:
    return People.of(
        Settings.model_validate({f"SF_SYNC_{name.upper()}": value for name, value in given.items()})
    )


def test_keys_of_all_roles_come_from_settings_and_files(tmp_path: Path) -> None:
    path = tmp_path / "admins"
    path.touch(mode=0o600)
    path.write_text(f"adam={'a' * 24}\n")

    found = people(intake_keys=f"commcare={'c' * 24}", operator_keys=f"olga={'o' * 24}", admin_keys_file=path)

    assert {(person.name, person.role) for person, _ in found.every} == {
        ("commcare", "intake"),
        ("olga", "operator"),
        ("adam", "admin"),
    }
    person = found.by_secret(b"a" * 24)
    assert person is not None
    assert (found.may(person, "admin"), found.may(person, "operator"), found.may(person, "intake")) == (
        True,
        True,
        False,
    )
    assert found.by_secret(b"a" * 24, "olga") is None
    assert "a" * 24 not in repr(found)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"operator_keys": f"one={'a' * 24}", "admin_keys": f"one={'b' * 24}"},
            "the key one has two roles, operator and admin",
        ),
        (
            {"intake_keys": f"one={'a' * 24}", "admin_keys": f"one={'a' * 24}"},
            "the key one has two roles, intake and admin",
        ),
        ({"admin_keys": f"one={'a' * 24},one={'b' * 24}"}, "the admin key one is given twice"),
        (
            {"operator_keys": f"one={'a' * 24}", "admin_keys": f"two={'a' * 24}"},
            "the operator key one and the admin key two have the same secret",
        ),
        ({"operator_keys": "one=short"}, "SF_SYNC_OPERATOR_KEYS: entry 1 is no key"),
    ],
)
def test_a_name_has_one_role_and_one_secret(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        people(**given)
    assert "a" * 24 not in str(refused.value)


def test_a_file_of_operators_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "operators"
    path.write_text(f"olga={'o' * 24}")
    path.chmod(0o644)

    with pytest.raises(SettingsError, match=r"SF_SYNC_OPERATOR_KEYS_FILE .*mode 0644"):
        people(operator_keys_file=path)
