"""How many records of each object → all tables of a new org."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from sf_sync.sandbox.cells import TRUE, text_cell
from sf_sync.sandbox.schema import ObjectType
from sf_sync.sandbox.table import Table

from .accounts import accounts
from .activities import People, events, relations, tasks
from .columns import Columns, Maker, complete
from .contacts import contacts
from .leads import leads
from .people import users
from .products import BOOKS, pricebooks, prices, products

FEWEST_USERS = 8
CONTACTS_PER_ACCOUNT = 20
MOST_ACCOUNTS_BY_DEFAULT = 2_000


@dataclass(frozen=True)
class Sizes:
    """Records by object. `relations` are people of tasks beyond the first; `days` is how far back changes go."""

    contacts: int = 0
    accounts: int = 0
    users: int = 0
    leads: int = 0
    tasks: int = 0
    events: int = 0
    relations: int = 0
    products: int = 0
    days: int = 30
    seed: int = 1


def build(kinds: Mapping[str, ObjectType], sizes: Sizes, now: float) -> dict[str, Table]:
    """Tables that are the same for the same sizes, seed and moment."""

    def maker(name: str, size: int) -> Maker:
        return Maker(random.Random(f"{sizes.seed}/{name}"), size, int(now), sizes.days)  # noqa: S311 - not a secret

    made: dict[str, Columns] = {}
    made["User"] = users(maker("User", max(FEWEST_USERS, sizes.users)), kinds["User"])
    owners = made["User"]["Id"]
    by_default = min(MOST_ACCOUNTS_BY_DEFAULT, -(-sizes.contacts // CONTACTS_PER_ACCOUNT))
    made["Account"] = accounts(maker("Account", sizes.accounts or by_default), kinds["Account"], owners)
    account_ids = made["Account"]["Id"]
    made["Contact"] = contacts(
        maker("Contact", sizes.contacts), kinds["Contact"], owners, account_ids, made["Account"]["Name"]
    )
    made["Lead"] = leads(maker("Lead", sizes.leads), kinds["Lead"], owners)
    people = People(
        owners, made["Contact"]["Id"], made["Contact"]["AccountId"], made["Lead"]["Id"], account_ids
    )
    made["Task"] = tasks(maker("Task", sizes.tasks), kinds["Task"], people)
    made["Event"] = events(maker("Event", sizes.events), kinds["Event"], people)
    for name, extra in (("Task", sizes.relations), ("Event", 0)):
        relation = f"{name}WhoRelation"
        made[relation] = relations(maker(relation, 0), kinds[relation], made[name], people, extra)
    made["Product2"] = products(maker("Product2", sizes.products), kinds["Product2"], owners)
    book_count = len(BOOKS) if sizes.products else 1
    made["Pricebook2"] = pricebooks(maker("Pricebook2", book_count), kinds["Pricebook2"], owners)
    made["PricebookEntry"] = prices(
        maker("PricebookEntry", sizes.products * book_count),
        kinds["PricebookEntry"],
        owners,
        made["Product2"],
        made["Pricebook2"]["Id"],
    )
    made["Organization"] = _organization(maker("Organization", 1), kinds["Organization"], owners[:1])
    return {name: Table(kind, made.get(name)) for name, kind in kinds.items()}


def _organization(maker: Maker, kind: ObjectType, user: list[bytes]) -> Columns:
    columns = maker.system(kind, user)
    texts = {"Name": "Local Org", "OrganizationType": "Developer Edition", "InstanceName": "LOC1"}
    columns |= {name: [text_cell(text)] for name, text in texts.items()}
    columns |= {"TimeZoneSidKey": [text_cell("GMT")], "IsSandbox": [TRUE]}
    columns |= {name: [text_cell("en_US")] for name in ("DefaultLocaleSidKey", "LanguageLocaleKey")}
    return complete(kind, columns, 1)
