"""The merge rule: whatever order pages come in, the mirror ends with the newest version of every record."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sf_sync.catalog.columns import Shape, shape
from sf_sync.catalog.definition import ObjectDefinition, Source
from sf_sync.mirror import stage
from sf_sync.mirror.landing import Merged, Target
from sf_sync.mirror.merge import merge
from sf_sync.mirror.report import Counts
from sf_sync.mirror.table import ensure_table
from sf_sync.salesforce.describe import Field, ObjectDescribe
from sf_sync.store.database import Database

DEFINITION = ObjectDefinition(name="things", table="sf_things", sources=(Source(sobject="Thing__c"),))
DESCRIBE = ObjectDescribe(
    name="Thing__c",
    fields=tuple(
        Field(name=name, type=type_, custom=name.endswith("__c"))
        for name, type_ in [
            ("Id", "id"),
            ("IsDeleted", "boolean"),
            ("Name", "string"),
            ("Amount__c", "double"),
            ("Pieces__c", "int"),
            ("Day__c", "date"),
            ("SystemModstamp", "datetime"),
        ]
    ),
)
SHAPE: Shape = shape(DEFINITION, DEFINITION.sources[0], DESCRIBE)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
EXTRACT = UUID(int=1)


def record_id(number: int) -> str:
    return f"a00{number:015d}"


def at(second: int) -> datetime:
    return EPOCH + timedelta(seconds=second)


@dataclass(frozen=True)
class Row:
    """A row of a page: which record, its stamp in seconds, its values."""

    record: int
    stamp: int
    name: str = "x"
    deleted: str = "false"
    amount: str = ""
    pieces: str = ""
    day: str = ""

    def cells(self) -> list[str]:
        stamp = at(self.stamp).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return [record_id(self.record), self.deleted, self.name, self.amount, self.pieces, self.day, stamp]


def page(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(SHAPE.fields)
    writer.writerows(row.cells() for row in rows)
    return text.getvalue().encode()


class Mirror:
    """A mirror table to merge pages into."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        ensure_table(connection, DEFINITION, SHAPE)
        stage.prepare(connection, SHAPE)

    def merge(self, rows: list[Row], *, read_at: int, extract: UUID = EXTRACT) -> Merged:
        stage.copy(self.connection, SHAPE, [page(rows)])
        with self.connection.transaction():
            return merge(self.connection, Target("default", DEFINITION, SHAPE, at(read_at), str(extract)))

    def names(self) -> dict[str, str | None]:
        return dict(
            self.connection.execute("select salesforce_id, name from salesforce.sf_things").fetchall()
        )

    def one(self, columns: str) -> tuple[Any, ...]:
        row = self.connection.execute(f"select {columns} from salesforce.sf_things").fetchone()
        assert row is not None
        return tuple(row)

    def empty(self) -> None:
        self.connection.execute("truncate salesforce.sf_things, sync.rejected_cells")


@pytest.fixture
def mirror(database: Database) -> Iterator[Mirror]:
    with opened(database) as mirror:
        yield mirror


@contextmanager
def opened(database: Database) -> Iterator[Mirror]:
    with database.connect("test", autocommit=True) as connection:
        yield Mirror(connection)


def test_a_second_reading_of_the_same_rows_changes_nothing(mirror: Mirror) -> None:
    rows = [Row(1, 10), Row(2, 20)]
    assert mirror.merge(rows, read_at=100).counts == Counts(new=2)
    before = mirror.connection.execute("select xmin::text from salesforce.sf_things").fetchall()
    assert mirror.merge(rows, read_at=200).counts == Counts(unchanged=2)
    assert mirror.connection.execute("select xmin::text from salesforce.sf_things").fetchall() == before


def test_a_first_load_meets_a_record_again_and_still_ends_right(mirror: Mirror) -> None:
    for rows, counts in (
        ([Row(1, 10, "a"), Row(2, 10)], Counts(new=2)),
        ([Row(1, 20, "b"), Row(3, 10)], Counts(new=1, updated=1)),
    ):
        stage.copy(mirror.connection, SHAPE, [page(rows)])
        with mirror.connection.transaction():
            target = Target("default", DEFINITION, SHAPE, at(100), str(EXTRACT), is_first_load=True)
            assert merge(mirror.connection, target).counts == counts
    assert mirror.names() == {record_id(1): "b", record_id(2): "x", record_id(3): "x"}


