"""What is reckoned of PostgreSQL's storage is what PostgreSQL says of it."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sf_sync.catalog.columns import SqlType
from sf_sync.mirror.estimating.storage_size import Datum, datum, heap_bytes, toast_bytes, tuple_size
from sf_sync.store.database import Database

VALUES: dict[SqlType, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200),
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(-(10**12), 10**12, places=6),
    "date": st.just("2026-01-31"),
    "timestamptz": st.just("2026-01-31T12:34:56.000+0000"),
    "time": st.just("13:00:00.000Z"),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    row=st.lists(
        st.sampled_from(sorted(VALUES)).flatmap(lambda k: st.tuples(st.just(k), VALUES[k])),
        min_size=1,
        max_size=12,
    )
)
def test_a_row_takes_the_bytes_that_are_reckoned(database: Database, row: list[tuple[SqlType, Any]]) -> None:
    columns = ", ".join(f"c{number} {kind}" for number, (kind, _) in enumerate(row))
    stored: list[Datum | None] = [datum(value, kind) for kind, value in row]
    values = [None if one is None else value for one, (_, value) in zip(stored, row, strict=True)]
    with database.connect("measure", autocommit=True) as connection:
        connection.execute(f"create temporary table measured ({columns}, gone text)")
        places = ", ".join(["%s"] * len(values))
        connection.execute(f"insert into measured values ({places}, null)".encode(), values)
        found = connection.execute("select pg_column_size(m.*) from measured m").fetchone()
        connection.execute("drop table measured")
    assert found is not None
    assert 0 <= tuple_size([*stored, None]).inline - found[0] < 8  # a tuple ends at a multiple of eight


def test_a_number_takes_the_bytes_that_are_reckoned(database: Database) -> None:
    numbers = ["0", "1", "10000", "123456.789", "0.0001", "-5.5", "1e20", "100000000", "9999.99990001"]
    with database.connect("measure", autocommit=True) as connection:
        connection.execute("create temporary table measured (n numeric)")
        for number in numbers:
            connection.execute("truncate measured")
            connection.execute("insert into measured values (%s)", [Decimal(number)])
            found = connection.execute("select pg_column_size(n) from measured").fetchone()
            reckoned = datum(number, "numeric")
            assert reckoned is not None
            assert found == (reckoned.size,), number


def test_long_texts_are_compressed_or_moved_out(database: Database) -> None:
    words = ["visit", "farm", "coffee", "training", "harvest", "cooperative", "Kigali", "Lima"]
    chance = random.Random(1)
    texts = [" ".join(chance.choices(words, k=chance.randrange(10, 2_000))) for _ in range(400)]
    texts += ["".join(map(chr, chance.choices(range(33, 500), k=6_000))) for _ in range(100)]
    with database.connect("measure", autocommit=True) as connection:
        connection.execute("create table salesforce.measured (id text, body text)")
        with connection.cursor() as cursor:
            cursor.executemany("insert into salesforce.measured values ('x', %s)", [[text] for text in texts])
        found = connection.execute("select pg_total_relation_size('salesforce.measured')").fetchone()
    sizes = [tuple_size([datum("x", "text"), datum(text, "text")]) for text in texts]
    reckoned = heap_bytes(sizes, len(sizes)) + toast_bytes(sizes, len(sizes))
    assert found is not None
    assert abs(reckoned - found[0]) < 0.15 * found[0]


def test_an_address_takes_the_bytes_that_are_reckoned(database: Database) -> None:
    address = {
        "city": "Kigali",
        "country": None,
        "latitude": -1.9441,
        "postalCode": "00100",
        "street": "KN 4 Ave\n2",
    }
    with database.connect("measure") as connection:
        found = connection.execute(
            "select pg_column_size(jsonb_build_object('city', 'Kigali', 'country', null, 'latitude', -1.9441,"
            " 'postalCode', '00100', 'street', e'KN 4 Ave\\n2'))"
        ).fetchone()
    reckoned = datum(address, "jsonb")
    assert reckoned is not None
    assert found is not None
    assert abs(reckoned.size - found[0]) <= 8
