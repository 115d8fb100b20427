"""A `follow` sync of 2,000 changed contacts in a process that is signed in already: seconds and API calls."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from bench.local import Place, local_place
from bench.mirror import CONTACTS
from bench.rounds import Rounds
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window

ROWS = 600_000
CHANGED = 2_000
APART_S = (
    600  # between two rounds on the org's clock: more than the lag, so that none reads what the last one read
)


def main(rows: int = ROWS, rounds: int = 5) -> None:
    """Print the median and the API calls of each round."""
    with local_place(contacts=rows) as place:
        measure(place, rounds, min(CHANGED, rows))


def measure(place: Place, rounds: int, changed: int) -> None:
    """Load everything once; then change some records and follow, round by round."""
    took = Rounds(f"{changed:,} changed contacts × 30 fields")
    chance = random.Random(1)  # noqa: S311 - which records change, the same each time
    ids = place.control.call("ids", object="Contact")
    today = datetime.now(UTC).date()
    window = days_window(today - timedelta(days=40), today + timedelta(days=1))
    calls = []
    with place.engine() as engine:
        sync_window(engine, CONTACTS, window)
        for _ in range(rounds):
            place.control.call("advance", seconds=APART_S)
            place.control.call("touch", object="Contact", ids=chance.sample(ids, changed))
            with took.timed("follow"):
                report = sync_window(engine, CONTACTS, window, purpose="follow")
            calls.append(report.api_calls)
            updated = sum(one.counts.updated for one in report.extracts)
            if updated != changed:
                raise SystemExit(f"{changed} contacts were changed and {updated} were updated")
    took.show(changed)
    print(f"  API calls          {' '.join(map(str, calls))}")
