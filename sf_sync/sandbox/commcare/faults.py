"""Faults that a test asks of the project space: what goes wrong, for which requests, how often."""

from __future__ import annotations

import re
from dataclasses import dataclass

STATUSES = {"throttled": 429, "down": 503, "blocked": 509, "failing": 500, "forbidden": 403}
KINDS = (*STATUSES, "slow", "answer_lost", "answer_cut")


@dataclass
class Fault:
    """One fault. It strikes `times` times, after letting `after` matching requests pass.

    `throttled`, `down`, `blocked`, `failing` and `forbidden` answer with 429, 503, 509, 500, 403 and do nothing.
    `slow` waits `seconds` before the request is carried out. `answer_lost` carries it out and closes the connection
    without a word; `answer_cut` breaks the answer off half-way.
    """

    kind: str
    path: str = ""
    method: str = ""
    after: int = 0
    times: int = 1
    retry_after: str | None = None
    seconds: float = 0.0
    struck: int = 0

    def __post_init__(self) -> None:
        """ValueError where there is no such fault."""
        if self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.kind}; there are {', '.join(KINDS)}")

    def matches(self, method: str, path: str) -> bool:
        """Whether the fault is about this request; `path` is with its query."""
        return self.times > 0 and self.method in ("", method) and re.search(self.path, path) is not None


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        """None yet."""
        self._faults: list[Fault] = []

    def add(self, kind: str, path: str = "", **values: object) -> Fault:
        """Put a fault in force; `values` are its other fields."""
        fault = Fault(kind, path, **values)  # type: ignore[arg-type]
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Take all faults away."""
        self._faults.clear()

    def strike(self, method: str, path: str) -> Fault | None:
        """The first fault that strikes this request, counted; None where all goes well."""
        for fault in self._faults:
            if fault.matches(method, path):
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                fault.struck += 1
                return fault
        return None
