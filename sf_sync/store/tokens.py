"""The one place of a rotating refresh token (traps E14, E15): a locked, encrypted row per connection.

The key is made from the token that the settings hold, so the row alone opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sf_sync.store.database import Database


@dataclass(frozen=True, slots=True)
class Tokens:
    """A refresh token and the access token that it gave last."""

    refresh_token: str = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    instance_url: str | None = None
    organization_id: str | None = None


class TokenRow:
    """A connection's tokens while their row is locked."""

    def __init__(self, connection: psycopg.Connection[Any], name: str, seed: str) -> None:
        self._connection = connection
        self._name = name
        self._seed = seed
        self._key = Fernet(base64.urlsafe_b64encode(_derived(seed, b"seal")))
        self.tokens = Tokens(seed)
        self.refused: str | None = None
        self._read()

    def save(self, tokens: Tokens) -> None:
        """Keep new tokens, at once and for good: a rotated token must not be lost between answer and use."""
        sealed = self._key.encrypt(json.dumps(asdict(tokens)).encode())
        self._connection.execute(
            "update sync.tokens set sealed = %s, refused = null, changed_at = now() where connection = %s",
            [sealed, self._name],
        )
        self.tokens = tokens

    def refuse(self, reason: str) -> None:
        """Remember that the org no longer takes this token, so that nobody asks again."""
        self._connection.execute(
            "update sync.tokens set refused = %s, changed_at = now() where connection = %s",
            [reason, self._name],
        )

    def _read(self) -> None:
        seed_hash = _derived(self._seed, b"name").hex()
        row = self._connection.execute(
            """
            insert into sync.tokens as t (connection, seed_hash) values (%(name)s, %(hash)s)
            on conflict (connection) do update set
                sealed = case when t.seed_hash = %(hash)s then t.sealed end,
                refused = case when t.seed_hash = %(hash)s then t.refused end,
                seed_hash = %(hash)s
            returning sealed, refused
            """,
            {"name": self._name, "hash": seed_hash},
        ).fetchone()
        if row is None:
            return
        sealed, self.refused = row
        if sealed is not None:
            try:
                self.tokens = Tokens(**json.loads(self._key.decrypt(bytes(sealed))))
            except InvalidToken:
                self.tokens = Tokens(self._seed)


@contextmanager
def locked_tokens(database: Database, connection_name: str, seed: str) -> Iterator[TokenRow]:
    """The tokens of a connection, for one process at a time; what was saved is kept when the block ends."""
    with database.connect("sign in") as connection:
        row = TokenRow(connection, connection_name, seed)
        try:
            yield row
        finally:
            connection.commit()


def _derived(seed: str, purpose: bytes) -> bytes:
    salt = hashlib.sha256(b"sf_sync tokens").digest()
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=purpose).derive(seed.encode())
