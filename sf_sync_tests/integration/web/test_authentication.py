"""Who may send."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from sf_sync.settings import Settings, SettingsError
from sf_sync.store.database import Database
from sf_sync.web.keys import Key, Keys
from sf_sync.web.server import listen
from sf_sync_tests.integration.web.serving import SECRET, SIGNING, Intake, serving
from sf_sync_tests.integration.web.test_bodies import FORM


def signature(body: bytes, timestamp: str, secret: str = SIGNING, message_id: str = "m1") -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed(body: bytes, changed: dict[str, str] | None = None, *, age: int = 0) -> dict[str, str]:
    timestamp = str(int(time.time()) - age)
    headers = {
        "webhook-id": "m1",
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(body, timestamp),
    }
    return headers | (changed or {})


def post(intake: Intake, body: bytes, headers: dict[str, str]) -> requests.Response:
    return requests.post(f"{intake.url}/process-data-cc", data=body, headers=headers, timeout=20)


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


# Made when the test runs: a signature is good for minutes only.
Making = Callable[[], dict[str, str]]


@pytest.mark.parametrize(
    ("headers", "sender"),
    [
        pytest.param(lambda: {"X-API-Key": SECRET}, "commcare", id="key"),
        pytest.param(lambda: {"X-API-Key": SIGNING}, "callouts", id="other key"),
        pytest.param(lambda: basic("commcare", SECRET), "commcare", id="basic"),
        pytest.param(lambda: signed(FORM), "callouts", id="signature"),
    ],
)
def test_a_known_sender_is_named_with_the_record(intake: Intake, headers: Making, sender: str) -> None:
    intake.db.execute("delete from delivery.inbox")

    answer = post(intake, FORM, headers())

    assert answer.status_code == 200
    assert intake.kept(answer)["about"]["sender"] == sender


UNKNOWN: dict[str, Making] = {
    "nothing": dict,
    "part of a key": lambda: {"X-API-Key": SECRET[:-1]},
    "an empty key": lambda: {"X-API-Key": ""},
    "a key beyond ASCII": lambda: {"X-API-Key": "é" * 30},
    "another's secret": lambda: basic("callouts", SECRET),
    "no user": lambda: basic("", SECRET),
    "no base64": lambda: {"Authorization": "Basic ***"},
    "a bearer": lambda: {"Authorization": f"Bearer {SECRET}"},
    "another body": lambda: signed(b"another body"),
    "too old": lambda: signed(FORM, age=400),
    "from the future": lambda: signed(FORM, age=-400),
    "another id": lambda: signed(FORM, {"webhook-id": "m2"}),
    "no timestamp": lambda: signed(FORM, {"webhook-timestamp": "now"}),
    "a digit that is no number": lambda: signed(FORM, {"webhook-timestamp": "²"}),
    "no signature": lambda: signed(FORM, {"webhook-signature": ""}),
    "wrong signatures": lambda: signed(FORM, {"webhook-signature": "v1,AAAA v2,BBBB"}),
    "a key beside a wrong signature": lambda: {"X-API-Key": SECRET} | signed(b"another body"),
}


@pytest.mark.parametrize("sent", UNKNOWN)
def test_an_unknown_sender_is_refused_and_nothing_is_kept(intake: Intake, sent: str) -> None:
    headers = UNKNOWN[sent]()
    before = intake.count()

    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = requests.post(f"{intake.url}/process-data-cc", data=FORM, headers=encoded, timeout=20)

    assert answer.status_code == 401
    assert "Basic" in answer.headers["WWW-Authenticate"]
    assert SECRET not in answer.text
    assert intake.count() == before


def test_one_of_several_signatures_is_enough(intake: Intake) -> None:
    headers = signed(FORM)
    headers["webhook-signature"] = f"v1,AAAA {headers['webhook-signature']}"

    assert post(intake, FORM, headers).status_code == 200


def test_a_replayed_request_changes_nothing(intake: Intake) -> None:
    headers = signed(FORM)

    first, again = post(intake, FORM, headers), post(intake, FORM, headers)

    assert first.json()["receipt"] == again.json()["receipt"]
    assert intake.count() == 1


def test_a_signature_of_a_packed_body_is_over_what_was_sent(intake: Intake) -> None:
    assert post(intake, b"not gzip", signed(b"not gzip") | {"Content-Encoding": "gzip"}).status_code == 400


def test_a_signed_body_that_is_too_large_is_refused_with_a_receipt(intake: Intake) -> None:
    body = b"x" * 100_000

    answer = post(intake, body, signed(body))

    assert answer.status_code == 413
    assert len(intake.kept(answer)["body"]) == 65_536


@pytest.fixture(scope="module")
def open_url(inbox: Database) -> Iterator[str]:
    """An intake without keys."""
    with serving(inbox, Keys()) as url:
        yield url


@pytest.mark.parametrize("path", ["process-data-cc", "metrics"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://example.com"}, {"Host": "example.com"}, {"Host": ""}], ids=str
)
def test_without_keys_a_page_in_a_browser_is_refused(
    open_url: str, path: str, headers: dict[str, str]
) -> None:
    method = "GET" if path == "metrics" else "POST"

    assert requests.request(method, f"{open_url}/{path}", headers=headers, timeout=20).status_code == 403


def test_without_keys_programs_of_this_machine_may_send(open_url: str) -> None:
    assert requests.post(f"{open_url}/process-data-cc", data=FORM, timeout=20).status_code == 200
    assert requests.get(f"{open_url}/metrics", timeout=20).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_others_are_served_only_with_keys(host: str) -> None:
    with pytest.raises(SettingsError, match="no keys are configured"):
        listen(host, 0, Keys())
    listen("0.0.0.0", 0, Keys((Key("one", SECRET),))).close()  # noqa: S104


def settings(**given: object) -> Settings:
    return Settings.model_validate({f"SF_SYNC_INTAKE_{name.upper()}": value for name, value in given.items()})


def test_keys_come_from_the_settings_and_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.touch(mode=0o600)
    path.write_text(f"# senders\ncommcare = {SECRET}\n\ncallouts={SIGNING}\n")

    keys = Keys.of(settings(keys=f"bench={'x' * 24},other={'y' * 24}", keys_file=path))

    assert [key.name for key in keys] == ["bench", "other", "commcare", "callouts"]
    assert SECRET not in repr(keys)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("commcare", "entry 1 is no key"),
        (f"# ok\nCommCare={SECRET}", "entry 2 is no key"),
        ("commcare=short-secret", "entry 1 is no key"),
        ("commcare=whsec_not/base64/at/all!!!!!!", "key commcare: what follows whsec_ must be base64"),
        (f"one={SECRET}\none={SECRET}", "the intake key one is given twice"),
    ],
)
def test_a_key_that_cannot_be_used_is_named_and_not_shown(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "keys"
    path.touch(mode=0o600)
    path.write_text(text)

    with pytest.raises(SettingsError, match=said) as refused:
        Keys.of(settings(keys_file=path))
    assert "short-secret" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_file_of_keys_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"commcare={SECRET}")
    path.chmod(0o640)

    with pytest.raises(SettingsError, match=r"mode 0640.*chmod 600"):
        Keys.of(settings(keys_file=path))
