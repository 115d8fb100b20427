"""The week in the order in which things arrive, with what goes wrong in any week."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Literal

from . import callouts, forms, people
from .submission import SENT_AFTER, Document

NEWCOMERS = 12
FIRST_HOUR = 6  # UTC, which is nine in Kenya


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something that arrives: a form of a phone, or a callout of Salesforce."""

    kind: Literal["form", "callout"]
    document: Document


def week(until: datetime, seed: int) -> list[Arrival]:
    """Seven days that end the day before `until`; the same seed makes the same week."""
    return list(_Week(until, Random(seed)))  # noqa: S311 - a play, no secret


def today(until: datetime, seed: int, random: Random) -> Arrival:
    """One more form, filled in just now, about farmers and mills of that week; `random` decides which."""
    known = _Week(until, Random(seed))  # noqa: S311 - a play, no secret
    now = datetime.now(UTC) - SENT_AFTER
    number = random.randrange(3)
    if number == 0:
        return Arrival("form", forms.mill_visit(random.choice(known.mills), now, random))
    farmer = random.choice(known.farmers)
    made = forms.edit(farmer, now, random) if number == 1 else forms.farm_visit(farmer, now, random)
    return Arrival("form", made)


class _Week:
    def __init__(self, until: datetime, random: Random) -> None:
        self._random = random
        self._days = [
            datetime.combine((until - timedelta(days=7 - number)).date(), time(FIRST_HOUR), UTC)
            for number in range(7)
        ]
        self.farmers = people.newcomers(random, NEWCOMERS)
        self.mills = people.mills(random)

    def __iter__(self) -> Iterator[Arrival]:
        for part in (
            self._cases,
            self._mills_join,
            self._farmers_join,
            self._training,
            self._visits,
            self._mill_visits,
            self._corrections,
        ):
            yield from part()

    def _cases(self) -> Iterator[Arrival]:
        """Salesforce sends participants before their group: their case waits for its parent."""
        random = self._random
        yield Arrival("callout", callouts.project_role(random))
        yield Arrival("callout", callouts.participants(people.KNOWN, random))
        yield Arrival("callout", callouts.training_groups(random, people.FIRST_HOUSEHOLD - 1))
        yield Arrival("callout", callouts.training_sessions(random))

    def _mills_join(self) -> Iterator[Arrival]:
        for number, mill in enumerate(self.mills):
            at = self._at(0, 35 * number)
            yield self._form(forms.mill_registration(mill, at, self._random))

    def _farmers_join(self) -> Iterator[Arrival]:
        for number, farmer in enumerate(self.farmers):
            yield self._form(forms.registration(farmer, self._at(1, 20 * number), self._random))
        yield self._form(forms.unknown(self._at(1, 300), self._random))

    def _training(self) -> Iterator[Arrival]:
        """The list of who came is corrected an hour later, and sent twice by a bad connection."""
        everyone = [*people.KNOWN, *self.farmers]
        first = forms.attendance(everyone, self._at(2), self._random)
        yield self._form(first)
        yield self._form(first)
        yield self._form(forms.attendance(everyone[2:], self._at(2, 60), self._random, edits=first))
        yield self._form(forms.demo_plot(self._at(2, 120), self._random))

    def _visits(self) -> Iterator[Arrival]:
        for number, farmer in enumerate([*people.KNOWN, *self.farmers]):
            at = self._at(3 + number % 2, 40 * (number // 2))
            yield self._form(forms.farm_visit(farmer, at, self._random))

    def _mill_visits(self) -> Iterator[Arrival]:
        for number, mill in enumerate(self.mills):
            yield self._form(forms.mill_visit(mill, self._at(5, 60 * number), self._random))

    def _corrections(self) -> Iterator[Arrival]:
        """The last day: a change that overtakes its registration, a visit nobody can use, a farmer nobody knows."""
        random = self._random
        for farmer in self.farmers[:3]:
            yield self._form(forms.edit(farmer, self._at(6, 10 * farmer.household), random))
        late = people.Farmer(self.farmers[-1].case_id[::-1], "Late", "Comer", "Female", 8 + NEWCOMERS)
        yield self._form(forms.edit(late, self._at(6, 240), random))
        yield self._form(forms.registration(late, self._at(6, 30), random))
        broken = forms.farm_visit(self.farmers[0], self._at(6, 250), random)
        yield self._form(forms.without(broken, "trainer", "date_of_visit", "farm_being_visted"))
        stranger = people.Farmer("never-registered", "Stranger", "Unknown", "Male", 99)
        yield self._form(forms.farm_visit(stranger, self._at(6, 260), random))
        yield Arrival("callout", callouts.participants(self.farmers, random))

    def _form(self, document: Document) -> Arrival:
        return Arrival("form", document)

    def _at(self, day: int, minutes: int = 0) -> datetime:
        return self._days[day] + timedelta(minutes=minutes)
