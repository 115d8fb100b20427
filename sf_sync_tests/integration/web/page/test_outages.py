"""A page says what is wrong, and what to do, where the database doesn't answer or takes too long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from sf_sync.store.database import Database
from sf_sync.store.urls import DatabaseUrl
from sf_sync.web.page import desk
from sf_sync_tests.integration.web.page.visiting import Visitor


@contextmanager
def closed(server: DatabaseUrl, database: Database) -> Iterator[None]:
    """A database that takes no connections."""
    name = sql.Identifier(database.url.database)
    with psycopg.connect(server.libpq, autocommit=True) as connection:
        connection.execute(sql.SQL("alter database {} allow_connections false").format(name))
        try:
            yield
        finally:
            connection.execute(sql.SQL("alter database {} allow_connections true").format(name))


@pytest.mark.parametrize("path", ["/", "/records", "/records/6f2c1c9a-0000-4000-8000-000000000000"])
def test_no_database(operator: Visitor, server: DatabaseUrl, inbox: Database, path: str) -> None:
    with closed(server, inbox):
        answer = operator.get(path)
    assert answer.status_code == 503
    assert "The database does not answer" in answer.text
    assert operator.get(path).status_code != 503


def test_too_much_to_look_through(operator: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        raise psycopg.errors.QueryCanceled

    monkeypatch.setattr(desk.Desk, "database", slow)
    answer = operator.get("/records")
    assert answer.status_code == 503
    assert "Narrow it" in answer.text
