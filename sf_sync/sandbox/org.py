"""One org: its clock, its objects and rows, its users' tokens, its jobs and cursors."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from . import ids
from .auth import App, Auth
from .bulk.ingest_jobs import IngestJobs
from .bulk.jobs import Jobs
from .bulk1.jobs import ClassicJobs
from .cells import TRUE, cell_text
from .clock import Clock
from .deletions import Deletion, Purge
from .faults import Faults
from .limits import Limits
from .rest.cursors import Cursors
from .row_locks import RowLocks
from .schema import ObjectType
from .table import Table

RELEASES = {
    "59.0": "Winter '24", "60.0": "Spring '24", "61.0": "Summer '24", "62.0": "Winter '25", "63.0": "Spring '25",
    "64.0": "Summer '25", "65.0": "Winter '26", "66.0": "Spring '26", "67.0": "Summer '26",
}  # fmt: skip


LOGGED_CALLS = 200_000


@dataclass(frozen=True)
class Options:
    """How the org behaves where a real one differs from org to org."""

    job_seconds: float = 2.0
    page_rows: int = 50_000
    session_seconds: float = 7200.0
    limits: Mapping[str, int] = field(default_factory=dict)
    lock_wait: float = 10.0


@dataclass(frozen=True)
class LoggedCall:
    """One API call as the org saw it."""

    method: str
    path: str
    query: str
    status: int
    counted: int
    at: float
    subrequests: tuple[str, ...] = ()


class Org:
    """Everything that the API and the control methods work on. Hold `lock` while using it."""

    def __init__(
        self, clock: Clock, kinds: Mapping[str, ObjectType], tables: Mapping[str, Table], options: Options
    ) -> None:
        """Put an org together; credentials are new ones each time."""
        self.lock = threading.RLock()
        self.clock = clock
        self.options = options
        self.id = ids.make("00D", 1)
        self.user_id = ids.make("005", 1)
        self.kinds = dict(kinds)
        self.tables = dict(tables)
        self._hidden: dict[str, set[tuple[str, str]]] = {}
        self._seen: dict[str, dict[str, ObjectType]] = {}
        self.limits = Limits(clock, dict(options.limits))
        app = App(f"3MVG9{secrets.token_hex(38)}", secrets.token_hex(32).upper(), self.user_id)
        self.auth = Auth(clock, self.id, app, options.session_seconds, self._find_user)
        self.control_token = secrets.token_urlsafe(24)
        self.faults = Faults()
        self.jobs = Jobs()
        self.classic_jobs = ClassicJobs()
        self.ingest_jobs = IngestJobs()
        self.cursors = Cursors(clock)
        self.log: deque[LoggedCall] = deque(maxlen=LOGGED_CALLS)
        self.schema_changed = clock.seconds()
        self.torn_reads = False
        self.stop_life: Callable[[], int] = lambda: 0
        self.deletions: list[Deletion] = []
        self.purges: list[Purge] = []
        self.open_transactions = 0
        self.row_locks = RowLocks()
        self.between: list[tuple[int, Callable[[], object]]] = []

    @property
    def today(self) -> date:
        """The running user's day."""
        return self.clock.now().date()

    def _find_user(self, username: str) -> tuple[str, bool] | None:
        table = self.tables["User"]
        wanted = username.casefold()
        for slot in table.slots(all_rows=True):
            if cell_text(table.cell(slot, "Username")).casefold() == wanted:
                return cell_text(table.cell(slot, "Id")), table.cell(slot, "IsActive") == TRUE
        return None

    def change_kind(self, kind: ObjectType) -> None:
        """Replace an object's schema; describes are new from now on."""
        self.tables[kind.name].change_kind(kind)
        self.kinds[kind.name] = kind
        self.schema_has_changed()

    def schema_has_changed(self) -> None:
        """Describes are new from now on."""
        self._seen.clear()
        self.schema_changed = self.clock.seconds()

    def hide_from(self, user: str, entity: str, field: str, hidden: bool) -> None:
        """Field-level security of one user."""
        fields = self._hidden.setdefault(user, set())
        (fields.add if hidden else fields.discard)((entity, field))
        self.schema_has_changed()

    def seen_by(self, user: str) -> Mapping[str, ObjectType]:
        """The objects with the fields that a user may see."""
        if not self._hidden.get(user):
            return self.kinds
        if user not in self._seen:
            self._seen[user] = dict(self.kinds)
            for entity, name in self._hidden[user]:
                kind = self._seen[user].get(entity)
                field = kind.find(name) if kind else None
                if kind is not None and field is not None:
                    self._seen[user][entity] = kind.with_field(replace(field, hidden=True))
        return self._seen[user]

    def settle(self) -> None:
        """Let everything happen that is due by the clock, in the order of time: late commits, steps of jobs."""
        now = self.clock.seconds()
        due = {moment for table in self.tables.values() for moment in table.commits_due()}
        due.update(purge.at for purge in self.purges)
        due.update(self.jobs.steps_due(), self.classic_jobs.steps_due(), self.ingest_jobs.steps_due())
        for moment in [*sorted(m for m in due if m < now), now]:
            for table in self.tables.values():
                table.settle(moment)
            self._purge(moment)
            self.jobs.settle(self, moment)
            self.classic_jobs.settle(self, moment)
            self.ingest_jobs.settle(self, moment)

    def _purge(self, now: float) -> None:
        for purge in [purge for purge in self.purges if purge.at <= now]:
            self.purges.remove(purge)
            self.tables[purge.entity].remove(purge.id)

    def between_subrequests(self, position: int) -> None:
        """Do what a test wants done just before the subrequest of that position of the next composite call."""
        due = [action for at, action in self.between if at == position]
        self.between = [(at, action) for at, action in self.between if at != position]
        for action in due:
            action()
        self.settle()

    def kind(self, name: str, user: str = "") -> ObjectType | None:
        """A visible object by name, without case, as a user sees it."""
        return next((k for n, k in self.seen_by(user).items() if n.lower() == name.lower()), None)
