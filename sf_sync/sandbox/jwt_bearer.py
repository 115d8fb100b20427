"""The JWT bearer flow's assertion: signature and claims (protocol §1.1)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .errors import OAuthError

LONGEST_LIFE = 300


def subject(assertion: str, key: rsa.RSAPublicKey, issuer: str, audiences: Sequence[str], now: float) -> str:
    """The username that a good assertion is about."""
    head, _, signature = assertion.rpartition(".")
    header, claims = (_part(text) for text in (head.partition(".")[0], head.partition(".")[2]))
    if header.get("alg") != "RS256":
        raise OAuthError("invalid_grant", "invalid assertion")
    if claims.get("iss") != issuer:
        raise OAuthError("invalid_client_id", "client identifier invalid")
    try:
        key.verify(_bytes(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise OAuthError("invalid_grant", "invalid assertion") from None
    if claims.get("aud") not in audiences:
        raise OAuthError("invalid_grant", "Audience validation failed")
    try:
        # Some clients write the number as a text.
        expires = float(claims["exp"])
    except (KeyError, TypeError, ValueError):
        raise OAuthError("invalid_grant", "invalid assertion") from None
    if not now < expires <= now + LONGEST_LIFE:
        raise OAuthError("invalid_grant", "expired authorization code")
    return str(claims.get("sub", ""))


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise OAuthError("invalid_grant", "invalid assertion") from None


def _part(text: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(text))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise OAuthError("invalid_grant", "invalid assertion")
    return value
