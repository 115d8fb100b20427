"""What people have in common: names, addresses, e-mail addresses; and the users of the org."""

from __future__ import annotations

from sf_sync.sandbox import ids
from sf_sync.sandbox.cells import FALSE, NULL, TRUE, java_double, text_cell
from sf_sync.sandbox.schema import ObjectType

from . import pools
from .columns import Columns, Maker, complete

MOST_ADDRESSES = 4_000


def person_names(maker: Maker) -> Columns:
    """Salutation, parts of the name, and the Name that follows from them."""
    first = maker.texts(pools.FIRST_NAMES, 0.98)
    last = maker.texts(pools.LAST_NAMES)
    middle = maker.texts(pools.FIRST_NAMES, 0.08)
    suffix = maker.texts(pools.SUFFIXES, 0.03)
    salutation = maker.texts(pools.SALUTATIONS, 0.5)
    known: dict[tuple[bytes, ...], bytes] = {}
    names: list[bytes] = []
    full: list[bytes] = []
    for title, *parts in zip(salutation, first, middle, last, suffix, strict=True):
        for column, key in ((names, tuple(parts)), (full, (title, *parts))):
            name = known.get(key)
            if name is None:
                name = known[key] = b'"' + b" ".join(part[1:-1] for part in key if part != NULL) + b'"'
            column.append(name)
    return {
        "FirstName": first, "LastName": last, "MiddleName": middle, "Suffix": suffix, "Salutation": salutation,
        "Name": names, "Full_Name__c": full,
    }  # fmt: skip


def addresses(maker: Maker, prefix: str, filled: float, located: float) -> Columns:
    """The components of an address; a share of the filled ones is located."""
    rng = maker.rng
    parts = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude", "GeocodeAccuracy")
    columns: Columns = {f"{prefix}{part}": maker.nothing() for part in parts}
    lists = list(columns.values())
    pool: list[tuple[bytes, ...]] = []
    variety = min(MOST_ADDRESSES, maker.size + 1)
    for _ in range(variety):
        city, state, country, stem, latitude, longitude = rng.choice(pools.PLACES)
        street = f"{rng.randint(1, 9999)} {rng.choice(pools.STREETS)}"
        postal = f"{stem}{rng.randint(0, 99):02d}"
        row = [text_cell(text) for text in (street, city, state, postal, country)]
        if rng.random() < located:
            north, east = (
                round(latitude + rng.uniform(-0.1, 0.1), 6),
                round(longitude + rng.uniform(-0.1, 0.1), 6),
            )
            accuracy = rng.choice(("Address", "Street", "Zip"))
            row += [text_cell(java_double(north)), text_cell(java_double(east)), text_cell(accuracy)]
        pool.append(tuple(row))
    for row_number in rng.sample(range(maker.size), int(maker.size * filled)):
        for column, cell in zip(lists, pool[int(rng.random() * variety)], strict=False):
            column[row_number] = cell
    return columns


def emails(maker: Maker, filled: float) -> list[bytes]:
    """E-mail addresses, each its own."""
    endings = [domain.encode() for domain in pools.DOMAINS]
    return maker.sparse(filled, lambda row: b'"person.%d@%s"' % (row + 1, endings[row % len(endings)]))


def users(maker: Maker, kind: ObjectType) -> Columns:
    """Users: the first is the integration user, some are inactive, none can be deleted."""
    rng, size = maker.rng, maker.size
    own = maker.ids(kind.prefix)
    profile, role = text_cell(ids.make("00e", 1)), text_cell(ids.make("00E", 1))
    columns = maker.system(kind, own[:1])
    columns |= person_names(maker) | addresses(maker, "", 0.6, located=0.3)
    columns |= {
        "Username": [b'"user%d@local.example"' % (row + 1) for row in range(size)],
        "Email": [b'"user%d@example.com"' % (row + 1) for row in range(size)],
        "Alias": [b'"u%d"' % (row + 1) for row in range(size)],
        "CommunityNickname": [b'"user%d"' % (row + 1) for row in range(size)],
        "External_ID__c": [b'"U%05d"' % (row + 1) for row in range(size)],
        "Title": maker.texts(pools.TITLES, 0.5),
        "Department": maker.texts(pools.DEPARTMENTS, 0.5),
        "CompanyName": maker.texts(("Local Org",), 0.8),
        "Phone": maker.phones(0.6),
        "IsActive": [TRUE, *maker.flags(0.9)[1:]] if size else [],
        "IsProfilePhotoActive": maker.flags(0.3),
        "TimeZoneSidKey": maker.texts(("GMT", "America/Chicago", "Africa/Addis_Ababa")),
        "LocaleSidKey": maker.texts(("en_US", "de_DE")),
        "LanguageLocaleKey": maker.texts(("en_US", "de")),
        "EmailEncodingKey": maker.texts(("UTF-8",)),
        "ProfileId": maker.choice((profile,)),
        "UserRoleId": maker.choice((role,), 0.8),
        "UserType": maker.texts(("Standard",)),
        "DigestFrequency": maker.texts(("D",)),
        "DefaultGroupNotificationFrequency": maker.texts(("N",)),
        "ManagerId": maker.sparse(0.7, lambda row: own[rng.randrange(size)]),
        "NumberOfFailedLogins": maker.texts(("0",)),
        "ReceivesInfoEmails": [FALSE] * size,
    }
    return complete(kind, {k: v for k, v in columns.items() if any(f.name == k for f in kind.fields)}, size)
