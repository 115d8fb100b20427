"""Tasks, events, and the people they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sf_sync.sandbox.cells import FALSE, NULL, TRUE, stamp_cells, text_cell
from sf_sync.sandbox.schema import ObjectType

from . import pools
from .columns import DAY, Columns, Maker, complete

ARCHIVED_AFTER_DAYS = 365
OPEN_FROM_HOUR = 8
SUBJECTS = (
    "Call",
    "Email: pricing, terms & conditions",
    'Meeting about "Phase 2"',
    "Send Letter",
    "Visite médicale",
    "訪問",
    "Follow-up\nsecond line",
)


@dataclass(frozen=True)
class People:
    """Who activities are about and who owns them."""

    users: Sequence[bytes]
    contacts: Sequence[bytes]
    contact_accounts: Sequence[bytes]
    leads: Sequence[bytes]
    accounts: Sequence[bytes]


def tasks(maker: Maker, kind: ObjectType, people: People) -> Columns:
    """All columns of Task; closed tasks of long ago are archived."""
    size = maker.size
    columns = maker.system(kind, people.users)
    values = {f.name: f.values for f in kind.fields}
    offsets, days = _days(maker, 900, 60)
    closed = [maker.rng.random() < (0.85 if offset < 0 else 0.05) for offset in offsets]
    status = maker.texts(("Not Started", "In Progress", "Waiting on someone else", "Deferred"))
    priority = maker.texts(("High", "Normal", "Normal", "Low"))
    high = text_cell("High")
    columns |= _who_and_what(maker, people) | _custom(maker, values)
    columns |= {
        "Subject": maker.texts(SUBJECTS, 0.97),
        "ActivityDate": days,
        "Status": [
            b'"Completed"' if done else open_status for done, open_status in zip(closed, status, strict=True)
        ],
        "Priority": priority,
        "IsHighPriority": [TRUE if cell == high else FALSE for cell in priority],
        "OwnerId": maker.choice(people.users),
        "Description": maker.texts(pools.PHRASES, 0.5),
        "IsClosed": [TRUE if done else FALSE for done in closed],
        "IsArchived": [
            TRUE if done and offset <= -ARCHIVED_AFTER_DAYS else FALSE
            for done, offset in zip(closed, offsets, strict=True)
        ],
        "TaskSubtype": maker.texts(("Task", "Email", "Call")),
        "CallDurationInSeconds": maker.numbers(5, 3_600, 0.2, str),
        "CallType": maker.texts(values["CallType"], 0.2),
        "CompletedDateTime": [
            cell if done else NULL for done, cell in zip(closed, columns["LastModifiedDate"], strict=True)
        ],
    }
    return complete(kind, columns, size)


def events(maker: Maker, kind: ObjectType, people: People) -> Columns:
    """All columns of Event; events of long ago are archived, some are all-day, some are copies for invitees."""
    rng, size = maker.rng, maker.size
    columns = maker.system(kind, people.users)
    values = {f.name: f.values for f in kind.fields}
    offsets, days = _days(maker, 900, 60)
    midnight = maker.now - maker.now % DAY
    starts = [midnight + offset * DAY + rng.randrange(OPEN_FROM_HOUR * 4, 72) * 900 for offset in offsets]
    minutes = [rng.choice((15, 30, 45, 60, 90)) for _ in range(size)]
    all_day = maker.flags(0.05)
    start_cells = stamp_cells(starts)
    columns |= _who_and_what(maker, people) | _custom(maker, values)
    columns |= {
        "Subject": maker.texts(SUBJECTS, 0.97),
        "Location": maker.texts(("Room 4, 2nd floor", "Online", "Field, north"), 0.5),
        "IsAllDayEvent": all_day,
        "ActivityDateTime": [NULL if a == TRUE else s for a, s in zip(all_day, start_cells, strict=True)],
        "ActivityDate": days,
        "DurationInMinutes": [
            b'"1440"' if a == TRUE else b'"%d"' % m for a, m in zip(all_day, minutes, strict=True)
        ],
        "StartDateTime": start_cells,
        "EndDateTime": stamp_cells(s + m * 60 for s, m in zip(starts, minutes, strict=True)),
        "EndDate": days,
        "Description": maker.texts(pools.PHRASES, 0.5),
        "OwnerId": maker.choice(people.users),
        "IsPrivate": maker.flags(0.01),
        "ShowAs": maker.texts(("Busy", "Busy", "Free")),
        "IsChild": maker.flags(0.05),
        "IsGroupEvent": maker.flags(0.1),
        "IsArchived": [TRUE if offset <= -ARCHIVED_AFTER_DAYS else FALSE for offset in offsets],
        "EventSubtype": maker.texts(("Event",)),
    }
    return complete(kind, columns, size)


def relations(maker: Maker, kind: ObjectType, activities: Columns, people: People, extra: int) -> Columns:
    """One row for every activity's Who, then `extra` more contacts of activities drawn by chance; WhoCount follows."""
    rng = maker.rng
    parent = "TaskId" if kind.name.startswith("Task") else "EventId"
    child = activities.get("IsChild")
    rows = [
        r for r, who in enumerate(activities["WhoId"]) if who != NULL and (child is None or child[r] == FALSE)
    ]
    pairs = {(r, activities["WhoId"][r]) for r in rows}
    ordered = [(r, activities["WhoId"][r]) for r in rows]
    shared = [r for r in rows if not activities["WhoId"][r].startswith(b'"00Q')]
    misses = 0
    while extra > 0 and shared and people.contacts and misses < 1_000:
        pair = (rng.choice(shared), rng.choice(people.contacts))
        if pair in pairs:
            misses += 1
            continue
        pairs.add(pair)
        ordered.append(pair)
        extra -= 1
    counts = [0] * len(activities["WhoId"])
    for row, _ in ordered:
        counts[row] += 1
    activities["WhoCount"] = [text_cell(str(count)) for count in counts]
    account_of = dict(zip(people.contacts, people.contact_accounts, strict=True))
    columns: Columns = {
        "Id": maker.ids(kind.prefix, len(ordered)),
        "RelationId": [who for _, who in ordered],
        parent: [activities["Id"][row] for row, _ in ordered],
        "Type": [b'"Lead"' if who.startswith(b'"00Q') else b'"Contact"' for _, who in ordered],
        "AccountId": [account_of.get(who, NULL) for _, who in ordered],
    }
    for name in (
        "IsDeleted",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
        "SystemModstamp",
    ):
        columns[name] = [activities[name][row] for row, _ in ordered]
    return complete(kind, columns, len(ordered))


