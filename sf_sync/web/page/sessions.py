"""Who is signed in: a cookie that only the person's own secret could have signed, so that a new secret ends it."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from hashlib import sha256

from sf_sync.web.keys import Key
from sf_sync.web.people import People, Person

COOKIE = "sf_sync_session"
LASTS_S = 12 * 3600
LONGEST_COOKIE = 1_000


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is signed in. `csrf` is what every form of this session carries."""

    person: Person
    csrf: str = field(repr=False)

    def sent_this(self, token: str) -> bool:
        """Whether a form comes from a page of this session."""
        return hmac.compare_digest(token.encode(), self.csrf.encode())


@dataclass(frozen=True, slots=True)
class Sessions:
    """Makes and reads session cookies."""

    people: People

    def begin(self, person: Person) -> str:
        """The cookie of a new session."""
        claim = {
            "name": person.name,
            "role": person.role,
            "until": int(time.time()) + LASTS_S,
            "id": secrets.token_hex(16),
        }
        payload = base64.urlsafe_b64encode(json.dumps(claim).encode()).rstrip(b"=")
        return f"{payload.decode()}.{_mac(self._key_of(person), 'session', payload)}"

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None where it isn't ours, has ended, or the secret or the role has changed."""
        payload, _, mac = cookie.partition(".")
        if not mac or len(cookie) > LONGEST_COOKIE or not cookie.isascii():
            return None
        try:
            claim = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            person = Person(claim["name"], claim["role"])
            until, session_id = claim["until"], claim["id"]
        except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
            return None
        key = self._key_of(person)
        signed = hmac.compare_digest(mac, _mac(key, "session", payload.encode()))
        if key is None or not signed or until < time.time() or not self.people.may(person, "operator"):
            return None
        return Session(person, _mac(key, "csrf", session_id.encode()))

    def _key_of(self, person: Person) -> Key | None:
        return next((key for one, key in self.people.every if one == person), None)


def _mac(key: Key | None, purpose: str, text: bytes) -> str:
    """As long for a person whom nobody knows."""
    secret = key.secret if key else ""
    own = hmac.digest(secret.encode(), f"sf_sync page {purpose}".encode(), sha256)
    return hmac.new(own, text, sha256).hexdigest()
