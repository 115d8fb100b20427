"""Signing in: one POST to the org's own token endpoint per flow (protocol page, section 1.1).

simple-salesforce can't do this for us: it knows only https://<domain>.salesforce.com, has no refresh-token
flow and no time-outs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
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
from sf_sync.settings import CONNECTION, Settings, SettingsError, is_loopback
from sf_sync.store.database import open_database
from sf_sync.store.tokens import Tokens, locked_tokens

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
    if settings.auth == "refresh_token":
        return _RefreshToken(settings, instance_url)
    return lambda http: _post(http, instance_url, _form(settings, instance_url)).token


def _form(settings: Settings, instance_url: str) -> dict[str, str]:
    if settings.auth == "client_credentials":
        return {
            "grant_type": "client_credentials",
            "client_id": settings.client_id or "",
            "client_secret": _secret(settings.client_secret),
        }
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": _assertion(settings, instance_url),
    }


def _audience(instance_url: str) -> str:
    """Whom an assertion is for: the vendor's production or sandbox host; elsewhere the address itself."""
    host = urlsplit(instance_url).hostname or ""
    if not host.endswith(".salesforce.com"):
        return instance_url
    is_sandbox = ".sandbox." in host or "--" in host or host.startswith("test.")
    return "https://test.salesforce.com" if is_sandbox else "https://login.salesforce.com"


class _RefreshToken:
    """Signs in with a refresh token, one process at a time, and keeps the new one that the org may answer with."""

    def __init__(self, settings: Settings, instance_url: str) -> None:
        self._settings = settings
        self._instance_url = instance_url
        self._last: str | None = None  # the access token that this process used until it expired

    def __call__(self, http: requests.Session) -> Token:
        seed = _secret(self._settings.refresh_token)
        with locked_tokens(open_database(self._settings), CONNECTION, seed) as row:
            if row.refused is not None:
                raise SignInRefused(f"{row.refused}; authorize the app anew and set SF_REFRESH_TOKEN")
            kept = row.tokens
            if kept.access_token and kept.instance_url and kept.access_token != self._last:
                # Another process has signed in since; asking again would use the token up.
                self._last = kept.access_token
                return Token(kept.access_token, kept.instance_url, kept.organization_id)
            try:
                granted = _post(http, self._instance_url, self._form(kept.refresh_token))
            except SignInRefused as error:
                if error.code == "invalid_grant":
                    row.refuse(str(error))
                raise
            token = granted.token
            row.save(
                Tokens(
                    granted.refresh_token or kept.refresh_token,
                    token.access_token,
                    token.instance_url,
                    token.organization_id,
                )
            )
        self._last = token.access_token
        return token

    def _form(self, refresh_token: str) -> dict[str, str]:
        secret = _secret(self._settings.client_secret)
        return {
            "grant_type": "refresh_token",
            "client_id": self._settings.client_id or "",
            **({"client_secret": secret} if secret else {}),
            "refresh_token": refresh_token,
        }


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
        "aud": _audience(instance_url),
        "exp": int(time.time()) + ASSERTION_LIFE_S,
    }
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (ValueError, jwt.PyJWTError):
        raise SettingsError(
            f"SF_PRIVATE_KEY_FILE={settings.private_key_file} holds no RSA private key in PEM form"
        ) from None


@dataclass(frozen=True, slots=True)
class _Granted:
    """The org's answer to a sign-in."""

    token: Token
    refresh_token: str | None = field(default=None, repr=False)


def _post(http: requests.Session, instance_url: str, form: dict[str, str]) -> _Granted:
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
    return _Granted(token, body.get("refresh_token"))


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
