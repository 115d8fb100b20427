"""One row of an ingest job → one record that is written, or the text of why it is not (protocol §4.10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sf_sync.sandbox.http import Call
from sf_sync.sandbox.schema import ObjectType
from sf_sync.sandbox.write.dml import Writer, Written
from sf_sync.sandbox.write.errors import Ambiguous, Refused, RowError

if TYPE_CHECKING:
    from sf_sync.sandbox.org import Org

    from .ingest_jobs import IngestJob

NULL_MARK = "#N/A"


class NoSuchColumn(Exception):
    """A header that names nothing; the whole job fails."""


class Header:
    """What the columns of the uploaded file mean."""

    def __init__(self, org: Org, job: IngestJob, names: Sequence[str]) -> None:
        """Check the names."""
        kind = org.kind(job.entity, job.created_by)
        if kind is None:
            raise NoSuchColumn(f"InvalidBatch : Object {job.entity} is gone")
        self.kind: ObjectType = kind
        self.names = list(names)
        for name in self.names:
            plain, _, below = name.rpartition(":")[2].partition(".")
            known = kind.find_relationship(plain) if below else kind.find(plain)
            if known is None:
                raise NoSuchColumn(f"InvalidBatch : Field name not found : {name}")

    def body(self, row: Sequence[str]) -> dict[str, Any]:
        """The row as a JSON body: an empty value is left out, `#N/A` is null."""
        made: dict[str, Any] = {}
        for name, text in zip(self.names, row, strict=False):
            if text == "":
                continue
            value = None if text == NULL_MARK else text
            kind, _, rest = name.rpartition(":")
            relationship, _, key = rest.partition(".")
            if not key:
                made[name] = value
            elif value is None:
                made[relationship] = None
            else:
                typed = {"attributes": {"type": kind}} if kind else {}
                made[relationship] = {**typed, key: value}
        return made


class RowWriter:
    """Writes the rows of a job in the name of who made it."""

    def __init__(self, org: Org, job: IngestJob, header: Header) -> None:
        """Bind to a job."""
        path = f"/services/data/v{job.version}/jobs/ingest/{job.id}"
        self._writer = Writer(org, Call("PUT", path, {}, user=job.created_by, version=job.version))
        self._org = org
        self._job = job
        self._header = header

    def write(self, row: list[str]) -> None:
        """Write one row and note what became of it."""
        body = self._header.body(row)
        record_id = str(self._taken(body, "Id") or "")
        try:
            if len(row) != len(self._header.names):
                raise Refused(
                    RowError("INVALID_FIELD", "Number of fields in the row differs from the header")
                )
            written = self._write(record_id, body)
        except Refused as refused:
            self._job.failed.append((record_id, _texts(refused.errors), row))
        except Ambiguous as several:
            self._job.failed.append((record_id, _texts([several.row()]), row))
        else:
            self._job.written.append((written.id, written.created, row))

    def _write(self, record_id: str, body: dict[str, Any]) -> Written:
        kind, operation = self._header.kind, self._job.operation
        if operation == "insert":
            return self._writer.create(kind, {**body, "Id": record_id} if record_id else body)
        if operation == "upsert" and self._job.key is not None:
            key = kind.find(self._job.key)
            assert key is not None  # noqa: S101 - checked when the job was created
            value = record_id if key.type == "id" else self._taken(body, key.name)
            if key.type == "id" and not record_id:
                return self._writer.create(kind, body)
            return self._writer.upsert(kind, key, value, body)
        if not record_id:
            raise Refused(RowError("MISSING_ARGUMENT", f"Id not specified in an {operation} call"))
        if operation == "update":
            return self._writer.update(kind, record_id, body)
        written = self._writer.delete(kind, record_id)
        if operation == "hardDelete":
            self._org.tables[kind.name].remove(written.id)
        return written

    @staticmethod
    def _taken(body: dict[str, Any], name: str) -> Any:
        key = next((key for key in body if key.lower() == name.lower()), None)
        return body.pop(key) if key else None


def _texts(errors: Sequence[RowError]) -> str:
    return ";".join(f"{error.code}:{error.message}:{' '.join(error.fields)}--" for error in errors)
