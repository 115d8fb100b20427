"""Sign-in: apps, access tokens and the token endpoint's refusals (protocol §1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from .clock import Clock

SHARED_HOSTS = ("login.salesforce.com", "test.salesforce.com")
SESSION_SECONDS = 7200.0


class OAuthError(Exception):
    """A refusal of the token endpoint: an object on the wire, not the REST array."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        """Keep the parts."""
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True)
class App:
    """An external client app with its run-as user; without one client credentials are refused."""

    client_id: str
    client_secret: str
    run_as: str | None


@dataclass
class Session:
    """An access token in use."""

    user: str
    last_used: float


class Auth:
    """Knows the apps and the tokens that live."""

    def __init__(self, clock: Clock, org_id: str, app: App, session_seconds: float = SESSION_SECONDS) -> None:
        """Tokens die after `session_seconds` without use."""
        self._clock = clock
        self._org_id = org_id
        self.app = app
        self.session_seconds = session_seconds
        self._sessions: dict[str, Session] = {}

    def issue(self, form: Mapping[str, str], authorization: str, host: str, base: str) -> dict[str, str]:
        """The token endpoint: a success body, or OAuthError."""
        grant = form.get("grant_type", "")
        if not grant:
            raise OAuthError("invalid_request", "must supply grant_type")
        if grant != "client_credentials":
            raise OAuthError("unsupported_grant_type", "grant type not supported")
        if host.partition(":")[0] in SHARED_HOSTS:
            raise OAuthError("invalid_grant", "request not supported on this domain")
        client_id, client_secret = _basic(authorization) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        self._check_app(client_id, client_secret)
        if self.app.run_as is None:
            raise OAuthError("invalid_grant", "no client credentials user enabled")
        return self._success(self.app.run_as, base)

    def _check_app(self, client_id: str, client_secret: str) -> None:
        if not secrets.compare_digest(client_id.encode(), self.app.client_id.encode()):
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if not secrets.compare_digest(client_secret.encode(), self.app.client_secret.encode()):
            raise OAuthError("invalid_client", "invalid client credentials", 401)

    def _success(self, user: str, base: str) -> dict[str, str]:
        token = f"{self._org_id[:15]}!AQ{secrets.token_urlsafe(60).replace('-', '.')}"
        self._sessions[token] = Session(user, self._clock.seconds())
        identity = f"https://login.salesforce.com/id/{self._org_id}/{user}"
        issued = str(int(self._clock.seconds() * 1000))
        digest = hmac.new(
            self.app.client_secret.encode(), (identity + issued).encode(), hashlib.sha256
        ).digest()
        return {
            "access_token": token,
            "signature": base64.b64encode(digest).decode(),
            "scope": "api",
            "instance_url": base,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
            "api_instance_url": "https://api.salesforce.com",
        }

    def user_of(self, token: str) -> str | None:
        """The user behind a live token; using it keeps it alive."""
        session = self._sessions.get(token)
        now = self._clock.seconds()
        if session is None or now - session.last_used > self.session_seconds:
            self._sessions.pop(token, None)
            return None
        session.last_used = now
        return session.user

    def revoke(self, token: str) -> bool:
        """End a token; whether there was one."""
        return self._sessions.pop(token, None) is not None

    def revoke_all(self) -> None:
        """End every token, as an administrator can."""
        self._sessions.clear()


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_client", "invalid client credentials", 401) from None
    return user, password
