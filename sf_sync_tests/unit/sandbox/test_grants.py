"""JWT bearer, refresh tokens, revocation, identity (protocol §1.1, §1.2)."""

import json
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sf_sync.sandbox import api
from sf_sync.sandbox.http import Call

from .conftest import Client


def post(client: Client, path: str, form: dict[str, str]) -> tuple[int, dict[str, str]]:
    call = Call(
        "POST", f"/services/oauth2/{path}", {}, {}, urlencode(form).encode(), "https://org.my.example"
    )
    reply = api.answer(client.org, call)
    return reply.status, json.loads(reply.data) if reply.data else {}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def bearer(client: Client, key: rsa.RSAPrivateKey, **changed: object) -> tuple[int, dict[str, str]]:
    claims: dict[str, object] = {
        "iss": client.org.auth.app.client_id,
        "sub": "user1@local.example",
        "aud": "https://login.salesforce.com",
        "exp": str(int(client.control.now().timestamp()) + 180),
    }
    assertion = jwt.encode(claims | changed, key, algorithm="RS256")
    return post(
        client, "token", {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    )


def test_jwt_bearer(client: Client, key: rsa.RSAPrivateKey) -> None:
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    client.control.register_key(public.decode())
    status, answer = bearer(client, key)
    assert status == 200
    assert "refresh_token" not in answer
    client.headers["authorization"] = f"Bearer {answer['access_token']}"
    assert client.send("GET", "/limits").status == 200
    now = client.control.now().timestamp()
    other = rsa.generate_private_key(65537, 2048)
    cases = [
        (bearer(client, key, aud="https://elsewhere.example"), "invalid_grant", "Audience validation failed"),
        (bearer(client, key, iss="x"), "invalid_client_id", "client identifier invalid"),
        (bearer(client, key, sub="nobody@x"), "invalid_grant", "user hasn't approved this consumer"),
        (bearer(client, key, exp=now - 1), "invalid_grant", "expired authorization code"),
        (bearer(client, key, exp=now + 3600), "invalid_grant", "expired authorization code"),
        (bearer(client, other), "invalid_grant", "invalid assertion"),
    ]
    for (refused, body), error, description in cases:
        assert (refused, body) == (400, {"error": error, "error_description": description})


def test_refresh_tokens_rotate_and_a_replay_ends_the_family(client: Client) -> None:
    app = client.org.auth.app
    base = {"grant_type": "refresh_token", "client_id": app.client_id, "client_secret": app.client_secret}
    first = client.control.grant_refresh_token(rotate=True)
    status, answer = post(client, "token", base | {"refresh_token": first})
    assert status == 200
    second = answer["refresh_token"]
    assert second != first
    client.headers["authorization"] = f"Bearer {answer['access_token']}"
    assert client.send("GET", "/limits").status == 200
    dead = (400, {"error": "invalid_grant", "error_description": "expired access/refresh token"})
    assert post(client, "token", base | {"refresh_token": first}) == dead
    assert post(client, "token", base | {"refresh_token": second}) == dead
    assert client.send("GET", "/limits").status == 401


def test_without_rotation_the_refresh_token_stays_until_revoked(client: Client) -> None:
    app = client.org.auth.app
    token = client.control.grant_refresh_token()
    form = {"grant_type": "refresh_token", "client_id": app.client_id, "client_secret": app.client_secret}
    for _ in range(2):
        status, answer = post(client, "token", form | {"refresh_token": token})
        assert status == 200
        assert "refresh_token" not in answer
    assert post(client, "revoke", {"token": token}) == (200, {})
    assert post(client, "token", form | {"refresh_token": token})[0] == 400
    client.headers["authorization"] = f"Bearer {answer['access_token']}"
    assert client.send("GET", "/limits").status == 401
    assert post(client, "revoke", {"token": token})[0] == 400


def test_who_am_i(client: Client) -> None:
    info = json.loads(client.send("GET", "/services/oauth2/userinfo").data)
    assert info["organization_id"] == client.org.id
    assert info["preferred_username"] == "user1@local.example"
    identity = client.send("GET", f"/id/{client.org.id}/{info['user_id']}")
    assert json.loads(identity.data)["username"] == "user1@local.example"
    client.headers["authorization"] = "Bearer nonsense"
    refused = client.send("GET", "/services/oauth2/userinfo")
    assert (refused.status, refused.data) == (403, b"Bad_OAuth_Token")
