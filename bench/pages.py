"""Pages that each come late, as from an org far away: one after the other, and fetched ahead."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import requests

from bench.local import Place, local_place
from bench.rounds import Rounds
from sf_sync.catalog.definition import ObjectDefinition
from sf_sync.mirror.days import requested_window
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.salesforce.auth import sign_in_from
from sf_sync.salesforce.session import OrgSession

ROWS = 600_000
PAGE_ROWS = 20_000
DELAY_S = 0.2

# Few fields: where a page takes long to merge, its delay matters little.
CONTACTS = ObjectDefinition.model_validate(
    {
        "name": "bench_narrow",
        "table": "sf_bench_narrow",
        "sources": [{"sobject": "Contact"}],
        "fields": {"include": ["Email"]},
        "api": "bulk",
    }
)


class LateSession(OrgSession):
    """Every page of results comes `delay_s` later."""

    delay_s = DELAY_S

    def send(self, method: str, path: str, doing: str, **more: Any) -> requests.Response:
        if path.endswith("/results"):
            time.sleep(self.delay_s)
        return super().send(method, path, doing, **more)


def main(rows: int = ROWS, rounds: int = 5) -> None:
    """Print both medians; the ratio is that of parallel to serial."""
    page_rows = min(PAGE_ROWS, -(-rows // 5))
    with local_place(page_rows, contacts=rows) as place:
        measure(place, rounds, page_rows)


def measure(place: Place, rounds: int, page_rows: int) -> None:
    """Load everything once; then read it again, round by round, one page after the other and several ahead."""
    took = Rounds(f"Pages of {page_rows:,} rows, {DELAY_S * 1000:.0f} ms late: contacts × 4 fields")
    settings = place.settings
    with LateSession(
        sign_in_from(settings), instance_url=settings.require_org(), api_version=settings.api_version
    ) as session:
        parallel = Engine(session, place.database, page_rows=page_rows)
        serial = replace(parallel, parallel_pages=False)
        window = requested_window(session, CONTACTS, days=None, first=None, last=None, full=True)
        rows = sync_window(parallel, CONTACTS, window).counts.read
        for _ in range(rounds):
            for name, engine in (("serial", serial), ("parallel", parallel)):
                with took.timed(name):
                    sync_window(engine, CONTACTS, window)
    took.show(rows)
    print(f"  serial / parallel  {took.median('serial') / took.median('parallel'):.2f}")
