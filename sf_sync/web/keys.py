"""Keys: secrets with a name, from the settings or from a file that only its owner can read."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from sf_sync.settings import Settings, SettingsError

SHORTEST = 24  # characters of a secret
LONGEST = 512
EXPECTED = (
    f"expected name=secret, the name of a-z, 0-9, - and _, the secret of {SHORTEST} to {LONGEST} characters"
)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SIGNING = "whsec_"  # how Standard Webhooks writes a secret: the rest is base64


@dataclass(frozen=True, slots=True)
class Key:
    """A secret and whose it is."""

    name: str
    secret: str = field(repr=False)

    def is_secret(self, given: bytes) -> bool:
        """Whether this is the secret; takes as long for every wrong one."""
        return hmac.compare_digest(_digest(given), _digest(self.secret.encode()))

    def signing(self) -> bytes:
        """The bytes to sign with."""
        if self.secret.startswith(_SIGNING):
            return base64.b64decode(self.secret.removeprefix(_SIGNING))
        return self.secret.encode()


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of all senders. None at all means that only programs of this machine may send."""

    every: tuple[Key, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.every)

    def __iter__(self) -> Iterator[Key]:
        return iter(self.every)

    def name_of(self, secret: bytes, name: str | None = None) -> str | None:
        """Whose secret this is, of those with this name where one is given. Looks at every key, found or not."""
        found = None
        for key in self.every:
            if key.is_secret(secret) and name in {None, key.name}:
                found = key.name
        return found

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """The keys that the settings name. Raises SettingsError; the message repeats no secret."""
        keys = read_keys("SF_SYNC_INTAKE_KEYS", settings.intake_keys, settings.intake_keys_file)
        names = [key.name for key in keys]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SettingsError(f"the intake key {twice[0]} is given twice; give each key a name of its own")
        return cls(keys)


def read_keys(setting: str, given: SecretStr | None, file: Path | None) -> tuple[Key, ...]:
    """The keys that a setting holds by comma, and those of the file that `setting`_FILE names.

    Raises SettingsError; the message repeats no secret.
    """
    keys: list[Key] = []
    if given is not None:
        keys += _read(setting, given.get_secret_value().replace(",", "\n"))
    if file is not None:
        where = f"{setting}_FILE {file}"
        keys += _read(where, _private(where, file))
    return tuple(keys)


def _read(where: str, text: str) -> Iterator[Key]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, secret = (part.strip() for part in line.partition("="))
        key = Key(name, secret)
        if not _NAME.fullmatch(name) or not SHORTEST <= len(secret) <= LONGEST:
            raise SettingsError(f"{where}: entry {number} is no key; {EXPECTED}")
        try:
            key.signing()
        except binascii.Error:
            raise SettingsError(f"{where}: key {name}: what follows {_SIGNING} must be base64") from None
        yield key


def _private(where: str, path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingsError(f"{where} can't be read: {reason}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            f"{where} can be read by other users (mode {stat.S_IMODE(mode):04o}); run `chmod 600 {path}`"
        )
    return text


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
