"""Every way to sign in works, expiry is survived, and a refusal is asked once and said in a sentence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sf_sync.salesforce import auth, rest
from sf_sync.salesforce.errors import PermanentError, SignInRefused, TransientError
from sf_sync.salesforce.org import open_session, organization_id
from sf_sync.salesforce.session import OrgSession, Retries
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.conftest import QUICK

USER = "SELECT Username FROM User WHERE IsActive = true LIMIT 1"


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(contacts=30, users=3, https=True) as running:
        yield running


def settings(org: LocalOrg, database: Database | None = None, **more: Any) -> Settings:
    given = {"SF_INSTANCE_URL": org.url, "SF_CLIENT_ID": org.client_id, **more}
    if database is not None:
        given["DATABASE_URL"] = database.url.libpq
    return Settings.model_validate(given)


def count(session: OrgSession) -> int:
    return rest.count(session, "Contact", "Id != null", operation="queryAll")


@pytest.fixture
def sign_ins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The grant type of every request for a token."""
    asked: list[str] = []
    post = auth._post

    def counted(http: requests.Session, url: str, form: dict[str, str]) -> object:
        asked.append(form["grant_type"])
        return post(http, url, form)

    monkeypatch.setattr(auth, "_post", counted)
    return asked


def private_key(org: LocalOrg, folder: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    org.control.register_key(public.decode())
    path = folder / "key.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def test_with_client_credentials(org: LocalOrg) -> None:
    with open_session(settings(org, SF_CLIENT_SECRET=org.client_secret)) as session:
        assert count(session) == 30
        assert organization_id(session).startswith("00D")


def test_with_a_signed_assertion(org: LocalOrg, tmp_path: Path) -> None:
    with open_session(settings(org, SF_CLIENT_SECRET=org.client_secret)) as session:
        username = rest.query(session, USER, "looking").records[0]["Username"]
    key = private_key(org, tmp_path)
    jwt = settings(org, SF_AUTH="jwt", SF_USERNAME=username, SF_PRIVATE_KEY_FILE=str(key))
    with open_session(jwt) as session:
        assert count(session) == 30


def test_with_an_access_token_until_it_expires(org: LocalOrg) -> None:
    with open_session(settings(org, SF_CLIENT_SECRET=org.client_secret)) as session:
        token = session.token.access_token
    with open_session(settings(org, SF_AUTH="access_token", SF_ACCESS_TOKEN=token)) as session:
        assert count(session) == 30
        org.control.expire_tokens()
        with pytest.raises(SignInRefused, match="SF_ACCESS_TOKEN is no longer good and can't be renewed"):
            count(session)


@pytest.mark.parametrize("rotate", [False, True])
def test_with_a_refresh_token_also_when_it_rotates(org: LocalOrg, database: Database, rotate: bool) -> None:
    seed = org.control.grant_refresh_token(rotate=rotate)
    given = settings(
        org, database, SF_AUTH="refresh_token", SF_REFRESH_TOKEN=seed, SF_CLIENT_SECRET=org.client_secret
    )
    for _ in range(3):
        with open_session(given) as session:
            assert count(session) == 30
        org.control.expire_tokens()
    with database.connect("look") as connection:
        sealed = connection.execute("select sealed from sync.tokens").fetchone()
    assert sealed is not None
    assert seed.encode() not in bytes(sealed[0])


def test_eight_at_once_use_one_rotating_refresh_token_without_losing_it(
    org: LocalOrg, database: Database
) -> None:
    seed = org.control.grant_refresh_token(rotate=True)
    given = settings(
        org, database, SF_AUTH="refresh_token", SF_REFRESH_TOKEN=seed, SF_CLIENT_SECRET=org.client_secret
    )

    def several(_: int) -> int:
        with open_session(given, retries=QUICK) as session:
            return sum(count(session) for _ in range(5))

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(several, n) for n in range(8)]
        for _ in range(3):
            org.control.expire_tokens()
        assert [one.result() for one in running] == [150] * 8


