"""Rows of any tables: upserts, updates and deletes by natural key; what is refused is told without its values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from sf_sync.delivery.destination import DestinationDown, Outcome, TransactionalDestination, Write
from sf_sync.delivery.destinations.postgres import PostgresDestination
from sf_sync.delivery.destinations.postgres_errors import failure_of
from sf_sync.delivery.mapping.plan import Operation, OperationKind, Reference, Scalar
from sf_sync.store.geography import Point

Connection = psycopg.Connection[Any]

METADATA = sa.MetaData(schema="shop")
NEW_ID = sa.text("gen_random_uuid()")
SHELVES = sa.Table(
    "shelves",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True, server_default=NEW_ID),
    sa.Column("code", sa.String, unique=True, nullable=False),
    sa.Column("place", Point),
)
GOODS = sa.Table(
    "goods",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True, server_default=NEW_ID),
    sa.Column("code", sa.String, unique=True, nullable=False),
    sa.Column("label", sa.String(10), nullable=False),
    sa.Column("pieces", sa.Integer),
    sa.Column("price", sa.Double),
    sa.Column("fresh", sa.Boolean),
    sa.Column("best_before", sa.Date),
    sa.Column("seen_at", sa.DateTime(timezone=True)),
    sa.Column("shelf_id", sa.ForeignKey(SHELVES.c.id, ondelete="CASCADE")),
    sa.Column("written_at", sa.DateTime, server_default=sa.func.now(), onupdate=sa.text("clock_timestamp()")),
    sa.CheckConstraint("pieces >= 0", name="some_pieces"),
)


@pytest.fixture
def shop(db: Connection) -> Iterator[PostgresDestination]:
    """A destination with two tables that have nothing to do with PIMA."""
    db.execute(
        """
        create schema shop;
        create table shop.shelves (
            id uuid primary key default gen_random_uuid(), code varchar unique not null, place geo.position);
        create table shop.goods (
            id uuid primary key default gen_random_uuid(), code varchar unique not null, label varchar(10) not null,
            pieces integer constraint some_pieces check (pieces >= 0), price double precision, fresh boolean,
            best_before date, seen_at timestamptz, shelf_id uuid references shop.shelves on delete cascade,
            written_at timestamp default now())
        """
    )
    yield PostgresDestination([SHELVES, GOODS])
    db.execute("drop schema shop cascade")  # another test takes the database then


def good(number: int, op: OperationKind = "upsert", shelf: str | None = None, **fields: Scalar) -> Write:
    references = {"shelf_id": Reference("shelves", {"code": shelf})} if shelf else {}
    return Write(number, op, "goods", {"code": f"g{number}"}, fields, references)


def shelf(number: int, **fields: Scalar) -> Write:
    return Write(number, "upsert", "shelves", {"code": f"s{number}"}, fields, {})


def write(db: Connection, destination: PostgresDestination, *writes: Write) -> list[Outcome]:
    """Write in one transaction, which ends as its outcomes say."""
    with db.transaction() as transaction:
        outcomes = destination.write(db, writes)
        if any(one.kind != "ok" for one in outcomes):
            raise psycopg.Rollback(transaction)
    return outcomes


def goods(db: Connection, columns: str = "code, label, pieces") -> list[tuple[Any, ...]]:
    return db.execute(f"select {columns} from shop.goods order by code".encode()).fetchall()


def test_it_is_a_destination_that_writes_in_the_workers_transaction(shop: PostgresDestination) -> None:
    assert isinstance(shop, TransactionalDestination)


def test_every_type_comes_through(db: Connection, shop: PostgresDestination) -> None:
    fields: dict[str, Any] = {
        "label": "Beans",
        "pieces": 3,
        "price": 1.5,
        "fresh": True,
        "best_before": "2026-02-28",
        "seen_at": "2026-02-01T10:00:00.000Z",
    }
    write(
        db, shop, shelf(1, place="SRID=4326;POINT(29.5 -1.25)"), good(1, **fields), good(2, label="Nothing")
    )
    columns = "pieces, price, fresh, best_before::text, seen_at::text, shelf_id"
    assert goods(db, columns) == [
        (3, 1.5, True, "2026-02-28", "2026-02-01 10:00:00+00", None),
        (None,) * 6,
    ]
    assert db.execute("select geo.lon(place), geo.lat(place) from shop.shelves").fetchall() == [(29.5, -1.25)]


def test_an_upsert_says_whether_it_created_and_leaves_other_columns_alone(
    db: Connection, shop: PostgresDestination
) -> None:
    [first] = write(db, shop, good(1, label="Beans", pieces=3))
    [second] = write(db, shop, good(1, label="Peas"))
    assert (first.created, second.created) == (True, False)
    assert first.target_id == second.target_id
    assert goods(db) == [("g1", "Peas", 3)]
    assert db.execute("select written_at > timestamp '2020-01-01' from shop.goods").fetchone() == (True,)


def test_an_upsert_without_a_column_that_a_new_row_needs_changes_a_row_that_is_there(
    db: Connection, shop: PostgresDestination
) -> None:
    write(db, shop, good(1, label="Beans"))
    outcomes = write(db, shop, good(1, pieces=5))
    assert [(one.kind, one.created) for one in outcomes] == [("ok", False)]
    [refused] = write(db, shop, good(2, pieces=5))
    assert refused.failure is not None
    assert (refused.failure.kind, refused.failure.code) == ("permanent", "23502")
    assert refused.failure.message == "goods.label: it must have a value"
    assert goods(db) == [("g1", "Beans", 5)]


def test_a_row_by_its_key_alone_is_made_once(db: Connection, shop: PostgresDestination) -> None:
    [first] = write(db, shop, shelf(1))
    [second] = write(db, shop, shelf(1))
    assert first.target_id == second.target_id


def test_an_update_never_makes_a_row(db: Connection, shop: PostgresDestination) -> None:
    write(db, shop, good(1, label="Beans"))
    outcomes = write(db, shop, good(1, "update", pieces=1), good(2, "update", pieces=2))
    failures = [one.failure for one in outcomes if one.failure]
    assert [(one.kind, one.code, one.message) for one in failures] == [
        ("dependency", "NO_MATCH", "no goods has the code g2; it is not created here")
    ]
    assert goods(db) == [("g1", "Beans", None)]


def test_a_parent_is_named_by_its_key_and_missing_parents_are_all_named(
    db: Connection, shop: PostgresDestination
) -> None:
    write(db, shop, shelf(1))
    write(db, shop, good(1, label="Beans", shelf="s1"))
    assert goods(db, "shelf_id is not null") == [(True,)]
    outcomes = write(db, shop, good(2, label="a", shelf="s8"), good(3, label="b", shelf="s9"))
    assert [(one.write.number, one.failure and one.failure.kind) for one in outcomes] == [
        (2, "dependency"),
        (3, "dependency"),
    ]


def test_what_is_deleted_is_gone_with_its_children_and_may_be_deleted_again(
    db: Connection, shop: PostgresDestination
) -> None:
    write(db, shop, shelf(1))
    write(db, shop, good(1, label="Beans", shelf="s1"), good(2, label="Peas"))
    delete = Write(0, "delete", "shelves", {"code": "s1"}, {}, {})
    [first] = write(db, shop, delete)
    [again] = write(db, shop, delete)
    assert (first.kind, again.kind) == ("ok", "ok")
    assert (first.target_id is not None, again.target_id) == (True, None)
    assert goods(db) == [("g2", "Peas", None)]


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"label": "SecretName-too-long"}, "22001", "PostgreSQL: a value doesn't fit its column"),
        ({"label": "a", "pieces": "SecretName"}, "22P02", "PostgreSQL: a value doesn't fit its column"),
        ({"label": "a", "best_before": "2026-02-30"}, "22008", "PostgreSQL: a value doesn't fit its column"),
        (
            {"label": "a", "pieces": -7654321},
            "23514",
            "goods: the value isn't allowed (constraint some_pieces)",
        ),
        ({"label": None}, "23502", "goods.label: it must have a value"),
    ],
)
def test_a_row_that_is_refused_among_many_is_the_one_that_is_named_without_its_values(
    db: Connection, shop: PostgresDestination, fields: dict[str, Any], code: str, message: str
) -> None:
    shape: dict[str, Any] = dict.fromkeys(fields)
    others = [good(n, **{**shape, "label": f"good {n}"}) for n in range(5)]
    outcomes = write(db, shop, *others, good(5, **fields), good(6, **{**shape, "label": "good 6"}))
    [failed] = outcomes
    assert failed.write.number == 5
    assert failed.failure is not None
    assert (failed.failure.kind, failed.failure.code, failed.failure.message) == ("permanent", code, message)
    assert goods(db) == []


def test_a_text_that_is_no_point_is_refused_by_the_columns_name(
    db: Connection, shop: PostgresDestination
) -> None:
    [failed] = write(db, shop, shelf(1, place="SecretPlace"))
    assert failed.failure is not None
    assert failed.failure.message == "shelves.place: expected a point such as SRID=4326;POINT(29.7 -1.9)"


def test_six_hundred_rows_of_one_form_are_written(db: Connection, shop: PostgresDestination) -> None:
    outcomes = write(db, shop, *(good(n, label=str(n), pieces=n) for n in range(600)))
    assert len({one.target_id for one in outcomes}) == 600
    assert db.execute("select count(*), sum(pieces) from shop.goods").fetchone() == (600, 179_700)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"object": "secrets"}, "there is no table secrets to write"),
        ({"key": {"label": "a"}}, "label isn't a key of goods"),
        ({"key": {"code": "a", "label": "b"}}, "code, label isn't a key of goods"),
        ({"fields": {"id": "x"}}, "goods has no column id that a mapping may write"),
        ({"fields": {"written_at": "x"}}, "goods has no column written_at that a mapping may write"),
        (
            {"references": {"shelf_id": Reference("shelves", {"place": "x"})}},
            "nothing is known by place in shelves",
        ),
        (
            {"references": {"shelf_id": Reference("walls", {"code": "x"})}},
            "nothing is known by code in walls",
        ),
    ],
)
def test_what_no_row_could_take_is_refused_before_anything_is_written(
    shop: PostgresDestination, operation: dict[str, Any], message: str
) -> None:
    whole = {"object": "goods", "key": {"code": "a"}, "fields": {}, "references": {}, **operation}
    problem = shop.problem_of([Operation("one/1", "one", "upsert", **whole)])
    assert problem is not None
    assert (problem.kind, problem.message, problem.step) == ("permanent", message, "one")


def test_mappings_are_told_the_types_of_the_columns_that_they_may_write(shop: PostgresDestination) -> None:
    names = (
        "Id",
        "code",
        "pieces",
        "price",
        "fresh",
        "best_before",
        "seen_at",
        "shelf_id",
        "id",
        "written_at",
    )
    assert [shop.schema.field_type("goods", name) for name in names] == [
        "id", "string", "int", "double", "boolean", "date", "datetime", "reference", None, None,
    ]  # fmt: skip
    assert shop.schema.field_type("shelves", "place") == "string"
    assert shop.schema.field_type("walls", "Id") is None


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("40001", "transient"),
        ("40P01", "transient"),
        ("55P03", "transient"),
        ("23503", "dependency"),
        ("23505", "permanent"),
        ("P0001", "permanent"),
    ],
)
def test_an_error_is_of_the_class_that_its_state_says_and_holds_no_values(
    db: Connection, state: str, kind: str
) -> None:
    with pytest.raises(psycopg.Error) as raised:
        db.execute(f"do $$ begin raise exception 'SecretName' using errcode = '{state}'; end $$".encode())
    failure = failure_of(raised.value)
    assert (failure.kind, failure.code) == (kind, state)
    assert "SecretName" not in failure.message


@pytest.mark.parametrize("state", ["53100", "57P01", "25006", "42501", "42P01", "08006", "58030"])
def test_an_error_that_no_record_can_help_is_the_destinations(db: Connection, state: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        db.execute(f"do $$ begin raise exception 'no space left' using errcode = '{state}'; end $$".encode())
    with pytest.raises(DestinationDown, match=r"^PostgreSQL: no space left$"):
        failure_of(raised.value)
