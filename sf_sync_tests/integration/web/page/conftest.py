"""One running page for each module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sf_sync.store.database import Database
from sf_sync_tests.integration.web.page.visiting import ADMIN, PEOPLE, Visitor, signed_in
from sf_sync_tests.integration.web.serving import serving


@pytest.fixture(scope="module")
def url(inbox: Database) -> Iterator[str]:
    """Where the module's page is."""
    with serving(inbox, people=PEOPLE) as running:
        yield running


@pytest.fixture(scope="module")
def db(inbox: Database) -> Iterator[psycopg.Connection[Any]]:
    """A session with the page's database."""
    with psycopg.connect(inbox.url.libpq, autocommit=True) as connection:
        yield connection


@pytest.fixture
def operator(url: str) -> Visitor:
    """An operator who is signed in."""
    return signed_in(url)


@pytest.fixture
def admin(url: str) -> Visitor:
    """An administrator who is signed in."""
    return signed_in(url, ADMIN)
