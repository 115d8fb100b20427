"""Faults that a test asks for: what goes wrong, for which requests, how often."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

REQUEST = "request"
PAGE = "page"
INFO = "info"
JOB = "job"
COMMIT = "commit"
ROW = "row"
BEGIN = "begin"
ANSWER = "answer"
POINTS = {
    "http_503": REQUEST,
    "http_420_html": REQUEST,
    "reset": REQUEST,
    "unauthorized_401": REQUEST,
    "daily_limit_403": REQUEST,
    "concurrent_limit_403": REQUEST,
    "truncated_page": PAGE,
    "short_page": PAGE,
    "locator_expired_400": PAGE,
    "locator_repeated": PAGE,
    "locator_missing": PAGE,
    "slow_page": PAGE,
    "wrong_job_count": INFO,
    "job_failed": JOB,
    "job_aborted": JOB,
    "job_stuck": JOB,
    "late_row": COMMIT,
    "validation_error": ROW,
    "trigger_error": ROW,
    "duplicates_detected": ROW,
    "unable_to_lock_row": ROW,
    "latency": BEGIN,
    "answer_lost": ANSWER,
}


@dataclass
class Fault:
    """One fault. It strikes `times` times, after letting `after` matching requests pass.

    A *request* fault strikes any API call (sign-in only where `path` says so), a *page* fault a page of
    results (Bulk or REST query), an *info* fault the job info of a finished job, a *job* fault the
    creation of a query job, a *commit* fault a change of a record, a *row* fault a record that the API
    writes. A *begin* fault makes a call wait before it is carried out, an *answer* fault loses its answer
    afterwards: what it did stays done.
    """

    kind: str
    path: str = ""
    method: str = ""
    object: str = ""
    after: int = 0
    times: int = 1
    values: dict[str, Any] = field(default_factory=dict)
    struck: int = 0

    def matches(self, point: str, method: str, path: str, entity: str) -> bool:
        """Whether the fault is about this moment."""
        return (
            POINTS[self.kind] == point
            and (not self.method or self.method.upper() == method)
            and (not self.path or re.search(self.path, path, re.IGNORECASE) is not None)
            and (not self.object or self.object.lower() == entity.lower())
        )


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        """None yet."""
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        if fault.kind not in POINTS:
            raise ValueError(f"no such fault: {fault.kind}; there are {', '.join(sorted(POINTS))}")
        re.compile(fault.path)
        self._faults.append(fault)

    def clear(self) -> None:
        """Take all faults away."""
        self._faults.clear()

    def any_at(self, point: str) -> bool:
        """Whether a fault may strike here at all."""
        return any(fault.times > 0 and POINTS[fault.kind] == point for fault in self._faults)

    def strike(
        self,
        point: str,
        method: str = "",
        path: str = "",
        entity: str = "",
        by_path_only: bool = False,
        meant: Callable[[Fault], bool] = lambda _: True,
    ) -> Fault | None:
        """The first fault that strikes here, counted; None where all goes well. `meant` says what else it must fit."""
        for fault in self._faults:
            fits = fault.times > 0 and fault.matches(point, method, path, entity) and meant(fault)
            if fits and (fault.path or not by_path_only):
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                fault.struck += 1
                return fault
        return None

    def all(self) -> list[Fault]:
        """Every fault with how often it struck."""
        return list(self._faults)
