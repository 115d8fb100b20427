"""A first load fills a table that has no index but its primary key's; at its end the table has them all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from sf_sync.catalog.definition import ObjectDefinition, load_catalog
from sf_sync.mirror import table
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.report import Counts
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.sandbox.server import LocalOrg
from sf_sync_tests.comparing import differences

TODAY = datetime.now(UTC).date()
MONTH = days_window(TODAY - timedelta(days=40), TODAY)
CONTACTS = load_catalog()["contacts"].model_copy(update={"api": "bulk", "indexes": ("email", "account_id")})
PRIMARY = {"salesforce_id"}
ALL = PRIMARY | {"email", "account_id", "sf_system_modstamp", "_synced_at"}


class Killed(BaseException):
    """What a killed process would leave undone is left undone."""


def indexed(engine: Engine, name: str = "sf_contacts") -> set[str]:
    """The indexed columns of a mirror table, as another session sees them."""
    with engine.database.connect("look") as connection:
        rows = connection.execute(
            """
            select attname from pg_index join pg_attribute on attrelid = indrelid and attnum = any(indkey)
            where indrelid = to_regclass(%s) and indisvalid
            """,
            [f"salesforce.{name}"],
        ).fetchall()
    return {name for (name,) in rows}


def live_rows(engine: Engine) -> int:
    with engine.database.connect("look") as connection:
        row = connection.execute("select count(*) from salesforce_live.sf_contacts").fetchone()
    assert row is not None
    return int(row[0])


def sync(engine: Engine, definition: ObjectDefinition = CONTACTS) -> Counts:
    return sync_window(engine, definition, MONTH).counts


def kill_after_a_page(engine: Engine) -> None:
    def on_progress(rows: int, _: int | None) -> None:
        if rows:
            raise Killed

    with pytest.raises(Killed):
        sync_window(replace(engine, parallel_pages=False), CONTACTS, MONTH, on_progress=on_progress)


def test_while_pages_land_there_is_the_primary_key_alone_and_then_there_are_all_indexes(
    engine: Engine,
) -> None:
    meanwhile: list[set[str]] = []
    sync_window(engine, CONTACTS, MONTH, on_progress=lambda rows, _: meanwhile.append(indexed(engine)))
    assert meanwhile == [PRIMARY] * 4  # before the first of three pages, and after each
    assert indexed(engine) == ALL


@pytest.mark.parametrize("other", ["sf_contacts_last", f"sf_{'contacts' * 7}"])
def test_indexes_of_tables_whose_names_are_alike_or_long_do_not_get_in_each_others_way(
    engine: Engine, other: str
) -> None:
    """Trap H8: names of indexes are unique in a schema, and cut at 63 bytes."""
    columns = ("name", "email", "specialty", "sf_created_date", "sf_last_modified_date")
    sync(engine, CONTACTS.model_copy(update={"indexes": ("last_name",)}))
    sync(engine, CONTACTS.model_copy(update={"name": "other", "table": other, "indexes": columns}))
    assert indexed(engine, other) == PRIMARY | {*columns, "sf_system_modstamp", "_synced_at"}


def test_the_cursor_has_an_index_whatever_it_is(engine: Engine) -> None:
    sync(engine, CONTACTS.model_copy(update={"cursor": "LastModifiedDate"}))
    assert "sf_last_modified_date" in indexed(engine)


def test_a_killed_first_load_is_gone_on_with_and_its_indexes_are_built(org: LocalOrg, engine: Engine) -> None:
    kill_after_a_page(engine)
    assert indexed(engine) == PRIMARY
    assert 0 < live_rows(engine) <= 100
    assert sync(engine).read == 300
    assert indexed(engine) == ALL
    assert differences(org, engine.session, engine.database, CONTACTS) == []


def test_a_later_sync_writes_into_the_indexes_that_are_there(org: LocalOrg, engine: Engine) -> None:
    sync(engine)
    meanwhile: list[set[str]] = []
    sync_window(engine, CONTACTS, MONTH, on_progress=lambda rows, _: meanwhile.append(indexed(engine)))
    assert meanwhile == [ALL] * 4


def test_an_index_that_the_catalog_names_later_is_built_by_the_next_sync(engine: Engine) -> None:
    sync(engine)
    more = CONTACTS.model_copy(update={"indexes": ("email", "account_id", "title", "no_such_column")})
    sync(engine, more)
    assert indexed(engine) == ALL | {"title"}


def test_an_index_waits_for_nobody_long_and_what_was_read_stays(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "LOCK_TIMEOUT", "50ms")
    sync(engine)
    more = CONTACTS.model_copy(update={"indexes": ("title",)})
    with engine.database.connect("maintenance") as connection:
        connection.execute("lock table salesforce.sf_contacts in share update exclusive mode")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            sync(engine, more)
    assert indexed(engine) == ALL
    assert sync(engine, more) == Counts(unchanged=300)
    assert indexed(engine) == ALL | {"title"}
