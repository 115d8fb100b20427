"""Where the time of a first load goes: seconds in each function of ours, with what it calls."""

from __future__ import annotations

import cProfile
import pstats
from pathlib import Path

import sf_sync
from bench.local import Place, local_place
from bench.mirror import CONTACTS
from bench.relations import RELATIONS
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.syncing import sync_window

ROWS = 600_000
LEAST_SHARE = 0.01
OURS = str(Path(sf_sync.__file__).parent)


def main(rows: int = ROWS) -> None:
    """Print the functions that take longest, by Bulk and by REST."""
    with local_place(contacts=rows, tasks=rows // 10, relations=rows) as place:
        measure(place, CONTACTS)
        measure(place, RELATIONS)


def measure(place: Place, definition: ObjectDefinition) -> None:
    """Load an object that was never read."""
    with place.engine() as engine:
        window = requested_window(engine.session, definition, days=None, first=None, last=None, full=True)
        profile = cProfile.Profile()
        report = profile.runcall(sync_window, engine, definition, window)
    print(f"{definition.name}: {report.counts.read:,} rows in {report.seconds:.1f} s under the profiler")
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    ours = {called: taken for called, taken in stats.items() if called[0].startswith(OURS)}
    for (file, _, function), (_, calls, _, seconds, _) in sorted(ours.items(), key=lambda one: -one[1][3]):
        if seconds >= LEAST_SHARE * report.seconds:
            name = f"{Path(file).relative_to(OURS).with_suffix('')}.{function}"
            print(f"  {seconds:7.2f} s {calls:9,} × {name}")
