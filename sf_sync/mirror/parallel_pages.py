"""Pages of a Bulk job fetched ahead: the next few are downloaded to files while one is merged."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from sf_sync.mirror.reader import FIRST, Page
from sf_sync.salesforce import bulk
from sf_sync.salesforce.session import OrgSession

FETCHERS = 4  # pages on their way at once; the org gives five at a time
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A page on disk, in a file that has no name and goes with its last reader."""

    declared_rows: int
    file: IO[bytes]


class ParallelPages:
    """All pages of one complete job, in order, by the locators of `resultPages`. Holds none in memory."""

    def __init__(self, session: OrgSession, job_id: str, version: str) -> None:
        self._session = session
        self._job_id = job_id
        self._version = version
        self._locators = list(bulk.result_pages(session, job_id, version=version))
        self._places = {locator: place for place, locator in enumerate(self._locators)}
        self._pool = ThreadPoolExecutor(FETCHERS, thread_name_prefix="page")
        self._coming: dict[int, Future[_Fetched]] = {}

    @contextmanager
    def page(self, locator: str) -> Iterator[Page]:
        """One page; the following ones are begun to be fetched. Raises what fetching it raised."""
        place = 0 if locator == FIRST else self._places[locator]
        for ahead in range(place, min(place + FETCHERS + 1, len(self._locators))):
            if ahead not in self._coming:
                self._coming[ahead] = self._pool.submit(self._fetch, self._locators[ahead])
        fetched = self._coming.pop(place).result()
        following = self._locators[place + 1] if place + 1 < len(self._locators) else None
        with fetched.file:
            yield Page(following, fetched.declared_rows, iter(lambda: fetched.file.read(CHUNK_BYTES), b""))

    def close(self) -> None:
        """Stop fetching; files on their way vanish."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for future in self._coming.values():
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result().file.close()
        self._coming.clear()

    def _fetch(self, locator: str) -> _Fetched:
        return self._session.retrying(lambda: self._fetch_once(locator))

    def _fetch_once(self, locator: str) -> _Fetched:
        file = tempfile.TemporaryFile(prefix="sf_sync_page_")  # noqa: SIM115 - whoever merges the page closes it
        try:
            with bulk.results(
                self._session, self._job_id, version=self._version, locator=locator, max_records=None
            ) as page:
                for chunk in page.chunks:
                    file.write(chunk)
                file.seek(0)
                return _Fetched(page.declared_rows, file)
        except BaseException:
            file.close()
            raise
