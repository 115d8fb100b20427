"""Why an operation or a delivery failed, and when it is tried again."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

FailureClass = Literal["permanent", "dependency", "transient"]

SHOWN = 500  # characters of a message that are kept


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure. `message` holds no values of the record, because records hold personal data."""

    kind: FailureClass
    code: str
    message: str
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """How patiently a class of failures is tried again: waits double up to the longest, then `limit` ends it."""

    first: timedelta
    longest: timedelta
    limit: int

    def wait(self, failures: int) -> timedelta:
        """How long to wait after so many failures: half of it fixed, half of it by chance."""
        doublings = min(failures - 1, 20)
        full = min(self.first * (1 << doublings), self.longest)
        return full * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, guards nothing


@dataclass(frozen=True, slots=True)
class Policy:
    """How the delivery deals with time and failures.

    `gap`: how long a failure holds back what shares a target with it, and how long it is tried again at all.
    `lost_claims`: how many claims may end without an outcome before the record counts as poison.
    """

    transient: Backoff = Backoff(timedelta(seconds=10), timedelta(hours=1), 30)
    dependency: Backoff = Backoff(timedelta(seconds=15), timedelta(minutes=10), 200)
    gap: timedelta = timedelta(hours=24)
    lost_claims: int = 10
    lease: timedelta = timedelta(seconds=300)
    request: timedelta = timedelta(seconds=180)  # above the session's own time-outs
    put_off: timedelta = timedelta(seconds=15)
    records: int = 200
    lanes: int = 200

    def backoff(self, kind: FailureClass) -> Backoff | None:
        """The backoff of a class; None for what is never tried again."""
        return {"transient": self.transient, "dependency": self.dependency}.get(kind)


URGENCY: tuple[FailureClass, ...] = ("transient", "dependency", "permanent")


def leading(failures: Iterable[Failure]) -> Failure:
    """The failure that decides what becomes of the delivery: one that can still pass, before one that can't."""
    return min(failures, key=lambda one: URGENCY.index(one.kind))


def without_values(message: str, values: Iterable[object]) -> str:
    """A message of a destination without the texts and numbers that we sent it, on one line.

    What is shorter than three characters stays: it tells nothing, and taking it out would break other words.
    """
    text = " ".join(message.split())
    sent = {" ".join(str(one).split()) for one in values if one is not None and not isinstance(one, bool)}
    for value in sorted(sent, key=len, reverse=True):
        if len(value) > 2:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", text)
    return text[:SHOWN]