def test_an_older_version_never_overwrites_a_newer_one(mirror: Mirror) -> None:
    mirror.merge([Row(1, 20, "new")], read_at=100)
    assert mirror.merge([Row(1, 10, "old")], read_at=200).counts == Counts(stale=1)
    assert mirror.names() == {record_id(1): "new"}


def test_at_an_equal_stamp_the_later_reading_wins(mirror: Mirror) -> None:
    mirror.merge([Row(1, 10, "first")], read_at=100)
    assert mirror.merge([Row(1, 10, "earlier")], read_at=90).counts == Counts(stale=1)
    assert mirror.merge([Row(1, 10, "later")], read_at=110).counts == Counts(updated=1)
    assert mirror.names() == {record_id(1): "later"}


def test_a_row_proved_absent_comes_back_only_from_a_later_reading(mirror: Mirror) -> None:
    mirror.merge([Row(1, 10)], read_at=100)
    mirror.connection.execute("update salesforce.sf_things set _absent_at = %s", [at(150)])
    assert mirror.merge([Row(1, 10)], read_at=150).counts == Counts(stale=1)
    assert mirror.merge([Row(1, 10)], read_at=151).counts == Counts(revived=1)
    assert mirror.one("_absent_at") == (None,)


def test_the_newest_of_a_records_versions_in_one_page_is_kept(mirror: Mirror) -> None:
    merged = mirror.merge([Row(1, 10, "a"), Row(1, 30, "c"), Row(1, 20, "b")], read_at=100)
    assert merged.counts == Counts(new=1, duplicate=2)
    assert mirror.names() == {record_id(1): "c"}


def test_a_soft_deleted_row_without_values_keeps_the_last_ones(mirror: Mirror) -> None:
    mirror.merge([Row(1, 10, "kept", amount="5")], read_at=100)
    assert mirror.merge([Row(1, 20, "", deleted="true")], read_at=110).counts == Counts(updated=1)
    assert mirror.one("name, amount, is_deleted, sf_system_modstamp") == ("kept", 5, True, at(20))
    assert mirror.merge([Row(1, 20, "", deleted="true")], read_at=120).counts == Counts(unchanged=1)


def test_a_soft_deleted_row_with_values_brings_its_last_change(mirror: Mirror) -> None:
    mirror.merge([Row(1, 10, "before")], read_at=100)
    mirror.merge([Row(1, 20, "after", deleted="true")], read_at=110)
    assert mirror.one("name, is_deleted") == ("after", True)


@pytest.mark.parametrize(
    ("pieces", "amount", "stored"),
    [("5.0", "5.0", (5, 5)), ("1.0E3", "1.0E7", (1000, 10_000_000)), ("-3", "-0.25", (-3, -0.25))],
)
def test_numbers_are_read_as_the_org_prints_them(
    mirror: Mirror, pieces: str, amount: str, stored: tuple[Any]
) -> None:
    assert mirror.merge([Row(1, 1, pieces=pieces, amount=amount)], read_at=2).rejected_cells == 0
    assert tuple(map(float, mirror.one("pieces, amount"))) == stored


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"pieces": "5.5"}, "Pieces__c"),
        ({"pieces": "99999999999"}, "Pieces__c"),
        ({"amount": "NaN"}, "Amount__c"),
        ({"amount": "-Infinity"}, "Amount__c"),
        ({"amount": "twelve"}, "Amount__c"),
        ({"day": "today"}, "Day__c"),
        ({"day": "infinity"}, "Day__c"),
        ({"day": "2026-02-30"}, "Day__c"),
        ({"day": "0000-01-01"}, "Day__c"),
        ({"day": "12026-01-01"}, "Day__c"),
        ({"day": "-044-03-15"}, "Day__c"),
    ],
)
def test_a_cell_without_a_value_of_its_type_is_kept_raw_and_the_row_lands(
    mirror: Mirror, cells: dict[str, str], field: str
) -> None:
    merged = mirror.merge([Row(1, 1, "lands", **cells), Row(2, 1, "neighbour", amount="7")], read_at=2)
    assert (merged.counts, merged.rejected_cells) == (Counts(new=2), 1)
    assert mirror.names() == {record_id(1): "lands", record_id(2): "neighbour"}
    kept = mirror.connection.execute("select record_id, field, raw from sync.rejected_cells").fetchall()
    assert kept == [(record_id(1), field, next(iter(cells.values())))]


