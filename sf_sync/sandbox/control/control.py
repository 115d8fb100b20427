"""All control methods: records, schema, clock, limits, tokens, jobs, faults, the log of calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sf_sync.sandbox.faults import Fault
from sf_sync.sandbox.limits import ROLLING
from sf_sync.sandbox.org import LoggedCall

from .changes import Changes
from .records import RecordControl
from .schema import SchemaControl


class Control(RecordControl, SchemaControl):
    """What a test or a demonstration may do to the org behind the API's back."""

    # Clock

    def now(self) -> datetime:
        """The org's time."""
        return self._org.clock.now()

    def freeze(self, at: datetime | str | None = None) -> None:
        """Stop the clock, now or at a given time."""
        self._org.clock.freeze(datetime.fromisoformat(at) if isinstance(at, str) else at)

    def resume(self) -> None:
        """Let the clock run on."""
        self._org.clock.resume()

    def advance(self, seconds: float) -> None:
        """Jump forward."""
        with self._org.lock:
            self._org.clock.advance(seconds)
            self._org.settle()

    # Limits, tokens, jobs

    def set_limit(self, name: str, remaining: int | None = None, maximum: int | None = None) -> None:
        """Change an allocation's maximum, or what is left of it."""
        if name not in ROLLING:
            raise ValueError(f"no such allocation: {name}; there are {', '.join(sorted(ROLLING))}")
        with self._org.lock:
            if maximum is not None:
                self._org.limits.maxima[name] = maximum
            if remaining is not None:
                self._org.limits.set_remaining(name, remaining)

    def expire_tokens(self) -> None:
        """End every session."""
        with self._org.lock:
            self._org.auth.revoke_all()

    def revoke(self, token: str) -> bool:
        """End one access or refresh token."""
        with self._org.lock:
            return self._org.auth.revoke(token)

    def grant_refresh_token(self, rotate: bool = False) -> str:
        """A refresh token for the integration user; with `rotate` each use gives a new one and kills the old."""
        with self._org.lock:
            self._org.auth.rotate_refresh_tokens = rotate
            return self._org.auth.grant_refresh_token(self._org.user_id)

    def allow_password_grant(self, allowed: bool = True) -> None:
        """Let the OAuth password grant sign users in, or not."""
        with self._org.lock:
            self._org.auth.password_grant = allowed

    def register_key(self, pem: str) -> None:
        """Take the public key with which JWT bearer assertions are checked."""
        with self._org.lock:
            self._org.auth.register_key(pem)

    def tear_jobs(self, torn: bool = True) -> None:
        """Let jobs read the first half of the ids when they begin and the rest when they end, as chunked jobs may."""
        self._org.torn_reads = torn

    def jobs(self) -> list[dict[str, str]]:
        """The query jobs that the org still has."""
        with self._org.lock:
            self._org.settle()
            return [
                {
                    "id": j.id,
                    "object": j.entity,
                    "state": j.state,
                    "operation": j.operation,
                    "query": j.query.text,
                }
                for j in self._org.jobs.all()
            ]

    # Life

    def start_changes(self, object: str, per_second: float, seed: int = 1) -> None:
        """Let records be changed, created, deleted and undeleted at a rate, until `stop_changes`."""
        self.stop_changes()
        self._org.stop_life = Changes(self, object, per_second, seed).stop

    def stop_changes(self) -> int:
        """Stop; gives how many changes were made."""
        stop, self._org.stop_life = self._org.stop_life, lambda: 0
        return stop()

    # Faults and the log

    def fault(
        self,
        kind: str,
        path: str = "",
        method: str = "",
        object: str = "",
        after: int = 0,
        times: int = 1,
        **values: Any,
    ) -> None:
        """Put a fault in force; `values` are its own (bytes_per_second, rows, message, seconds, field …)."""
        with self._org.lock:
            self._org.faults.add(Fault(kind, path, method, object, after, times, values))

    def set_lock_wait(self, seconds: float) -> None:
        """How long a call waits for rows that another holds before it gives up; 10 s in a new org."""
        self._org.options = replace(self._org.options, lock_wait=seconds)

    def faults(self) -> list[dict[str, object]]:
        """The faults with how often each struck."""
        return [
            {
                "kind": f.kind,
                "path": f.path,
                "method": f.method,
                "object": f.object,
                "times": f.times,
                "struck": f.struck,
            }
            for f in self._org.faults.all()
        ]

    def clear_faults(self) -> None:
        """Take all faults away."""
        with self._org.lock:
            self._org.faults.clear()

    def requests(self) -> list[LoggedCall]:
        """The API calls since the start, or since the log was cleared; the oldest are dropped in the end."""
        return list(self._org.log)

    def clear_requests(self) -> None:
        """Empty the log."""
        self._org.log.clear()

    def before_subrequest(self, position: int, action: Callable[[], object]) -> None:
        """Do something just before the subrequest of that position (0 is the first) of the next composite call."""
        self._org.between.append((position, action))
