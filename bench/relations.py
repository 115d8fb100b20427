"""Who-relations of tasks, which only REST reads, beside the reference pipe by REST."""

from __future__ import annotations

from bench import reference
from bench.local import Place, local_place
from bench.mirror import in_turn
from bench.rounds import Rounds
from sf_sync.catalog.definition import find, load_catalog

ROWS = 500_000
RELATIONS = find(load_catalog(), "task_who_relations")


def main(rows: int = ROWS, rounds: int = 5) -> None:
    """Print each side's median and its ratio to the reference pipe."""
    with local_place(contacts=rows // 10, tasks=rows // 10, relations=rows) as place:
        measure(place, rounds)


def measure(place: Place, rounds: int) -> None:
    """Relations by the pages of a query."""
    in_turn(place, rounds, Rounds("REST: TaskWhoRelation"), RELATIONS, reference.load_rest)
