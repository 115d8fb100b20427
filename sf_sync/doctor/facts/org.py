"""An org being probed: a few hundred records of one object, read by both APIs once for all checks."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sf_sync.catalog.columns import Shape, shape
from sf_sync.catalog.definition import CatalogError, ObjectDefinition
from sf_sync.mirror import plan
from sf_sync.mirror.ledger import Part
from sf_sync.mirror.rest_reader import fits_an_address
from sf_sync.mirror.window import Window
from sf_sync.salesforce import bulk, rest, soql
from sf_sync.salesforce.describe import ObjectDescribe, describe
from sf_sync.salesforce.errors import PermanentError, SalesforceError
from sf_sync.salesforce.session import JsonAnswer, OrgSession

SETTLED = timedelta(minutes=10)  # older rows don't appear any more while they are compared
NEWEST = 400
MOST_ROWS = 5_000
PAGES = 3  # that the sample's job is read in
JOB_DEADLINE_S = 600.0


class NothingToProbe(PermanentError):
    """No configured object has a few records that can be read by both APIs."""


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One answer of a job's results, whole."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def rows(self) -> list[list[str]]:
        """Rows with the header row first."""
        return list(csv.reader(io.StringIO(self.body.decode("utf-8"), newline="")))

    @property
    def locator(self) -> str | None:
        return self.headers.get("Sforce-Locator")


@dataclass(frozen=True, slots=True)
class Sample:
    """An object, some of its fields, and a settled window with a few hundred records."""

    shape: Shape
    described: ObjectDescribe
    window: Window
    fields: tuple[str, ...]
    rows: int

    @property
    def where(self) -> str:
        return plan.condition(self.shape, Part(self.window))

    @property
    def statement(self) -> str:
        return soql.select(self.fields, self.shape.sobject, self.where)

    @property
    def order(self) -> str:
        return f"ORDER BY {self.shape.cursor}, Id"


class ProbedOrg:
    """Answers that several checks look at are asked for once."""

    def __init__(self, session: OrgSession, definitions: Sequence[ObjectDefinition]) -> None:
        self.session = session
        self.definitions = definitions
        self.jobs: list[str] = []

    def close(self) -> None:
        """Delete the jobs that were made; one that still runs is stopped, and the org deletes it after a week."""
        for job_id in self.jobs:
            try:
                bulk.delete(self.session, job_id, version=self.session.api_version)
            except PermanentError:
                with suppress(SalesforceError):
                    bulk.abort(self.session, job_id, version=self.session.api_version)

    @cached_property
    def now(self) -> datetime:
        """The org's clock when it was first asked."""
        return self.session.json("GET", self.session.path("/limits"), "probing").server_time

    @cached_property
    def describes(self) -> dict[str, ObjectDescribe]:
        """The configured objects that the org shows."""
        found = {}
        for name in dict.fromkeys(s.sobject for one in self.definitions for s in one.sources):
            try:
                found[name] = describe(self.session, name).object
            except PermanentError:
                continue
        return found

    @cached_property
    def sample(self) -> Sample:
        """The configured object with the most records among its newest. Raises NothingToProbe."""
        best: Sample | None = None
        for definition in self.definitions:
            for source in definition.sources:
                if source.sobject in plan.NOT_IN_BULK or source.sobject not in self.describes:
                    continue
                try:
                    found = self._sample_of(shape(definition, source, self.describes[source.sobject]))
                except (CatalogError, SalesforceError):
                    continue
                if found is not None and (best is None or found.rows > best.rows):
                    best = found
                if best is not None and best.rows >= NEWEST:
                    return best
        if best is None:
            raise NothingToProbe("no configured object has records older than ten minutes to look at")
        return best

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The sample by REST, in the order of (cursor, Id)."""
        sample = self.sample
        page = self.query(f"{sample.statement} {sample.order}")
        records = list(page.records)
        while page.next_url is not None:
            page = rest.query_more(self.session, page.next_url, "probing")
            records += page.records
        return records

    @cached_property
    def created(self) -> JsonAnswer:
        """The answer to the making of the sample's job."""
        return self.create(self.sample.statement)

    @cached_property
    def job(self) -> bulk.Job:
        """The sample's job, complete."""
        return self.wait(self.created.body["id"])

    @cached_property
    def pages(self) -> list[ResultPage]:
        """The results of the sample's job, one page after the other."""
        size = max(1, -(-self.sample.rows // PAGES))
        pages = [self.results(self.job.id, max_records=size)]
        while pages[-1].locator not in {None, "", "null"} and len(pages) <= 2 * PAGES:
            pages.append(self.results(self.job.id, max_records=size, locator=pages[-1].locator))
        return pages

    @cached_property
    def cells(self) -> dict[str, dict[str, str]]:
        """The sample by Bulk: field → cell by record id."""
        found = {}
        for page in self.pages:
            header, *rows = page.rows
            found.update({row[header.index("Id")]: dict(zip(header, row, strict=True)) for row in rows})
        return found

    @cached_property
    def empty_job(self) -> bulk.Job:
        """A job without a single row, complete."""
        sample = self.sample
        where = soql.window_condition(
            sample.shape.cursor, datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)
        )
        statement = soql.select(("Id", sample.shape.cursor), sample.shape.sobject, where)
        return self.wait(self.create(statement).body["id"])

    def query(self, statement: str, *, everything: bool = True) -> rest.RestPage:
        """The first page of a query; with deleted and archived rows where the sample's object has them."""
        operation = plan.operation(self.sample.shape) if everything else "query"
        return rest.query(self.session, statement, "probing", operation=operation)

    def count(self, where: str) -> int:
        """Rows of the sample's object."""
        return self.query(soql.count(self.sample.shape.sobject, where)).total

    def create(self, statement: str) -> JsonAnswer:
        """Make a job; it is deleted at the end."""
        body = {
            "operation": plan.operation(self.sample.shape),
            "query": statement,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        answer = self.session.json("POST", self.session.path("/jobs/query"), "probing", body=body)
        self.jobs.append(answer.body["id"])
        return answer

    def wait(self, job_id: str) -> bulk.Job:
        return bulk.wait(self.session, job_id, version=self.session.api_version, deadline_s=JOB_DEADLINE_S)

    def results(
        self, job_id: str, *, max_records: int | None = None, locator: str | None = None
    ) -> ResultPage:
        """One page of a job's results as it came."""
        asked = {"maxRecords": max_records, "locator": locator}
        params = {name: str(value) for name, value in asked.items() if value is not None}
        path = self.session.path(f"/jobs/query/{job_id}/results")
        with closing(
            self.session.send("GET", path, "probing", params=params, headers={"Accept": "text/csv"})
        ) as answer:
            return ResultPage(answer.headers, answer.content)

    def _sample_of(self, one: Shape) -> Sample | None:
        before = soql.moment(self.now - SETTLED)
        newest = rest.query(
            self.session,
            f"SELECT {one.cursor} FROM {one.sobject} WHERE {one.cursor} < {before} "  # noqa: S608
            f"ORDER BY {one.cursor} DESC LIMIT {NEWEST}",
            "looking for records to probe with",
            operation=plan.operation(one),
        ).records
        stamps = [datetime.fromisoformat(record[one.cursor]).astimezone(UTC) for record in newest]
        if not stamps:
            return None
        window = Window(min(stamps), max(stamps).replace(microsecond=0) + timedelta(seconds=1))
        sample = Sample(one, self.describes[one.sobject], window, one.fields, 0)
        while not fits_an_address(f"{sample.statement} {sample.order}"):
            kept = (
                tuple(f for f in one.fields if f in {"Id", one.cursor})
                + sample.fields[: len(sample.fields) // 2]
            )
            sample = Sample(one, sample.described, window, tuple(dict.fromkeys(kept)), 0)
        rows = rest.count(self.session, one.sobject, sample.where, operation=plan.operation(one))
        if not 0 < rows <= MOST_ROWS:
            return None
        return Sample(one, sample.described, window, sample.fields, rows)
