"""A sync in a process of its own, for tests that kill it.

    python -m sf_sync_tests.syncing_process FROM TO PAGE_ROWS [DIE]

With DIE the process kills itself between the org's answer to the new job and the commit that keeps its id.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import date

from sf_sync.catalog.definition import load_catalog
from sf_sync.mirror import ledger
from sf_sync.mirror.engine import Engine
from sf_sync.mirror.syncing import sync_window
from sf_sync.mirror.window import days_window
from sf_sync.salesforce.org import open_session
from sf_sync.settings import Settings
from sf_sync.store.database import open_database


def main() -> None:
    first, last, page_rows, *die = sys.argv[1:]
    if die:
        ledger.opened = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    settings = Settings.load()
    contacts = load_catalog()["contacts"].model_copy(update={"api": "bulk"})
    with open_session(settings) as session:
        engine = Engine(session, open_database(settings), page_rows=int(page_rows), parallel_pages=False)
        print("begun", flush=True)
        report = sync_window(
            engine, contacts, days_window(date.fromisoformat(first), date.fromisoformat(last))
        )
    print("skipped" if report.skipped else "complete", flush=True)


main()
