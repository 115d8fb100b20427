"""Facts of the wire by the ids of docs/assumptions.md, each with the function that checks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sf_sync.doctor.facts.org import ProbedOrg

Verdict = Literal["holds", "differs", "unknown"]


@dataclass(frozen=True, slots=True)
class Observed:
    """What the org showed, and whether that is what the engine expects."""

    verdict: Verdict
    said: str


Check = Callable[[ProbedOrg], Observed]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that the engine relies on, as a sentence, and how to see whether an org keeps to it."""

    id: str
    expects: str
    check: Check


FACTS: dict[str, Fact] = {}


def fact(fact_id: str, expects: str) -> Callable[[Check], Check]:
    """Register the check of a fact."""

    def register(check: Check) -> Check:
        if fact_id in FACTS:
            raise AssertionError(f"two checks for fact {fact_id}")
        FACTS[fact_id] = Fact(fact_id, expects, check)
        return check

    return register


def observed(expected: bool, said: str) -> Observed:
    """What was seen, and whether it is what was expected."""
    return Observed("holds" if expected else "differs", said)


def unknown(why: str) -> Observed:
    """The org gave no occasion to see it."""
    return Observed("unknown", why)
