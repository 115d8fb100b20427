"""Who sends: by API key, by signature, or by HTTP Basic.

A signature is that of Standard Webhooks 1.0: HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`, base64, with
the prefix `v1,`; several, by space, while a key is being changed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from dataclasses import dataclass
from hashlib import sha256

from starlette.datastructures import Headers

from sf_sync.settings import is_loopback
from sf_sync.web.keys import Keys

OPEN = "-"  # the sender where no keys are configured
CLOCK_DIFFERENCE_S = 300
MOST_SIGNATURES = 10


class Unauthorized(Exception):
    """The sender is not known; the message says what was expected."""


class Forbidden(Exception):
    """The sender may not do this; the message says why."""


@dataclass(frozen=True, slots=True)
class Known:
    """A sender who is known by the head of the request."""

    name: str

    def update(self, chunk: bytes) -> None:
        """Nothing more is to be proved."""

    def sender(self) -> str:
        """The name of the sender's key."""
        return self.name


class Signed:
    """A sender who is known once the whole body was seen."""

    def __init__(self, keys: Keys, message_id: str, timestamp: str, signatures: str) -> None:
        begun = f"{message_id}.{timestamp}.".encode("latin-1")
        self._sums = [(key.name, hmac.new(key.signing(), begun, sha256)) for key in keys]
        self._given = [one.removeprefix("v1,") for one in signatures.split() if one.startswith("v1,")]

    def update(self, chunk: bytes) -> None:
        """The next bytes of the body, as sent."""
        for _, each in self._sums:
            each.update(chunk)

    def sender(self) -> str:
        """The name of the key that signed this body. Raises Unauthorized."""
        given = [one.encode("latin-1") for one in self._given[:MOST_SIGNATURES]]
        found = None
        for name, each in self._sums:
            expected = base64.b64encode(each.digest())
            for one in given:
                if hmac.compare_digest(one, expected):
                    found = name
        if found is None:
            raise Unauthorized("the signature fits no key and this body")
        return found


Sender = Known | Signed


def authenticate(keys: Keys, headers: Headers) -> Sender:
    """Who sends, or what has yet to prove it. Raises Unauthorized or Forbidden."""
    if not keys:
        return _local(headers)
    if "webhook-signature" in headers:
        return _signed(keys, headers)
    if "x-api-key" in headers:
        name = keys.name_of(headers["x-api-key"].encode("latin-1"))
        if name is None:
            raise Unauthorized("X-API-Key is no key of ours")
        return Known(name)
    if headers.get("authorization", "").lower().startswith("basic "):
        return _basic(keys, headers["authorization"])
    raise Unauthorized("expected X-API-Key, Webhook-Signature or Authorization: Basic")


def _local(headers: Headers) -> Known:
    # A page in this machine's browser can reach loopback too; it can't hide where it comes from.
    host = headers.get("host", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if "origin" in headers or not is_loopback(name):
        raise Forbidden("without keys only programs of this machine may send, to a loopback address")
    return Known(OPEN)


def _signed(keys: Keys, headers: Headers) -> Signed:
    timestamp = headers.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise Unauthorized("expected Webhook-Timestamp, in seconds since 1970")
    if abs(int(timestamp) - time.time()) > CLOCK_DIFFERENCE_S:
        raise Unauthorized(f"Webhook-Timestamp is more than {CLOCK_DIFFERENCE_S} seconds from now")
    return Signed(keys, headers.get("webhook-id", ""), timestamp, headers["webhook-signature"])


def basic_credentials(authorization: str) -> tuple[str, bytes]:
    """The name and the secret of Authorization: Basic. Raises Unauthorized."""
    try:
        name, _, secret = base64.b64decode(authorization[6:].strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        raise Unauthorized("Authorization: Basic is not base64 of name:secret") from None
    return name.decode("utf-8", "replace"), secret


def _basic(keys: Keys, authorization: str) -> Known:
    name, secret = basic_credentials(authorization)
    found = keys.name_of(secret, name)
    if found is None:
        raise Unauthorized("Authorization: Basic is no key of ours; expected its name and its secret")
    return Known(found)
