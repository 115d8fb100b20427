"""Contacts: common fields filled, most others sparse, as in a lived-in org."""

from __future__ import annotations

from collections.abc import Sequence

from sf_sync.sandbox.cells import NULL, java_double, text_cell
from sf_sync.sandbox.schema import ObjectType

from . import pools
from .columns import Columns, Maker, complete
from .people import addresses, emails, person_names


def contacts(
    maker: Maker,
    kind: ObjectType,
    users: Sequence[bytes],
    accounts: Sequence[bytes],
    account_names: Sequence[bytes],
) -> Columns:
    """All columns of Contact."""
    rng, size = maker.rng, maker.size
    columns = maker.system(kind, users)
    own = columns["Id"]
    values = {f.name: f.values for f in kind.fields}
    columns |= person_names(maker)
    columns |= addresses(maker, "Mailing", 0.8, located=0.3)
    columns |= addresses(maker, "Other", 0.03, located=0.2)
    columns |= _provider_address(maker, values)
    rows = rng.choices(range(len(accounts) + 1), k=size) if accounts else [0] * size
    pairs = [(NULL, NULL), *zip(accounts, account_names, strict=True)]
    columns["AccountId"] = [pairs[row][0] for row in rows]
    columns["Contact_Account_Name__c"] = [pairs[row][1] for row in rows]
    columns |= {
        "Phone": maker.phones(0.7),
        "Fax": maker.phones(0.02),
        "MobilePhone": maker.phones(0.4),
        "HomePhone": maker.phones(0.05),
        "OtherPhone": maker.phones(0.02),
        "AssistantPhone": maker.phones(0.01),
        "ReportsToId": maker.sparse(0.05, lambda row: own[rng.randrange(size)]),
        "Email": emails(maker, 0.75),
        "Title": maker.texts(pools.TITLES, 0.6),
        "Department": maker.texts(pools.DEPARTMENTS, 0.3),
        "AssistantName": maker.texts(pools.FIRST_NAMES, 0.02),
        "LeadSource": maker.texts(values["LeadSource"], 0.4),
        "Birthdate": maker.days_between(-30_000, -7_000, 0.1),
        "Description": maker.sparse(0.15, lambda row: _description(maker)),
        "OwnerId": maker.choice(users),
        "LastActivityDate": maker.days_between(-400, 0, 0.5),
        "LastViewedDate": maker.nothing(),
        "LastReferencedDate": maker.nothing(),
        "IsEmailBounced": maker.flags(0.01),
        "PhotoUrl": [b'"/services/images/photo/' + cell[1:] for cell in own],
        "CleanStatus": maker.texts(values["CleanStatus"], 0.05),
        "TitleType": maker.texts(values["TitleType"], 0.05),
        "GenderIdentity": maker.texts(values["GenderIdentity"], 0.03),
        "Pronouns": maker.texts(values["Pronouns"], 0.03),
        "External_ID__c": [b'"EXT-%08d"' % (row + 1) for row in range(size)],
        "NPI__c": maker.sparse(0.6, lambda row: b'"1%09d"' % (row * 7 % 1_000_000_000)),
        "Specialty__c": maker.texts(values["Specialty__c"], 0.6),
        "Is_Physician__c": maker.flags(0.5),
        "Is_My_Contact__c": maker.flags(0.1),
        "Active__c": maker.flags(0.9),
        "Days_Since_Last_Visit__c": maker.numbers(0, 900, 0.5, java_double),
        "Last_Visit_Date__c": maker.days_between(-900, 0, 0.5),
        "Last_Visited_By_Rep__c": maker.references(users, 0.5),
        "Business_Entity__c": maker.references(accounts, 0.3),
        "Provider_Participation__c": maker.several(values["Provider_Participation__c"], 0.5),
        "Sub_Specialty__c": maker.several(values["Sub_Specialty__c"], 0.3),
        "BuyerAttributes": maker.several(values["BuyerAttributes"], 0.02),
        "Provider_Start_Date__c": maker.days_between(-4_000, -30, 0.5),
        "Provider_Term_Date__c": maker.days_between(-300, 300, 0.05),
        "Provider_Type__c": maker.texts(values["Provider_Type__c"], 0.6),
        "Employment_Status_MN__c": maker.texts(values["Employment_Status_MN__c"], 0.5),
        "Panel_Status__c": maker.texts(values["Panel_Status__c"], 0.5),
        "Network_ID__c": maker.numbers(1, 500, 0.5, lambda n: f"NET-{n:04d}"),
        "Panel_Size__c": maker.numbers(0, 3_000, 0.4, java_double),
        "Satisfaction_Score__c": maker.numbers(0, 1_000, 0.2, lambda n: java_double(n / 100)),
        "Annual_Volume__c": maker.numbers(0, 90_000_000, 0.2, lambda n: java_double(n / 4)),
    }
    return complete(kind, columns, size)


def _provider_address(maker: Maker, values: dict[str, tuple[str, ...]]) -> Columns:
    made = addresses(maker, "", 0.5, located=0.5)
    parts = ("Street", "City", "PostalCode", "Latitude", "Longitude", "GeocodeAccuracy")
    columns = {f"MN_Address__{part}__s": made[part] for part in parts}
    columns["MN_Address__StateCode__s"] = maker.texts(values["MN_Address__StateCode__s"], 0.5)
    columns["MN_Address__CountryCode__s"] = maker.texts(("US",), 0.5)
    return columns


def _description(maker: Maker) -> bytes:
    return text_cell("\n".join(maker.rng.choices(pools.PHRASES, k=maker.rng.randint(1, 6))))
