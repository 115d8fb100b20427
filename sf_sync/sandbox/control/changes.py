"""An org that is lived in: records change while others read them."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .records import RecordControl

STOP_SECONDS = 5.0


class Changes:
    """A thread that changes records of one object at a rate: mostly updates, some inserts, deletes and undeletes."""

    def __init__(self, control: RecordControl, entity: str, per_second: float, seed: int) -> None:
        """Begin."""
        self._control = control
        self._entity = entity
        self._pause = 1 / per_second
        self._rng = random.Random(seed)  # noqa: S311 - not a secret
        self._ids = control.ids(entity)
        self._deleted: list[str] = []
        self._made = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="local-org-changes", daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """End; gives the number of changes."""
        self._ended.set()
        self._thread.join(STOP_SECONDS)
        return self._made

    def _run(self) -> None:
        while not self._ended.wait(self._pause):
            self._change()
            self._made += 1

    def _change(self) -> None:
        chance = self._rng.random()
        if not self._ids or chance < 0.1:
            self._ids.append(self._control.insert(self._entity, self._values()))
        elif chance < 0.15 and len(self._ids) > 1:
            gone = self._ids.pop(self._rng.randrange(len(self._ids)))
            self._control.delete(self._entity, [gone])
            self._deleted.append(gone)
        elif chance < 0.18 and self._deleted:
            back = self._deleted.pop()
            self._control.undelete(self._entity, [back])
            self._ids.append(back)
        elif chance < 0.3:
            self._control.touch(self._entity, [self._rng.choice(self._ids)])
        else:
            self._control.update(self._entity, self._rng.choice(self._ids), self._values())

    def _values(self) -> dict[str, str]:
        return {self._control.text_field(self._entity): f"Changed {self._made + 1}"}
