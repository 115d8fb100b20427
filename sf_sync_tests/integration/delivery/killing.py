"""A process that ends at a chosen moment: from then on nothing of it reaches the database any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from sf_sync.store.database import Database


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Countdown:
    """Lets so many steps pass; the next one is the last. Never, where there is no number."""

    steps: int | None = None
    passed: int = 0

    def step(self) -> None:
        if self.steps is not None and self.passed >= self.steps:
            raise Killed
        self.passed += 1


@dataclass
class DyingConnection:
    """A database session that counts what writes, and breaks when its time has come."""

    real: psycopg.Connection[Any]
    countdown: Countdown

    def execute(self, query: Any, *args: Any, **more: Any) -> psycopg.Cursor[Any]:
        if not str(query).lstrip().startswith("select"):
            try:
                self.countdown.step()
            except Killed:
                self.real.close()  # as the server sees it: the open transaction is rolled back
                raise
        return self.real.execute(query, *args, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass(frozen=True)
class DyingDatabase:
    """A database whose sessions share a countdown."""

    real: Database
    countdown: Countdown = field(default_factory=Countdown)

    @contextmanager
    def connect(self, purpose: str, *, autocommit: bool = False) -> Iterator[Any]:
        with self.real.connect(purpose, autocommit=autocommit) as connection:
            yield DyingConnection(connection, self.countdown)
