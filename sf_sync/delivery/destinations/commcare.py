"""The CommCare project space as a destination: each write is one XForm, several are under way at a time."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from itertools import groupby
from json import loads
from typing import Any
from urllib.parse import quote

from sf_sync.commcare.errors import CommCareError, ConfigurationError, TransientError, refusal
from sf_sync.commcare.session import CommCareSession
from sf_sync.delivery.destination import DestinationDown, Outcome, Write
from sf_sync.delivery.destinations.commcare_answers import FORM_ID, THROTTLED, failure_of
from sf_sync.delivery.destinations.commcare_documents import Documents, Unwritable, case_id_of
from sf_sync.delivery.failures import Failure, FailureClass
from sf_sync.delivery.mapping.plan import Operation

ANSWER_BYTES = 256 * 1024
CASE_BYTES = 4 * 1024 * 1024
# What CommCare says of a case that isn't there, and where its API of cases isn't: nobody knows then.
NOT_SAID = frozenset({400, 404, 405, 501})
# Longer than this is left to the worker, which delivers to others meanwhile.
LONGEST_PAUSE = timedelta(seconds=5)

# With this version an unprocessed form is 422, and a repeat is a success.
HEADERS = {"Content-Type": "text/xml; charset=utf-8", "X-OpenRosa-Version": "3.0"}


class CommCareDestination:
    """Sends documents of a project space to its receiver.

    A repeat is no second form, because its instanceID is the same (`instance_id`). Of what a throttled space is to
    get, nothing is sent until the pause that it asked for is over.
    """

    def __init__(
        self,
        session: CommCareSession,
        documents: Documents,
        *,
        receiver_tag: str,
        at_once: int = 5,
        tries: int = 4,
        first_wait_s: float = 1.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = session
        self._documents = documents
        self._receiver = session.path(f"/receiver/{quote(receiver_tag, safe='')}/")
        self._at_once = at_once
        self._tries = tries
        self._first_wait_s = first_wait_s
        self._now = now
        self._sleep = sleep

    def problem_of(self, operations: Sequence[Operation]) -> Failure | None:
        """The first operation that no document describes."""
        for one in operations:
            if one.op != "upsert" or one.object not in self._documents.kinds:
                what = f"{one.op} of {one.object}"
                return Failure("permanent", "NO_DOCUMENT", f"no document describes the {what}", one.step)
        return None

    def execute(
        self, writes: Sequence[Write], before_request: Callable[[], None]
    ) -> Iterator[Sequence[Outcome]]:
        """Carry writes out, parents before children; yields after every answer. See `Destination.execute`.

        Raises DestinationDown.
        """

        def depth(write: Write) -> int:
            return self._documents.depth(write.object)

        for _, same in groupby(sorted(writes, key=depth), key=depth):
            yield from self._carry_out(list(same), before_request)

    def _carry_out(
        self, writes: Sequence[Write], before_request: Callable[[], None]
    ) -> Iterator[Sequence[Outcome]]:
        waiting = deque((write, 1) for write in writes)
        running: dict[Future[Outcome], tuple[Write, int]] = {}
        pause_s = 0.0
        answered = False
        down: DestinationDown | None = None
        with ThreadPoolExecutor(self._at_once) as pool:
            while running or (waiting and down is None):
                if pause_s and not running:
                    self._sleep(pause_s)
                    pause_s = 0.0
                while waiting and down is None and not pause_s and len(running) < self._at_once:
                    before_request()
                    write, attempt = waiting.popleft()
                    running[pool.submit(self._send, write)] = write, attempt
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                outcomes = []
                for future in done:
                    write, attempt = running.pop(future)
                    try:
                        outcomes.append(future.result())
                        answered = True
                    except ConfigurationError as error:
                        down = DestinationDown(str(error))
                    except TransientError as error:
                        pause = self._pause(error, attempt)
                        if attempt < self._tries and pause <= LONGEST_PAUSE:
                            waiting.appendleft((write, attempt + 1))
                            pause_s = max(pause_s, pause.total_seconds())
                        elif error.status is None and answered:
                            # Others were answered: it is this document that gets no answer.
                            outcomes.append(Outcome(write, "unknown", failure=_failure("transient", error)))
                        else:
                            down = DestinationDown(str(error), error.retry_after)
                if outcomes:
                    yield outcomes
        if down is not None:
            raise down

    def _pause(self, error: TransientError, attempt: int) -> timedelta:
        """How long nothing is sent: as long as CommCare asked for, else longer after each try."""
        if error.retry_after is not None:
            return max(error.retry_after - datetime.now(UTC), timedelta(milliseconds=1))
        jitter = 0.5 + random.random() / 2  # noqa: S311 - spreads load, guards nothing
        return timedelta(seconds=self._first_wait_s * 2 ** (attempt - 1) * jitter)

    def _send(self, write: Write) -> Outcome:
        """Send one document. Raises ConfigurationError, and TransientError where nobody's document is taken now."""
        kind = self._documents.kinds[write.object]
        try:
            case = self._case(write) if kind.depends_on_case else None
            document = self._documents.document(write, self._now(), case)
            answer = self._session.send(
                "POST",
                self._receiver,
                f"sending a {write.object}",
                body=document,
                headers=HEADERS,
                most_bytes=ANSWER_BYTES,
            )
        except Unwritable as error:
            return Outcome(write, "failed", failure=Failure("permanent", "UNWRITABLE", str(error)))
        except ConfigurationError:
            raise
        except TransientError as error:
            if error.status is None or error.status in THROTTLED:
                raise
            return Outcome(write, "failed", failure=_failure("transient", error))
        except CommCareError as error:
            return Outcome(write, "failed", failure=_failure("permanent", error))
        if answer.status in (401, 403, *THROTTLED) or 300 <= answer.status < 400:
            raise refusal(answer.status, f"sending a {write.object}", answer.retry_after)
        failure = failure_of(answer, write)
        if failure is not None:
            # A gateway that gave up doesn't know what became of the document.
            unknown = answer.status in (408, 502, 504)
            return Outcome(write, "unknown" if unknown else "failed", failure=failure)
        created = case is None and not write.written_before if kind.depends_on_case else None
        return Outcome(write, "ok", answer.headers.get(FORM_ID) or case_id_of(write), created)

    def _case(self, write: Write) -> Mapping[str, str] | None:
        """The properties of the case that a write is about, None where CommCare doesn't say. Raises CommCareError.

        One case at a time: the API for several answers from an index that runs behind (Case Data API v2).
        """
        doing = f"looking at a {write.object}"
        path = self._session.path(f"/api/case/v2/{quote(case_id_of(write), safe='')}")
        answer = self._session.send("GET", path, doing, most_bytes=CASE_BYTES)
        if answer.status in NOT_SAID:
            return None
        if answer.status >= 300:
            raise refusal(answer.status, doing, answer.retry_after)
        try:
            found: Any = loads(answer.body)
            return {name: str(value) for name, value in found["properties"].items()}
        except (ValueError, RecursionError, LookupError, AttributeError, TypeError):
            raise TransientError(f"{doing}: the answer is not a case", status=answer.status) from None


def _failure(kind: FailureClass, error: CommCareError) -> Failure:
    return Failure(kind, f"HTTP_{error.status}" if error.status else "NO_ANSWER", str(error))
