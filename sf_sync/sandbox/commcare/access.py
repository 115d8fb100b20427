"""Who may speak to the project space."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """A web user of the project space with its two kinds of credentials."""

    username: str
    password: str
    api_key: str

    def accepts(self, headers: Mapping[str, str]) -> bool:
        """Whether a request's `Authorization` is this account's: `ApiKey name:key` or Basic."""
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "apikey":
            return _same(value.strip(), f"{self.username}:{self.api_key}")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(value.strip(), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return False
            return _same(given, f"{self.username}:{self.password}")
        return False


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