def test_a_dead_refresh_token_is_asked_for_once_by_all(
    org: LocalOrg, database: Database, sign_ins: list[str]
) -> None:
    given = settings(
        org, database, SF_AUTH="refresh_token", SF_REFRESH_TOKEN="dead", SF_CLIENT_SECRET=org.client_secret
    )
    for _ in range(3):
        with (
            open_session(given) as session,
            pytest.raises(SignInRefused, match="expired access/refresh token"),
        ):
            count(session)
    assert sign_ins == ["refresh_token"]
    seed = org.control.grant_refresh_token()
    fresh = settings(
        org, database, SF_AUTH="refresh_token", SF_REFRESH_TOKEN=seed, SF_CLIENT_SECRET=org.client_secret
    )
    with open_session(fresh) as session:
        assert count(session) == 30


def test_an_expired_session_is_renewed_once_for_many_threads(org: LocalOrg, sign_ins: list[str]) -> None:
    with open_session(settings(org, SF_CLIENT_SECRET=org.client_secret)) as session:
        count(session)
        org.control.expire_tokens()
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: count(session), range(8))) == [30] * 8
        assert len(sign_ins) == 2


def test_a_wrong_secret_is_refused_once_and_never_shown(
    org: LocalOrg, caplog: pytest.LogCaptureFixture, sign_ins: list[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        open_session(settings(org, SF_CLIENT_SECRET="hunter2")) as session,
        pytest.raises(SignInRefused, match=r"invalid client credentials.*check SF_INSTANCE_URL") as refused,
    ):
        count(session)
    assert len(sign_ins) == 1
    assert "hunter2" not in str(refused.value) + caplog.text


def test_https_is_verified(org: LocalOrg) -> None:
    secure: dict[str, Any] = {"SF_INSTANCE_URL": org.https_url, "SF_CLIENT_SECRET": org.client_secret}
    with open_session(settings(org, **secure, SF_CA_BUNDLE=org.ca_file)) as session:
        assert count(session) == 30
    with (
        open_session(settings(org, **secure)) as session,
        pytest.raises(PermanentError, match=r"could not be verified.*SF_CA_BUNDLE"),
    ):
        count(session)


def test_an_org_that_is_not_there_is_said_after_a_few_tries() -> None:
    nowhere = Settings.model_validate(
        {"SF_INSTANCE_URL": "http://127.0.0.1:9", "SF_CLIENT_ID": "x", "SF_CLIENT_SECRET": "y"}
    )
    with (
        open_session(nowhere, retries=Retries(2, 0.01, 0.01)) as session,
        pytest.raises(TransientError, match=r"no answer from http://127\.0\.0\.1:9"),
    ):
        count(session)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sobjects/Contact"),
        ("PATCH", "/sobjects/Contact/003000000000001"),
        ("DELETE", "/sobjects/Contact/003000000000001"),
        ("POST", "/jobs/ingest"),
        ("POST", "/composite/sobjects"),
        ("PUT", "/jobs/ingest/750/batches"),
    ],
)
def test_nothing_but_reads_is_sent(org: LocalOrg, method: str, path: str) -> None:
    with (
        open_session(settings(org, SF_CLIENT_SECRET=org.client_secret)) as session,
        pytest.raises(PermanentError, match="only reads"),
    ):
        session.json(method, session.path(path), "writing", body={})
    assert org.control.requests() == []


def test_a_composite_request_that_hides_a_write_is_not_sent(org: LocalOrg) -> None:
    hidden = {"compositeRequest": [{"method": "DELETE", "url": "/services/data/v62.0/sobjects/Contact/1"}]}
    with (
        open_session(settings(org, SF_CLIENT_SECRET=org.client_secret)) as session,
        pytest.raises(PermanentError, match="only reads"),
    ):
        session.json("POST", session.path("/composite"), "writing", body=hidden)
    assert org.control.requests() == []
