"""How many records of each object → all tables of a new org."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from sf_sync.sandbox.schema import ObjectType
from sf_sync.sandbox.table import Table

from .accounts import accounts
from .columns import Columns, Maker
from .contacts import contacts
from .people import users

FEWEST_USERS = 8
CONTACTS_PER_ACCOUNT = 20
MOST_ACCOUNTS_BY_DEFAULT = 2_000


@dataclass(frozen=True)
class Sizes:
    """Records by object; `days` is how far back changes go."""

    contacts: int = 0
    accounts: int = 0
    users: int = 0
    days: int = 30
    seed: int = 1


def build(kinds: Mapping[str, ObjectType], sizes: Sizes, now: float) -> dict[str, Table]:
    """Tables that are the same for the same sizes, seed and moment."""
    made: dict[str, Columns] = {}

    def maker(name: str, size: int) -> Maker:
        return Maker(random.Random(f"{sizes.seed}/{name}"), size, int(now), sizes.days)  # noqa: S311 - not a secret

    made["User"] = users(maker("User", max(FEWEST_USERS, sizes.users)), kinds["User"])
    user_ids = made["User"]["Id"]
    by_default = min(MOST_ACCOUNTS_BY_DEFAULT, -(-sizes.contacts // CONTACTS_PER_ACCOUNT))
    made["Account"] = accounts(maker("Account", sizes.accounts or by_default), kinds["Account"], user_ids)
    account_ids, account_names = made["Account"]["Id"], made["Account"]["Name"]
    made["Contact"] = contacts(
        maker("Contact", sizes.contacts), kinds["Contact"], user_ids, account_ids, account_names
    )  # fmt: skip
    return {name: Table(kind, made.get(name)) for name, kind in kinds.items()}
