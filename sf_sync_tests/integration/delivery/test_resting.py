"""One destination that is down doesn't stop what goes to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sf_sync.delivery.destination import DestinationDown, Outcome, Write
from sf_sync.delivery.mapping.plan import Operation
from sf_sync.delivery.worker import Worker
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, household
from sf_sync_tests.integration.delivery.memory import Memory


@dataclass
class Down:
    """A destination that can't be reached."""

    until: datetime
    asked: int = 0

    def problem_of(self, operations: Sequence[Operation]) -> None:
        return None

    def execute(
        self, writes: Sequence[Write], before_request: Callable[[], None]
    ) -> Iterator[Sequence[Outcome]]:
        self.asked += 1
        raise DestinationDown("throttled", self.until)
        yield []


def test_what_goes_elsewhere_is_delivered_and_the_destination_is_asked_once(
    forms: Deliveries, worker: Worker
) -> None:
    down, memory = Down(datetime.now(UTC) + timedelta(hours=1)), Memory()
    both = Deliveries(replace(worker, destinations={"cases": down, "salesforce": memory}), forms.db)

    done = both.deliver(
        *(form(f"away{n}", [household(n)], destination="cases", lane=f"x{n // 2}") for n in range(6)),
        *(form(f"here{n}", [household(7)], minute=n, lane="y") for n in range(3)),
    )

    assert done.down == "throttled"
    assert down.asked == 1
    assert both.statuses() == {
        **{f"away{n}": "new" for n in range(6)},
        **{f"here{n}": "completed" for n in range(3)},
    }
    assert both.db.execute(
        "select min(next_attempt_at) > now() + interval '59 minutes' from delivery.deliveries where status = 'new'"
    ).fetchall() == [(True,)]


def test_it_is_asked_again_when_its_rest_is_over(forms: Deliveries, worker: Worker) -> None:
    down = Down(datetime.now(UTC) - timedelta(seconds=1))
    both = Deliveries(replace(worker, destinations={"cases": down}), forms.db)

    both.deliver(form("away", [household(1)], destination="cases"))
    both.later()
    both.deliver()

    assert down.asked == 2
