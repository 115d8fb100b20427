"""An object while this process holds it: its lock, the session that merges, and the org that was checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from sf_sync.catalog.columns import Shape
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.extract import Reading
from sf_sync.mirror.fields.fitting import fit_table
from sf_sync.mirror.ledger import Scope
from sf_sync.mirror.lock import object_lock
from sf_sync.mirror.same_org import require_same_org


@dataclass(frozen=True, slots=True)
class Held:
    """Whoever has one may write to the object's mirror table."""

    engine: Engine
    connection: psycopg.Connection[Any]
    definition: ObjectDefinition
    organization: str

    def fit(self) -> tuple[list[Shape], tuple[str, ...]]:
        """How each source object is read now, the table widened to it; and sentences on what has drifted."""
        return fit_table(self.connection, self.engine.session, self.engine.connection_name, self.definition)

    def scope(self, sobject: str) -> Scope:
        return Scope(self.engine.connection_name, self.organization, self.definition.name, sobject)

    def reading(self, shape: Shape) -> Reading:
        """To read the source object of that shape into the mirror table."""
        scope = self.scope(shape.sobject)
        return Reading(self.engine.session, self.connection, scope, self.definition, shape)


@contextmanager
def hold(engine: Engine, definition: ObjectDefinition, doing: str) -> Iterator[Held]:
    """Hold an object; `doing` is a word for those who find it held.

    Raises Busy where another session holds it, OtherOrg where the settings lead to another org than before.
    """
    session = engine.session
    with (
        engine.database.connect(f"{doing} {definition.name}", autocommit=True) as connection,
        session.about(definition.name),
    ):
        try:
            with object_lock(connection, engine.connection_name, definition.table):
                organization = require_same_org(session, connection, engine.connection_name)
                yield Held(engine, connection, definition, organization)
        finally:
            session.budget.flush()
