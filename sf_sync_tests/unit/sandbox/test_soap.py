"""The SOAP login call and the password grant (protocol §1.1, §1.3)."""

import json
import re
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from sf_sync.sandbox import api
from sf_sync.sandbox.http import Call, Reply

from .conftest import Client

BODY = """<?xml version="1.0" encoding="utf-8" ?>
<env:Envelope xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:urn="urn:partner.soap.sforce.com">
<env:Header><urn:CallOptions><urn:client>a client</urn:client></urn:CallOptions></env:Header>
<env:Body><n1:login xmlns:n1="urn:partner.soap.sforce.com">
<n1:username>{username}</n1:username><n1:password>{password}</n1:password></n1:login></env:Body></env:Envelope>"""
USER = "user1@local.example"


def login(client: Client, password: str, path: str = "u/59.0", username: str = USER) -> Reply:
    body = BODY.format(username=username, password=password).encode()
    headers = {"content-type": "text/xml", "soapaction": "login"}
    return api.answer(
        client.org, Call("POST", f"/services/Soap/{path}", {}, headers, body, "https://org:8443")
    )


def fault(reply: Reply) -> str:
    assert reply.status == 500
    # Read as simple-salesforce reads it: by these prefixed names.
    found = re.search(rb"<sf:exceptionCode>(.*)</sf:exceptionCode>", reply.data)
    assert found is not None
    assert b"<sf:exceptionMessage>" in reply.data
    return found[1].decode()


@pytest.mark.parametrize("path", ["u/59.0", "u/59.0/", "c/64.0"])
def test_login_answers_in_the_order_that_clients_count_on(client: Client, path: str) -> None:
    auth = client.org.auth
    reply = login(client, auth.password + auth.security_token, path)
    assert reply.status == 200, reply.data
    envelope = ElementTree.fromstring(reply.data)  # noqa: S314
    result = envelope[0][0][0]
    assert [child.tag.rpartition("}")[2] for child in result] == [
        "metadataServerUrl", "passwordExpired", "sandbox", "serverUrl", "sessionId", "userId", "userInfo",
    ]  # fmt: skip
    assert str(result[3].text).startswith("https://org:8443/services/Soap/")
    assert result[6][8].text == client.org.id
    client.headers["authorization"] = f"Bearer {result[4].text}"
    assert client.send("GET", "/limits").status == 200


def test_login_refusals(client: Client) -> None:
    auth = client.org.auth
    right = auth.password + auth.security_token
    assert fault(login(client, "wrong")) == "INVALID_LOGIN"
    assert fault(login(client, right, username="nobody@local.example")) == "INVALID_LOGIN"
    assert fault(login(client, auth.password)) == "LOGIN_MUST_USE_SECURITY_TOKEN"
    assert fault(login(client, right, "u/65.0")) == "INVALID_OPERATION"
    assert fault(login(client, right, "u/20.0")) == "UNSUPPORTED_API_VERSION"


def test_the_password_grant_has_to_be_allowed(client: Client) -> None:
    auth, app = client.org.auth, client.org.auth.app

    def token(password: str) -> tuple[int, str]:
        form = {
            "grant_type": "password", "client_id": app.client_id, "client_secret": app.client_secret,
            "username": USER, "password": password,
        }  # fmt: skip
        call = Call("POST", "/services/oauth2/token", {}, {}, urlencode(form).encode(), "http://org")
        reply = api.answer(client.org, call)
        return reply.status, json.loads(reply.data).get("error", "")

    right = auth.password + auth.security_token
    assert token(right) == (400, "unsupported_grant_type")
    client.control.allow_password_grant()
    assert token(right) == (200, "")
    assert token(auth.password) == (400, "invalid_grant")
