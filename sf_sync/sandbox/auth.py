"""Sign-in: the app, its grants, the tokens that live, and the token endpoint's refusals (protocol §1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .clock import Clock
from .errors import OAuthError, SoapFault
from .jwt_bearer import subject

SHARED_HOSTS = ("login.salesforce.com", "test.salesforce.com")
AUDIENCES = tuple(f"https://{host}" for host in SHARED_HOSTS)
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
BAD_LOGIN = "Invalid username, password, security token; or user locked out."
FindUser = Callable[[str], tuple[str, bool] | None]


@dataclass(frozen=True)
class App:
    """An external client app with its run-as user; without one client credentials are refused."""

    client_id: str
    client_secret: str
    run_as: str | None


@dataclass
class Session:
    """An access token in use, and the refresh token family that it came from."""

    user: str
    last_used: float
    family: Family | None = None


@dataclass(eq=False)
class Family:
    """A refresh token and those that follow it by rotation; replaying an old one ends them all."""

    user: str
    current: str
    old: set[str] = field(default_factory=set)


class Auth:
    """Knows the app and the tokens that live."""

    def __init__(
        self, clock: Clock, org_id: str, app: App, session_seconds: float, find_user: FindUser
    ) -> None:
        """Tokens die after `session_seconds` without use; `find_user` gives id and activity of a username."""
        self._clock = clock
        self._org_id = org_id
        self.app = app
        self.session_seconds = session_seconds
        self.rotate_refresh_tokens = False
        self.password = secrets.token_urlsafe(12)
        self.security_token = secrets.token_urlsafe(18)
        self.password_grant = False
        self._find_user = find_user
        self._public_key: rsa.RSAPublicKey | None = None
        self._sessions: dict[str, Session] = {}
        self._families: list[Family] = []

    def register_key(self, pem: str) -> None:
        """Take the public key or certificate text with which JWT assertions are checked."""
        key = serialization.load_pem_public_key(pem.encode())
        if not isinstance(key, rsa.RSAPublicKey):
            raise TypeError("JWT bearer takes an RSA key")
        self._public_key = key

    def issue(self, form: Mapping[str, str], authorization: str, host: str, base: str) -> dict[str, str]:
        """The token endpoint: a success body, or OAuthError."""
        grant = form.get("grant_type", "")
        if grant == "client_credentials":
            return self._client_credentials(form, authorization, host, base)
        if grant == JWT_BEARER:
            return self._jwt_bearer(form, base)
        if grant == "refresh_token":
            return self._refresh(form, authorization, base)
        if grant == "password" and self.password_grant:
            return self._password(form, authorization, base)
        if not grant:
            raise OAuthError("invalid_request", "must supply grant_type")
        raise OAuthError("unsupported_grant_type", "grant type not supported")

    def _client_credentials(
        self, form: Mapping[str, str], authorization: str, host: str, base: str
    ) -> dict[str, str]:
        if host.partition(":")[0] in SHARED_HOSTS:
            raise OAuthError("invalid_grant", "request not supported on this domain")
        self._check_app(form, authorization)
        if self.app.run_as is None:
            raise OAuthError("invalid_grant", "no client credentials user enabled")
        return self._success(self.app.run_as, base)

    def _jwt_bearer(self, form: Mapping[str, str], base: str) -> dict[str, str]:
        if self._public_key is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        assertion, now = form.get("assertion", ""), self._clock.seconds()
        username = subject(assertion, self._public_key, self.app.client_id, (*AUDIENCES, base), now)
        found = self._find_user(username)
        if found is None:
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")
        user, active = found
        if not active:
            raise OAuthError("inactive_user", "user is inactive")
        return self._success(user, base)

    def _refresh(self, form: Mapping[str, str], authorization: str, base: str) -> dict[str, str]:
        self._check_app(form, authorization)
        token = form.get("refresh_token", "")
        family = next((f for f in self._families if token == f.current or token in f.old), None)
        if family is None:
            raise OAuthError("invalid_grant", "expired access/refresh token")
        if token != family.current:
            self._end(family)
            raise OAuthError("invalid_grant", "expired access/refresh token")
        answer = self._success(family.user, base, family)
        if self.rotate_refresh_tokens:
            family.old.add(family.current)
            family.current = _new_refresh_token()
            answer["refresh_token"] = family.current
        return answer

    def _password(self, form: Mapping[str, str], authorization: str, base: str) -> dict[str, str]:
        self._check_app(form, authorization)
        found = self._find_user(form.get("username", ""))
        given = form.get("password", "")
        if found is None or not found[1] or not self._is_password(given, self.password + self.security_token):
            raise OAuthError("invalid_grant", "authentication failure")
        return self._success(found[0], base)

    def password_session(self, username: str, password: str) -> tuple[str, str]:
        """User and new session of a SOAP login; the password ends with the security token."""
        found = self._find_user(username)
        if found is not None and found[1]:
            if self._is_password(password, self.password + self.security_token):
                return found[0], self.open_session(found[0])
            if self._is_password(password, self.password):
                raise SoapFault("LOGIN_MUST_USE_SECURITY_TOKEN", BAD_LOGIN)
        raise SoapFault("INVALID_LOGIN", BAD_LOGIN)

    @staticmethod
    def _is_password(given: str, wanted: str) -> bool:
        return secrets.compare_digest(given.encode(), wanted.encode())

    def grant_refresh_token(self, user: str) -> str:
        """What a user's consent in a browser leads to: a refresh token."""
        family = Family(user, _new_refresh_token())
        self._families.append(family)
        return family.current

    def _end(self, family: Family) -> None:
        self._families.remove(family)
        self._sessions = {t: s for t, s in self._sessions.items() if s.family is not family}

    def _check_app(self, form: Mapping[str, str], authorization: str) -> None:
        client_id, client_secret = _basic(authorization) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        if not secrets.compare_digest(client_id.encode(), self.app.client_id.encode()):
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if not secrets.compare_digest(client_secret.encode(), self.app.client_secret.encode()):
            raise OAuthError("invalid_client", "invalid client credentials", 401)

    def open_session(self, user: str, family: Family | None = None) -> str:
        """A new access token."""
        token = f"{self._org_id[:15]}!AQ{secrets.token_urlsafe(60).replace('-', '.')}"
        self._sessions[token] = Session(user, self._clock.seconds(), family)
        return token

    def _success(self, user: str, base: str, family: Family | None = None) -> dict[str, str]:
        token = self.open_session(user, family)
        identity = self.identity(user)
        issued = str(int(self._clock.seconds() * 1000))
        digest = hmac.new(
            self.app.client_secret.encode(), (identity + issued).encode(), hashlib.sha256
        ).digest()
        return {
            "access_token": token,
            "signature": base64.b64encode(digest).decode(),
            "scope": "api refresh_token" if family else "api",
            "instance_url": base,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
            "api_instance_url": "https://api.salesforce.com",
        }

    def identity(self, user: str) -> str:
        """The identity URL of a user; its host is the shared login host, not the org's."""
        return f"https://login.salesforce.com/id/{self._org_id}/{user}"

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
        """End an access token, or a refresh token with all that came from it; whether there was one."""
        for family in self._families:
            if token == family.current:
                self._end(family)
                return True
        return self._sessions.pop(token, None) is not None

    def revoke_all(self) -> None:
        """End every session, as an administrator can; refresh tokens stay."""
        self._sessions.clear()


def _new_refresh_token() -> str:
    return f"5Aep861{secrets.token_urlsafe(60)}"


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_client", "invalid client credentials", 401) from None
    return user, password
