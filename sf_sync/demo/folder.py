"""The demo's folder: whose it is at the moment, and what the next demo must know of this one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from sf_sync.demo.errors import DemoError
from sf_sync.store.state_folder import private_folder

SEED = 1
USERS = 30
PRODUCTS = 200
LOCK_TRIES = 300  # the guards of a killed demo take up to 25 s
LOCK_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What the org is made from: the same plan makes the same records."""

    contacts: int
    days: int
    seed: int
    seeded_at: str

    @property
    def sizes(self) -> dict[str, int]:
        """Records of each kind, by the names that the local org gives them; `relations` are people beyond the first."""
        return {
            "contacts": self.contacts,
            "tasks": self.contacts * 9 // 4,
            "events": self.contacts * 3 // 4,
            "relations": self.contacts * 19 // 10,
            "leads": self.contacts // 20,
            "users": USERS,
            "products": PRODUCTS,
        }

    @classmethod
    def new(cls, contacts: int, days: int) -> Self:
        return cls(contacts, days, SEED, datetime.now(UTC).isoformat(timespec="seconds"))


class DemoFolder:
    """Where everything of the demo lives, apart from its databases."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "demo"
        self.dagster_home = self.path / "dagster"
        self.tls = self.path / "tls"
        self.org = self.path / "org.json"
        self.kept_org = self.path / "org.kept"
        self.commcare = self.path / "commcare.json"
        self.play = self.path / "play"
        self._changing = self.path / "changing"
        self.results = self.path / "results.jsonl"
        self._plan = self.path / "plan.json"
        self._server = self.path / "server.json"
        self._lock = state_dir / "demo.lock"

    @contextmanager
    def hold(self) -> Iterator[int]:
        """Have the folder for oneself; yields the lock, for guards to share.

        Raises DemoError where another demo has it. After a demo that was killed, waits for its guards.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = self._locked()
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        try:
            private_folder(self.path.parent, self.path.name)
            self.dagster_home.mkdir(exist_ok=True)
            yield descriptor
        finally:
            os.close(descriptor)

    def holder(self) -> int | None:
        """The process whose demo runs here, None where none does."""
        try:
            with self._lock.open() as file:
                return _alive(file.read()) if not _try_lock(file.fileno()) else None
        except FileNotFoundError:
            return None

    def plan(self, contacts: int, days: int) -> Plan:
        """The plan of the first demo here, which decides; made and kept where this is the first.

        Raises DemoError where other numbers are asked for than the data were made with.
        """
        try:
            plan = Plan(**json.loads(self._plan.read_text()))
        except FileNotFoundError:
            plan = Plan.new(contacts, days)
            _write(self._plan, asdict(plan))
        except (ValueError, TypeError):
            raise DemoError(f"{self._plan} can't be read; run `make clean-demo` and start again") from None
        if (plan.contacts, plan.days) != (contacts, days):
            raise DemoError(
                f"the demo's data are {plan.contacts:,} contacts of {plan.days} days, and {contacts:,} of {days} days "
                "are asked for; run `make clean-demo` first"
            )
        return plan

    def note_changing(self) -> None:
        """Remember that the org is changing, which it keeps only when it is stopped in order."""
        self._changing.touch()

    def note_kept(self) -> None:
        """Forget that again, if the org has been kept since."""
        with suppress(FileNotFoundError):
            if self.kept_org.stat().st_mtime >= self._changing.stat().st_mtime:
                self._changing.unlink()

    def require_kept_changes(self) -> None:
        """Raises DemoError where the last demo was killed and the org's changes went with it."""
        if self._changing.exists():
            raise DemoError(
                "the last demo was killed, and what had changed in its org is lost; run `make clean-demo` "
                "and start again"
            )

    def started_server(self) -> int | None:
        """The PostgreSQL process that a demo started and, if it still runs, didn't stop."""
        try:
            return int(json.loads(self._server.read_text())["pid"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def note_server(self, pid: int | None) -> None:
        """Remember that the demo started PostgreSQL, or that it has stopped it."""
        if pid is None:
            self._server.unlink(missing_ok=True)
        else:
            _write(self._server, {"pid": pid})

    def delete(self) -> None:
        """Delete the folder; the caller holds it."""
        shutil.rmtree(self.path)
        self._lock.unlink(missing_ok=True)
        with suppress(OSError):  # where it holds more
            self._lock.parent.rmdir()

    def _locked(self) -> int:
        for _ in range(LOCK_TRIES):
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
            if _try_lock(descriptor):
                if _is_file(descriptor, self._lock):
                    return descriptor
            else:
                holder = _alive(os.read(descriptor, 20).decode())
                if holder is not None:
                    os.close(descriptor)
                    raise DemoError(
                        f"a demo runs already in {self.path} (process {holder}); end it with Ctrl-C in its terminal, "
                        "or by `make clean-demo`, which deletes its data too"
                    )
            os.close(descriptor)
            time.sleep(LOCK_POLL_S)
        raise DemoError(f"what a killed demo left in {self.path} does not end; try again in a minute")


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_file(descriptor: int, path: Path) -> bool:
    """Whether a path still leads to an open file, which somebody may have deleted meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _alive(pid: str) -> int | None:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return None
    except PermissionError:
        pass
    return int(pid)


def _write(path: Path, content: dict[str, object]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.replace(path)