def _days(maker: Maker, back: int, ahead: int) -> tuple[list[int], list[bytes]]:
    """Days of activities, as offsets from today and as cells."""
    today = datetime.fromtimestamp(maker.now, UTC).date()
    cells = {offset: _date_cell(today, offset) for offset in range(-back, ahead + 1)}
    offsets = maker.rng.choices(range(-back, ahead + 1), k=maker.size)
    return offsets, [cells[offset] for offset in offsets]


def _date_cell(today: date, offset: int) -> bytes:
    return text_cell((today + timedelta(days=offset)).isoformat())


def _who_and_what(maker: Maker, people: People) -> Columns:
    rng = maker.rng
    who: list[bytes] = []
    account: list[bytes] = []
    for _ in range(maker.size):
        chance = rng.random()
        person = account_cell = NULL
        if chance < 0.75 and people.contacts:
            row = int(rng.random() * len(people.contacts))
            person, account_cell = people.contacts[row], people.contact_accounts[row]
        elif chance < 0.85 and people.leads:
            person = people.leads[int(rng.random() * len(people.leads))]
        who.append(person)
        account.append(account_cell)
    what = maker.references(people.accounts, 0.4)
    what = [NULL if w.startswith(b'"00Q') else cell for w, cell in zip(who, what, strict=True)]
    return {
        "WhoId": who,
        "WhatId": what,
        "AccountId": account,
        "WhoCount": [b'"0"' if w == NULL else b'"1"' for w in who],
        "WhatCount": [b'"0"' if w == NULL else b'"1"' for w in what],
    }


def _custom(maker: Maker, values: dict[str, tuple[str, ...]]) -> Columns:
    return {
        "MNO_Type__c": maker.texts(values["MNO_Type__c"], 0.7),
        "MNO_Subtype__c": maker.texts(values["MNO_Subtype__c"], 0.5),
        "MN_Tags__c": maker.several(values["MN_Tags__c"], 0.3),
        "MNO_Setting__c": maker.texts(values["MNO_Setting__c"], 0.5),
        "Attendees_Concatenation__c": maker.texts(("A. Smith; J. Müller", "Олена; 田中"), 0.2),
        "Comments_Short__c": maker.texts(pools.PHRASES, 0.4),
    }
