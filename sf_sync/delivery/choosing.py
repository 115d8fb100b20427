"""Which of the deliveries that are due can be carried out together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sf_sync.delivery.deliveries import Blocker, Waiting
from sf_sync.delivery.targets import Footprint, Touched

SUSPECT_CLAIMS = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """`chosen` are carried out side by side; `blocked` have to wait for a failure of their lane.

    What is in neither waits for one of the chosen, and is looked at again when those are through. `after_gap` are
    the ids of chosen ones that an earlier failure of their lane has held back for as long as it may.
    """

    chosen: list[Waiting] = field(default_factory=list)
    blocked: list[tuple[Waiting, Blocker]] = field(default_factory=list)
    after_gap: set[int] = field(default_factory=set)


def choose(waiting: Sequence[Waiting], blockers: Sequence[Blocker], most: int) -> Choice:
    """Choose from deliveries in order: none that meets an earlier one, whether that is chosen or not.

    One whose claims were lost again and again is tried last and alone, so that it takes no others with it.
    """
    suspects: list[Waiting] = []
    choice = Choice()
    ahead = Touched()
    in_lane: dict[str, list[tuple[Blocker, Touched]]] = {}
    for blocker in blockers:
        in_lane.setdefault(blocker.lane, []).append((blocker, _touched(blocker.footprint)))
    for one in waiting:
        footprint = Footprint.of_plan(one.plan)
        earlier = [
            blocker
            for blocker, touched in in_lane.get(one.lane, ())
            if blocker.order < one.order and touched.shares_target(footprint)
        ]
        blocking = next((blocker for blocker in earlier if blocker.until is not None), None)
        if blocking is not None:
            choice.blocked.append((one, blocking))
            in_lane[one.lane].append(
                (
                    Blocker(one.delivery_id, one.lane, one.order, footprint, blocking.until),
                    _touched(footprint),
                )
            )
            continue
        if len(choice.chosen) < most and not ahead.meets(footprint):
            (suspects if one.lost_claims >= SUSPECT_CLAIMS else choice.chosen).append(one)
            if earlier:
                choice.after_gap.add(one.delivery_id)
        ahead.add(footprint)
    if not choice.chosen:
        choice.chosen.extend(suspects[:1])
    return choice


def _touched(footprint: Footprint) -> Touched:
    touched = Touched()
    touched.add(footprint)
    return touched
