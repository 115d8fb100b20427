"""Data forwarding: every form that the project space takes is posted to an address, or cancelled after some tries."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import requests

from .space import Document

HOUR = 3600.0
# A reachable address gets three tries, an unreachable one six; each wait is three times the one before.
REFUSED_WAITS_S = (HOUR, 3 * HOUR)
UNREACHABLE_WAITS_S = (HOUR, 3 * HOUR, 9 * HOUR, 27 * HOUR, 81 * HOUR)
TIMEOUT_S = 30.0


@dataclass
class RepeatRecord:
    """One form on its way to the address. `answer` is the last status; None where nobody answered."""

    document: Document
    state: Literal["pending", "succeeded", "cancelled"] = "pending"
    tries: int = 0
    answer: int | None = None
    due: float = 0.0

    @property
    def form_id(self) -> str:
        """The id of the form."""
        return str(self.document["id"])


class Forwarder:
    """Posts forms from a thread of its own, one after the other, oldest first unless `shuffle_seed` is given."""

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        refused_waits_s: Sequence[float] = REFUSED_WAITS_S,
        unreachable_waits_s: Sequence[float] = UNREACHABLE_WAITS_S,
        shuffle_seed: int | None = None,
        twice: bool = False,
    ) -> None:
        """Forward to `url` with the key in `X-API-Key`.

        The waits are those between tries; after the last the record is cancelled. With `shuffle_seed` the next form
        is any of those that wait; with `twice` every form that was taken is sent once more.
        """
        self.records: list[RepeatRecord] = []
        self._url = url
        self._waits = {True: tuple(refused_waits_s), False: tuple(unreachable_waits_s)}
        self._twice = twice
        self._random = None if shuffle_seed is None else random.Random(shuffle_seed)  # noqa: S311 - not for secrets
        self._http = requests.Session()
        self._http.trust_env = False
        if api_key is not None:
            self._http.headers["X-API-Key"] = api_key
        self._changed = threading.Condition()
        self._paused = self._stopped = False
        self._thread = threading.Thread(target=self._run, name="forwarding", daemon=True)
        self._thread.start()

    @property
    def cancelled(self) -> list[str]:
        """The ids of the forms that were given up."""
        return [record.form_id for record in self.records if record.state == "cancelled"]

    def enqueue(self, document: Document) -> None:
        """A form was taken."""
        with self._changed:
            self.records.append(RepeatRecord(document))
            self._changed.notify_all()

    def pause(self) -> None:
        """Send nothing until `resume`, so that several forms wait."""
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        """Send again."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def wait(self, timeout_s: float = 30.0) -> None:
        """Return once no form waits to be sent. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._pending(), timeout_s):
                raise TimeoutError(f"{len(self._pending())} forms are not forwarded yet")

    def stop(self) -> None:
        """End the thread; what waits is not sent."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(TIMEOUT_S)
        self._http.close()

    def _pending(self) -> list[RepeatRecord]:
        return [record for record in self.records if record.state == "pending"]

    def _run(self) -> None:
        while (record := self._next()) is not None:
            answer = self._post(record)
            if self._twice and answer is not None and 200 <= answer < 300:
                answer = self._post(record)
            with self._changed:
                self._note(record, answer)
                self._changed.notify_all()

    def _next(self) -> RepeatRecord | None:
        """The next record that is due; None at the end."""
        with self._changed:
            while not self._stopped:
                pending = [] if self._paused else self._pending()
                now = time.monotonic()
                due = [record for record in pending if record.due <= now]
                if due:
                    return due[0] if self._random is None else self._random.choice(due)
                self._changed.wait(min(record.due for record in pending) - now if pending else None)
        return None

    def _post(self, record: RepeatRecord) -> int | None:
        document = record.document
        try:
            answer = self._http.post(
                self._url,
                params={"app_id": document["app_id"] or ""},
                data=json.dumps(document).encode(),
                headers={"Content-Type": "application/json", "received-on": document["received_on"]},
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException:
            return None
        return answer.status_code

    def _note(self, record: RepeatRecord, answer: int | None) -> None:
        record.tries += 1
        record.answer = answer
        waits = self._waits[answer is not None]
        if answer is not None and 200 <= answer < 300:
            record.state = "succeeded"
        elif record.tries > len(waits):
            record.state = "cancelled"
        else:
            record.due = time.monotonic() + waits[record.tries - 1]
