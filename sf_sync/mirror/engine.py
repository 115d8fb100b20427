"""What every part of the mirror works with: an org, a database, and how much is asked for at once."""

from __future__ import annotations

from dataclasses import dataclass

from sf_sync.mirror import plan
from sf_sync.salesforce import bulk
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database

PAGE_ROWS = 100_000  # rows a Bulk page: what a killed run may have to fetch once more


@dataclass(frozen=True, slots=True)
class Engine:
    """An org and a database, ready to sync."""

    session: OrgSession
    database: Database
    connection_name: str = CONNECTION
    page_rows: int = PAGE_ROWS
    part_rows: int = plan.PART_ROWS
    parallel_pages: bool = True
    job_deadline_s: float = bulk.JOB_DEADLINE_S

    def __post_init__(self) -> None:
        """Whoever has an engine feeds the one budget of its connection."""
        self.session.budget.share(self.database, self.connection_name)