def test_a_rejected_cell_is_resolved_when_a_later_version_types(mirror: Mirror) -> None:
    mirror.merge([Row(1, 1, amount="??")], read_at=2)
    mirror.merge([Row(1, 1, amount="??")], read_at=3, extract=UUID(int=2))
    assert mirror.connection.execute("select count(*) from sync.rejected_cells").fetchone() == (1,)
    mirror.merge([Row(1, 9, amount="4")], read_at=10, extract=UUID(int=3))
    assert mirror.connection.execute("select resolved_at is null from sync.rejected_cells").fetchall() == [
        (False,)
    ]


def test_a_row_without_an_id_is_kept_raw_and_counted(mirror: Mirror) -> None:
    text = page([Row(1, 1)]).replace(record_id(1).encode(), b"??")
    stage.copy(mirror.connection, SHAPE, [text])
    with mirror.connection.transaction():
        merged = merge(mirror.connection, Target("default", DEFINITION, SHAPE, at(5), str(EXTRACT)))
    assert merged.counts == Counts(rejected=1)
    assert mirror.connection.execute(
        "select count(*) from sync.rejected_cells where raw like '%??%'"
    ).fetchone() == (1,)


def test_text_arrives_as_it_is(mirror: Mirror) -> None:
    nasty = 'a "quoted", comma\r\nline\n\\.\nNULL \\N NA 😀 ' + "x" * 131_072
    mirror.merge([Row(1, 1, nasty), Row(2, 1, "NULL"), Row(3, 1, "")], read_at=2)
    assert mirror.names() == {record_id(1): nasty, record_id(2): "NULL", record_id(3): None}


def test_nul_bytes_are_left_out_and_counted(mirror: Mirror) -> None:
    staged = stage.copy(mirror.connection, SHAPE, [page([Row(1, 1, "a\0b\0")])])
    assert (staged.rows, staged.nul_bytes) == (1, 2)


def test_bytes_that_are_no_utf8_are_kept_written_out(mirror: Mirror) -> None:
    text = page([Row(1, 1, "caf?"), Row(2, 1, "café")]).replace(b"caf?", b"caf\xe9")
    with pytest.raises(psycopg.errors.CharacterNotInRepertoire):
        stage.copy(mirror.connection, SHAPE, [text])
    halves = [text[:100], text[100:]]
    stage.copy(mirror.connection, SHAPE, stage.readable(halves))
    assert stage.note_unreadable_cells(mirror.connection, SHAPE) == 1
    with mirror.connection.transaction():
        target = Target("default", DEFINITION, SHAPE, at(5), str(EXTRACT))
        assert merge(mirror.connection, target, bad_cells=1) == Merged(Counts(new=2), 1)
    assert mirror.names() == {record_id(1): r"caf\xe9", record_id(2): "café"}
    kept = mirror.connection.execute("select record_id, field, raw from sync.rejected_cells").fetchall()
    assert kept == [(record_id(1), "Name", r"caf\xe9")]


@pytest.mark.parametrize("cut", [b'"', b"Name", b"\xff\xfe"])
def test_bytes_that_are_no_such_csv_are_refused(mirror: Mirror, cut: bytes) -> None:
    with pytest.raises(psycopg.DataError):
        stage.copy(mirror.connection, SHAPE, [page([Row(1, 1)]), cut])


def test_a_page_with_other_columns_is_refused(mirror: Mirror) -> None:
    with pytest.raises(psycopg.DataError):
        stage.copy(mirror.connection, SHAPE, [page([Row(1, 1)]).replace(b"Amount__c", b"Other__c")])


ORG_CHANGES = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 3), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=12
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=ORG_CHANGES, data=st.data())
def test_pages_of_a_changing_org_in_any_order_end_as_the_org(
    mirror: Mirror, changes: list[tuple[int, int, str]], data: st.DataObject
) -> None:
    """An org changes second by second (also without moving a stamp); after each change somebody reads all of it."""
    mirror.empty()
    org: dict[int, Row] = {}
    readings: list[tuple[int, list[Row]]] = []
    for now, (record, step, name) in enumerate(changes, start=1):
        before = org.get(record, Row(record, 0))
        org[record] = Row(record, before.stamp + step, name)
        readings.append((now, list(org.values())))
    order = data.draw(st.permutations(readings + readings[-2:]))
    for read_at, rows in order:
        merged = mirror.merge(rows, read_at=read_at)
        assert merged.counts.read == len(rows)
    assert mirror.names() == {record_id(row.record): row.name for row in org.values()}
