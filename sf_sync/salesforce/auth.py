"""Signing in: one POST to the org's own token endpoint per flow (protocol page, section 1.1).

simple-salesforce can't do this for us: it knows only https://<domain>.salesforce.com, has no refresh-token
flow and no time-outs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import jwt
import requests

from sf_sync.salesforce.errors import (
    DailyLimitReached,
    SalesforceError,
    SignInRefused,
    TransientError,
    read_answer,
    refusal,
)
from sf_sync.salesforce.session import CONNECT_TIMEOUT_S, Token
from sf_sync.settings import Settings, SettingsError, is_loopback

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path
TOKEN_TIMEOUT_S = 60
ASSERTION_LIFE_S = 180
DOING = "signing in"

SignIn = Callable[[requests.Session], Token]


def sign_in_from(settings: Settings) -> SignIn:
    """The way to sign in that the settings describe. Raises SettingsError where something is missing."""
    instance_url = settings.require_org()
    if settings.auth == "access_token":
        given = Token(_secret(settings.access_token), instance_url)
        return _once(given)
    return lambda http: _post(http, instance_url, _form(settings, instance_url))


def _form(settings: Settings, instance_url: str) -> dict[str, str]:
    if settings.auth == "client_credentials":
        return {
            "grant_type": "client_credentials",
            "client_id": settings.client_id or "",
            "client_secret": _secret(settings.client_secret),
        }
    if settings.auth == "jwt":
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": _assertion(settings, instance_url),
        }
    raise SettingsError(
        f"SF_AUTH={settings.auth} is not there yet; use client_credentials, jwt or access_token"
    )


def _assertion(settings: Settings, instance_url: str) -> str:
    if settings.private_key_file is None:
        raise SettingsError("SF_PRIVATE_KEY_FILE is not set; SF_AUTH=jwt signs with it")
    try:
        key = settings.private_key_file.read_text()
    except OSError as error:
        raise SettingsError(f"SF_PRIVATE_KEY_FILE={settings.private_key_file}: {error.strerror}") from None
    claims = {
        "iss": settings.client_id,
        "sub": settings.username,
        "aud": instance_url,
        "exp": int(time.time()) + ASSERTION_LIFE_S,
    }
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (ValueError, jwt.PyJWTError):
        raise SettingsError(
            f"SF_PRIVATE_KEY_FILE={settings.private_key_file} holds no RSA private key in PEM form"
        ) from None


def _post(http: requests.Session, instance_url: str, form: dict[str, str]) -> Token:
    try:
        response = http.post(
            instance_url + TOKEN_PATH,
            data=form,
            timeout=(CONNECT_TIMEOUT_S, TOKEN_TIMEOUT_S),
            allow_redirects=False,
        )
    except requests.exceptions.SSLError as error:
        raise SignInRefused(
            f"{DOING}: the certificate of {instance_url} could not be verified ({error}); "
            "for a private authority set SF_CA_BUNDLE",
            code="TLS",
        ) from None
    except requests.RequestException as error:
        raise TransientError(f"{DOING}: no answer from {instance_url} ({type(error).__name__})") from None
    if response.status_code != 200:
        raise _refused(response, instance_url)
    try:
        body = response.json()
        # The identity URL ends in /id/<organization>/<user>.
        organization = body["id"].split("/")[-2] if str(body.get("id", "")).count("/") >= 2 else None
        token = Token(body["access_token"], body.get("instance_url", instance_url).rstrip("/"), organization)
    except (ValueError, KeyError, AttributeError):
        raise SignInRefused(f"{DOING}: {instance_url} answered without an access_token") from None
    address = urlsplit(token.instance_url)
    if address.scheme != "https" and not is_loopback(address.hostname or ""):
        raise SignInRefused(
            f"{DOING}: the org sent us to {token.instance_url}, where the token would go in clear"
        )
    return token


def _refused(response: requests.Response, instance_url: str) -> SalesforceError:
    error = refusal(response.status_code, response.text, f"{DOING} at {instance_url}")
    if isinstance(error, (TransientError, DailyLimitReached)):
        return error
    answer = read_answer(response.text)
    return SignInRefused(
        f"{error}; check SF_INSTANCE_URL, SF_CLIENT_ID and the app's policies in the org",
        code=answer.code,
        status=response.status_code,
    )


def _once(token: Token) -> SignIn:
    """A given token can't be renewed: the second sign-in is refused with a sentence."""
    given = iter([token])

    def sign_in(_: requests.Session) -> Token:
        try:
            return next(given)
        except StopIteration:
            raise SignInRefused(
                "the token in SF_ACCESS_TOKEN is no longer good and can't be renewed; "
                "set a new one, or use SF_AUTH=client_credentials or jwt"
            ) from None

    return sign_in


def _secret(value: object) -> str:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else ""
