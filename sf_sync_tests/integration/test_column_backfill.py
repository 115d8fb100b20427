"""A column that came late is filled for the rows that were there before, and never with older values than they have."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sf_sync.catalog.columns import Shape, shape
from sf_sync.catalog.definition import CatalogError, ObjectDefinition, Source, load_catalog
from sf_sync.mirror import stage
from sf_sync.mirror.coverage import NotCovered
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.landing import Target
from sf_sync.mirror.merge import merge
from sf_sync.mirror.partial.column_backfill import backfill_columns
from sf_sync.mirror.partial.partial_merge import PartialMerge, narrow
from sf_sync.mirror.report import Counts
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.table import ensure_table
from sf_sync.mirror.window import Window, days_window
from sf_sync.salesforce.describe import Field, ObjectDescribe
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync_tests.comparing import differences, rows

pytestmark = pytest.mark.proof

CATALOG = load_catalog()
CONTACTS = CATALOG["contacts"]
TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY + timedelta(days=2))


@pytest.fixture
def region(org: LocalOrg, engine: Engine) -> None:
    """All contacts are in the mirror, and then the org gets a field."""
    org.control.advance(600)
    sync_window(engine, CONTACTS, MONTH)
    org.control.advance(1)
    org.control.add_field("Contact", "Region__c", "string(40)", "North")


def differs(org: LocalOrg, engine: Engine) -> list[str]:
    return differences(org, engine.session, engine.database, CONTACTS)


@pytest.mark.parametrize("name", ["Region__c", "region", "region__C"])
@pytest.mark.usefixtures("region")
def test_a_new_column_is_filled_for_all_rows(org: LocalOrg, engine: Engine, name: str) -> None:
    """Trap A17."""
    report = backfill_columns(engine, CONTACTS, [name])
    assert (report.counts, report.changed) == (Counts(refreshed=300), {"Region__c": 300})
    assert "column region added" in report.notes
    assert differs(org, engine) == []


@pytest.mark.usefixtures("region")
def test_only_the_asked_field_is_read(org: LocalOrg, engine: Engine) -> None:
    backfill_columns(engine, CONTACTS, ["Region__c"])
    with engine.database.connect("look") as connection:
        ((fields,),) = connection.execute(
            "select e.fields from sync.extracts e join sync.requests r using (connection, request_id) "
            "where r.purpose = 'column'"
        ).fetchall()
    assert set(fields) == {"Id", "IsDeleted", "SystemModstamp", "Region__c"}


@pytest.mark.usefixtures("region")
def test_only_the_asked_days_are_filled(engine: Engine) -> None:
    week = days_window(TODAY - timedelta(days=6), TODAY)
    backfill_columns(engine, CONTACTS, ["Region__c"], window=week)
    stored = rows(engine.database, CONTACTS).values()
    filled = [row for row in stored if row["region"] == "North"]
    assert 0 < len(filled) < 300
    assert {row["salesforce_id"] for row in filled} == {
        row["salesforce_id"] for row in stored if week.start <= row["sf_system_modstamp"] < week.end
    }


def test_days_that_are_not_covered_are_not_read(org: LocalOrg, engine: Engine) -> None:
    org.control.advance(600)
    for first, last in ((40, 20), (9, 0)):
        sync_window(
            engine, CONTACTS, days_window(TODAY - timedelta(days=first), TODAY - timedelta(days=last))
        )
    org.control.advance(1)
    org.control.add_field("Contact", "Region__c", "string(40)", "North")
    stored = rows(engine.database, CONTACTS)
    assert 0 < len(stored) < 300
    assert backfill_columns(engine, CONTACTS, ["Region__c"]).counts == Counts(refreshed=len(stored))


@pytest.mark.usefixtures("region")
def test_one_that_broke_off_starts_anew_and_ends_filled(org: LocalOrg, engine: Engine) -> None:
    bulk = CONTACTS.model_copy(update={"api": "bulk"})
    org.control.fault("http_503", path="results", after=1, times=100)
    with pytest.raises(SalesforceError):
        backfill_columns(engine, bulk, ["Region__c"])
    org.control.clear_faults()
    org.control.advance(1)
    report = backfill_columns(engine, bulk, ["Region__c"])
    assert report.counts.read == 300
    assert differs(org, engine) == []


def test_a_field_of_one_source_fills_the_rows_of_that_source(org: LocalOrg, engine: Engine) -> None:
    activities = CATALOG["activities"]
    task, event = (org.control.insert(name, {"Subject": "Visit"}) for name in ("Task", "Event"))
    org.control.advance(600)
    sync_window(engine, activities, MONTH)
    org.control.advance(1)
    org.control.add_field("Task", "Region__c", "string(40)", "North")
    assert backfill_columns(engine, activities, ["region"]).counts == Counts(refreshed=1)
    stored = rows(engine.database, activities)
    assert (stored[task]["region"], stored[event]["region"]) == ("North", None)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Regoin__c", "contacts: no field or column 'Regoin__c' is read of Contact; near it: Region__c"),
        ("xyzzy", "contacts: no field or column 'xyzzy' is read of Contact. A field must be visible"),
        ("sf_system_modstamp", "contacts: SystemModstamp comes with every reading"),
    ],
)
@pytest.mark.usefixtures("region")
def test_a_wrong_name_is_answered_with_those_near_it(engine: Engine, name: str, says: str) -> None:
    with pytest.raises(CatalogError) as refused:
        backfill_columns(engine, CONTACTS, [name])
    assert str(refused.value).startswith(says)


def test_without_rows_to_fill_it_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(
        NotCovered, match=r"nothing of Contact has been read yet.*sf-sync sync contacts --full"
    ):
        backfill_columns(engine, CONTACTS, ["Title"])


# The rule itself, on pages of a small object.

THINGS = ObjectDefinition(name="things", table="sf_things", sources=(Source(sobject="Thing__c"),))
FIELDS = {
    "Id": "id",
    "IsDeleted": "boolean",
    "Name": "string",
    "Late__c": "string",
    "SystemModstamp": "datetime",
}
WHOLE: Shape = shape(
    THINGS,
    THINGS.sources[0],
    ObjectDescribe(
        name="Thing__c",
        fields=tuple(Field(name=n, type=t, custom=n.endswith("__c")) for n, t in FIELDS.items()),
    ),
)
LATE = narrow(WHOLE, ["Late__c"])
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: int) -> datetime:
    return EPOCH + timedelta(seconds=second)


@dataclass(frozen=True)
class Row:
    """A record of the org at a moment."""

    record: int
    stamp: int = 0
    name: str = ""
    late: str = ""

    @property
    def id(self) -> str:
        return f"a00{self.record:015d}"

    def cell(self, field_name: str) -> str:
        moment = at(self.stamp).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        cells = {"Id": self.id, "IsDeleted": "false", "Name": self.name, "Late__c": self.late}
        return {**cells, "SystemModstamp": moment}[field_name]


@dataclass
class Mirror:
    """A mirror table to merge readings of all rows into, whole or of one column."""

    connection: psycopg.Connection[Any]
    missed: set[str] = field(default_factory=set)

    def merge(
        self, rows: list[Row], how: Literal["whole", "late"], *, read_at: int, covered_until: int
    ) -> Counts:
        read = WHOLE if how == "whole" else LATE
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(read.fields)
        writer.writerows([row.cell(name) for name in read.fields] for row in rows)
        stage.prepare(self.connection, read)
        stage.copy(self.connection, read, [text.getvalue().encode()])
        target = Target("default", THINGS, read, at(read_at), str(UUID(int=1)))
        covered = (Window(EPOCH - timedelta(seconds=1), at(covered_until)),)
        partial = PartialMerge(WHOLE, ("Late__c",), covered)
        with self.connection.transaction():
            land = merge if how == "whole" else partial.merge
            counts = land(self.connection, target).counts
        self.missed |= partial.missed
        return counts

    def rows(self) -> dict[str, tuple[str | None, str | None]]:
        stored = self.connection.execute("select salesforce_id, name, late from salesforce.sf_things")
        return {record: (name, late) for record, name, late in stored}

    def empty(self) -> None:
        self.missed.clear()
        self.connection.execute("truncate salesforce.sf_things")


@pytest.fixture
def mirror(database: Database) -> Iterator[Mirror]:
    with database.connect("test", autocommit=True) as connection:
        ensure_table(connection, THINGS, WHOLE)
        yield Mirror(connection)


def test_every_row_has_one_outcome(mirror: Mirror) -> None:
    """Engine rules 2.1, the row on partial reads."""
    mirror.merge([Row(n, 10, "n", "old") for n in range(1, 7)], "whole", read_at=100, covered_until=0)
    mirror.connection.execute(
        "update salesforce.sf_things set _absent_at = %s where salesforce_id = %s", [at(150), Row(6).id]
    )
    incoming = [
        Row(1, 10, late="new"),
        Row(2, 10, late="old"),
        Row(3, 5, late="new"),
        Row(4, 20, late="new"),
        Row(5, 90, late="new"),
        Row(6, 10, late="new"),
        Row(7, 10, late="new"),
        Row(8, 90, late="new"),
    ]
    assert mirror.merge(incoming, "late", read_at=100, covered_until=50) == Counts(
        stale=5, unchanged=1, missed=2
    )
    assert mirror.rows()[Row(1).id] == ("n", "old")
    assert mirror.merge(incoming, "late", read_at=151, covered_until=50) == Counts(
        refreshed=1, unchanged=1, stale=3, missed=3
    )
    assert mirror.missed == {Row(4).id, Row(6).id, Row(7).id}
    assert mirror.rows() == {Row(n).id: ("n", "new" if n == 1 else "old") for n in range(1, 7)}


CHANGES = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=10)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, data=st.data())
def test_a_backfill_that_began_before_a_sync_never_writes_old_cells_over_new_ones(
    mirror: Mirror, changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    """An org changes second by second, also without a stamp, to values that never were before; after each change a
    sync or a backfill reads all of it, and what they read is merged in any order.
    """
    mirror.empty()
    org: dict[int, Row] = {}
    readings: list[tuple[int, list[Row]]] = []
    for now, (record, step) in enumerate(changes, start=1):
        before = org.get(record, Row(record))
        org[record] = Row(record, before.stamp + step, name=f"name {now}", late=f"late {now}")
        readings.append((now, list(org.values())))
    ways = st.sampled_from(["whole", "late"])
    planned = [(now, seen, data.draw(ways)) for now, seen in readings] + [(*readings[-1], "whole")]
    for read_at, seen, how in data.draw(st.permutations(planned)):
        counts = mirror.merge(seen, how, read_at=read_at, covered_until=0)  # type: ignore[arg-type]
        assert counts.read == len(seen)
    stored = mirror.rows()
    assert {record: late for record, (_, late) in stored.items()} == {
        row.id: row.late for row in org.values()
    }
