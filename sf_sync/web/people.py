"""Who may do what over HTTP: keys with a role."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sf_sync.settings import Settings, SettingsError
from sf_sync.web.keys import Key, read_keys

Role = Literal["intake", "operator", "admin"]

# What each role may do beside its own: an intake key sends records, and does nothing else.
INCLUDES: dict[Role, frozenset[Role]] = {
    "intake": frozenset({"intake"}),
    "operator": frozenset({"operator"}),
    "admin": frozenset({"operator", "admin"}),
}
NOBODY = "nobody may operate: set SF_SYNC_OPERATOR_KEYS_FILE or SF_SYNC_ADMIN_KEYS_FILE (docs/operations.md)"


@dataclass(frozen=True, slots=True)
class Person:
    """Whose key it is, and what it is for."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class People:
    """The keys of all roles."""

    every: tuple[tuple[Person, Key], ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, settings: Settings) -> People:
        """The keys that the settings name, each name and each secret once.

        Raises SettingsError; the message repeats no secret.
        """
        given: dict[Role, tuple[Key, ...]] = {
            "intake": read_keys("SF_SYNC_INTAKE_KEYS", settings.intake_keys, settings.intake_keys_file),
            "operator": read_keys(
                "SF_SYNC_OPERATOR_KEYS", settings.operator_keys, settings.operator_keys_file
            ),
            "admin": read_keys("SF_SYNC_ADMIN_KEYS", settings.admin_keys, settings.admin_keys_file),
        }
        every = tuple((Person(key.name, role), key) for role, keys in given.items() for key in keys)
        _refuse_twice(every)
        return cls(every)

    @property
    def may_operate(self) -> bool:
        """Whether anybody may."""
        return any(self.may(person, "operator") for person, _ in self.every)

    def by_secret(self, secret: bytes, name: str | None = None) -> Person | None:
        """Whose secret this is, of those with this name where one is given. Looks at every key, found or not."""
        found = None
        for person, key in self.every:
            if key.is_secret(secret) and name in {None, key.name}:
                found = person
        return found

    @staticmethod
    def may(person: Person, role: Role) -> bool:
        """Whether somebody may do what takes a role."""
        return role in INCLUDES[person.role]


def _refuse_twice(every: tuple[tuple[Person, Key], ...]) -> None:
    by_name: dict[str, Person] = {}
    by_secret: dict[str, Person] = {}
    for person, key in every:
        other = by_name.setdefault(person.name, person)
        if other is not person and other.role == person.role:
            raise SettingsError(
                f"the {person.role} key {person.name} is given twice; give each key a name of its own"
            )
        if other is not person:
            raise SettingsError(
                f"the key {person.name} has two roles, {other.role} and {person.role}; "
                "give each role a key with a name of its own"
            )
        other = by_secret.setdefault(key.secret, person)
        if other is not person:
            raise SettingsError(
                f"the {other.role} key {other.name} and the {person.role} key {person.name} have the same secret; "
                "make each its own"
            )
