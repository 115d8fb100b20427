"""One running intake for each module."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from sf_sync.store.database import Database
from sf_sync.store.urls import DatabaseUrl
from sf_sync_tests.conftest import NUMBERS
from sf_sync_tests.integration.web.serving import Intake, serving


@pytest.fixture(scope="module")
def inbox(server: DatabaseUrl, template: str) -> Iterator[Database]:
    """A migrated database of the module's own."""
    name = f"test_web_{os.getpid()}_{next(NUMBERS)}"
    with psycopg.connect(server.libpq, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                *map(sql.Identifier, (name, template))
            )
        )
        yield Database(server.with_database(name))
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def intake(inbox: Database) -> Iterator[Intake]:
    """The module's intake."""
    with serving(inbox) as url, psycopg.connect(inbox.url.libpq, autocommit=True) as db:
        yield Intake(url, db)
