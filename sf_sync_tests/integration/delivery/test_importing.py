"""The queue of a replaced platform is taken over: what it owed is delivered, what it had done is kept."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from sf_sync.cli import app
from sf_sync.delivery import importing
from sf_sync.delivery.exported_documents import ExportReader
from sf_sync.delivery.importing import ImportBusy, Imported, import_queue
from sf_sync.delivery.inbox import Inbox
from sf_sync.delivery.json_documents import FileBroken, RawDocument, read_documents
from sf_sync.delivery.redelivery import route_again
from sf_sync.delivery.sources import COMMCARE, SALESFORCE
from sf_sync.delivery.worker import Worker, drain
from sf_sync.pima.folders import load_registry
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database
from sf_sync_tests.unit.delivery.samples import answered, sample

Document = dict[str, Any]
Db = psycopg.Connection[Any]
Take = Callable[..., Imported]

SOURCES = {"commcare": COMMCARE, "salesforce": SALESFORCE}
NAMES = {
    "commcare": lambda document: document.get("form", {}).get("@name"),
    "salesforce": lambda document: document.get("jobType"),
}


def queued(record_id: str, status: str = "new", *, day: int = 1, answer: str = "", **more: Any) -> Document:
    """A document of the queue with a form that was changed on this day of March."""
    return {
        "data": {
            "id": record_id,
            "server_modified_on": f"2026-03-{day:02}T08:00:00.000000Z",
            "form": {"@name": "Tree Count", "answer": answer},
        },
        "job_name": "Tree Count",
        "job_id": record_id,
        "status": status,
        "run_retries": 0,
        "last_retried_at": "",
        "error": "",
        "created_at": "2026-03-01T09:00:00Z",
        "updated_at": "2026-03-01T09:00:00Z",
        **more,
    }


def callout(record_id: str, status: str = "new", **data: Any) -> Document:
    return {**queued(record_id, status), "data": {"id": record_id, "jobType": "Participant", **data}}


def lines(*documents: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in documents)


@pytest.fixture
def take(db: Db, tmp_path: Path) -> Take:
    """Imports documents, or a file's bytes."""
    path = tmp_path / "export.jsonl"

    def run(*documents: object, content: bytes | None = None, **options: Any) -> Imported:
        path.write_bytes(lines(*documents) if content is None else content)
        reader = ExportReader(NAMES, path.name, options.pop("collection", None))
        return import_queue(db, CONNECTION, (reader.read(one) for one in read_documents(path)), **options)

    return run


def inbox(db: Db) -> list[tuple[str, int, str, str | None]]:
    """Record, the day of its version, state and reason."""
    return db.execute(
        "select record_id, extract(day from to_timestamp(version / 1e6) at time zone 'UTC')::int, state, reason "
        "from delivery.inbox order by record_id, version"
    ).fetchall()


def test_what_was_not_delivered_is_new_and_what_was_is_kept(db: Db, take: Take) -> None:
    done = take(*(queued(status, status) for status in ("new", "processing", "failed", "completed")))

    assert inbox(db) == [
        ("completed", 1, "ignored", "delivered before it was imported"),
        ("failed", 1, "new", None),
        ("new", 1, "new", None),
        ("processing", 1, "new", None),
    ]
    assert (done.documents, done.stored, done.delivered, done.released) == (4, 4, 1, 3)
    assert done.kinds == {"Tree Count": 4}


def test_the_payload_is_the_body_and_what_the_queue_knew_of_it_stands_beside_it(db: Db, take: Take) -> None:
    given = queued(
        "a",
        "failed",
        answer="Ethiopië ☕",
        error="could not upsert {'Phone': '+254 700 000 000'}",
        run_retries=3,
        created_at={"_seconds": 1772355600, "_nanoseconds": 500_000_000},
        updated_at={"__time__": "2026-03-01T10:00:00Z"},
        last_retried_at="2026-03-01T11:00:00+02:00",
    )
    take(given)

    row = db.execute("select body, about, kind, modified_at from delivery.inbox").fetchone()
    assert row is not None
    body, about, kind, modified_at = row
    assert json.loads(body) == given["data"]
    assert "☕".encode() in body
    assert about == {
        "imported": "export.jsonl:1",
        "status": "failed",
        "run_retries": "3",
        "job_name": "Tree Count",
        "job_id": "a",
        "created_at": "2026-03-01T09:00:00.500000+00:00",
        "updated_at": "2026-03-01T10:00:00+00:00",
        "last_retried_at": "2026-03-01T09:00:00+00:00",
    }
    assert kind == "Tree Count"
    assert modified_at.isoformat() == "2026-03-01T08:00:00+00:00"


def test_the_collection_is_told_or_said_or_seen(db: Db, take: Take) -> None:
    take(queued("form"), callout("callout"), {**callout("said"), "collection": "salesforce_collection"})
    take(callout("told"), collection="salesforce_collection")

    rows = db.execute("select record_id, source, kind from delivery.inbox order by record_id").fetchall()
    assert rows == [
        ("callout", "salesforce", "Participant"),
        ("form", "commcare", "Tree Count"),
        ("said", "salesforce", "Participant"),
        ("told", "salesforce", "Participant"),
    ]


def test_a_callout_has_the_day_on_which_it_was_queued(db: Db, take: Take) -> None:
    take(callout("a"))

    row = db.execute("select version, modified_at::date::text from delivery.inbox").fetchone()
    assert row == (0, "2026-03-01")


def test_repeats_in_the_file_are_one_record(db: Db, take: Take) -> None:
    done = take(*[queued("a")] * 3, queued("b"))

    assert [record for record, *_ in inbox(db)] == ["a", "b"]
    assert (done.documents, done.stored, done.repeated) == (4, 2, 2)


@pytest.mark.parametrize("statuses", [("completed", "failed"), ("failed", "completed")])
def test_a_record_of_which_some_repeat_was_not_delivered_is_delivered(
    db: Db, take: Take, statuses: Sequence[str]
) -> None:
    take(*(queued("a", status) for status in statuses))

    assert inbox(db) == [("a", 1, "new", None)]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_version_is_not_delivered_where_a_newer_one_was(db: Db, take: Take, backwards: bool) -> None:
    documents = [queued("a", "failed", day=1), queued("a", "completed", day=2), queued("a", "new", day=3)]
    done = take(*(reversed(documents) if backwards else documents))

    assert inbox(db) == [
        ("a", 1, "ignored", "a newer version was delivered before it was imported"),
        ("a", 2, "ignored", "delivered before it was imported"),
        ("a", 3, "new", None),
    ]
    assert (done.outdated, done.released) == (1, 1)


def test_other_contents_under_the_same_id_and_version_are_kept_too(db: Db, take: Take) -> None:
    first, second = callout("a", name="one"), callout("a", name="two")
    for _ in range(2):
        take(first, second, first)

    rows = db.execute("select version, state from delivery.inbox order by version").fetchall()
    assert rows == [(0, "new"), (1, "new")]


def test_a_form_that_arrived_by_itself_is_not_stored_again_for_its_spaces(db: Db, take: Take) -> None:
    given = queued("a", answer="x")
    body = json.dumps(given["data"], indent=4, sort_keys=True).encode()
    Inbox(db, CONNECTION).store([COMMCARE.read(body, NAMES["commcare"])])

    assert take(given).repeated == 1
    assert inbox(db) == [("a", 1, "new", None)]


def test_twice_is_as_once(db: Db, take: Take) -> None:
    documents = [
        queued("a", "failed"),
        queued("b", "completed"),
        queued("b", "failed", day=2),
        queued("c", "failed"),
        queued("c", "completed", day=2),
        {"data": 1},
    ]
    take(*documents)
    before = inbox(db)
    again = take(*documents)

    assert inbox(db) == before
    assert (again.stored, again.repeated) == (0, 6)


def test_with_all_everything_is_delivered_also_what_was_imported_before(db: Db, take: Take) -> None:
    documents = [queued("a", "completed"), queued("b", "failed"), queued("b", "completed", day=2)]
    take(*documents)
    done = take(*documents, again=True)

    assert {state for _, _, state, _ in inbox(db)} == {"new"}
    assert done.released == 3


def test_looking_for_mappings_again_leaves_what_was_delivered(db: Db, take: Take) -> None:
    take(queued("a", "completed"))

    assert route_again(db, CONNECTION) == 0
    row = db.execute("select receipt_id from delivery.inbox").fetchone()
    assert row is not None
    assert route_again(db, CONNECTION, list(row)) == 1


UNUSABLE = [
    (b'{"data": {', "not JSON"),
    (b"12", "not a JSON object"),
    (b'{"status": "new"}', "no `data` with the payload in it"),
    (b'{"data": "text"}', "no `data` with the payload in it"),
    (lines(queued("a", "sad")).strip(), "its status is none of new, processing, failed, completed"),
    (b'{"data": {"id": "a"}}', "neither `form` nor `jobType` in its data; say --collection"),
    (b'{"data": {"id": "a"}, "collection": 1}', "its collection is none of"),
    (b'{"data": {"form": {"@name": "Tree Count"}}, "status": "new"}', "no id"),
    (b'{"data": {"id": "a", "form": {}}, "status": "new"}', "no routing name"),
    (b'{"data": ' + b"[" * 100_000, "nested too deep"),
]


@pytest.mark.parametrize(("line", "reason"), UNUSABLE)
def test_a_line_of_which_nothing_can_be_made_is_told_and_kept_and_the_rest_goes_on(
    db: Db, take: Take, line: bytes, reason: str
) -> None:
    done = take(content=lines(queued("first")) + b"\n" + line + b"\n" + lines(queued("last")))

    (problem,) = done.problems
    assert problem.line == 3
    assert reason in problem.reason
    kept = db.execute(
        "select state, reason, octet_length(body) > 0 from delivery.inbox where receipt_id = %s",
        [problem.receipt.receipt_id],
    ).fetchone()
    assert kept == ("ignored", problem.reason, True)
    assert (done.documents, done.unusable, done.released) == (3, 1, 2)


def nameless(data: Document) -> Document:
    """A payload that doesn't say of which kind it is."""
    return {name: {} if name in ("form", "jobType") else value for name, value in data.items()}


SPOILT: dict[str, Callable[[Document], Document]] = {
    "other status": lambda document: {**document, "status": "sad"},
    "no status": lambda document: {name: value for name, value in document.items() if name != "status"},
    "no name": lambda document: {**document, "data": nameless(document["data"])},
    "no id": lambda document: {**document, "data": {**document["data"], "id": None}},
    "other collection": lambda document: {**document, "collection": "else"},
    "data as text": lambda document: {**document, "data": json.dumps(document["data"])},
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize(
    ("document", "source"), [(queued("a"), "commcare"), (callout("a"), "salesforce")], ids=["form", "callout"]
)
@pytest.mark.parametrize("how", ["imported", "forwarded"])
def test_a_line_that_was_refused_is_not_in_the_way_of_the_same_record_that_comes_as_it_should(
    db: Db, take: Take, spoil: Callable[[Document], Document], document: Document, source: str, how: str
) -> None:
    (refused,) = take(spoil(document)).problems
    assert refused.receipt.state == "ignored"

    if how == "imported":
        assert (done := take(document)).released == 1
        assert (done.stored, done.repeated) == (1, 0)
    else:
        incoming = SOURCES[source].read(json.dumps(document["data"]).encode(), NAMES[source])
        (receipt,) = Inbox(db, CONNECTION).store([incoming])
        assert (receipt.state, receipt.duplicate) == ("new", False)

    states = db.execute("select record_id = 'a', state from delivery.inbox order by 1").fetchall()
    assert states == [(False, "ignored"), (True, "new")]
    assert take(spoil(document)).unusable == 1
    assert route_again(db, CONNECTION) == 0, "what was refused isn't delivered beside it"


def test_a_refused_line_of_a_record_that_is_there_has_a_receipt_of_its_own(db: Db, take: Take) -> None:
    take(queued("a"))
    (refused,) = take(queued("a", "sad")).problems

    assert (refused.receipt.state, refused.receipt.duplicate) == ("ignored", False)
    assert inbox(db)[0] == ("a", 1, "new", None)


def test_a_line_that_is_too_long_is_kept_from_its_beginning(
    db: Db, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sf_sync.delivery.json_documents.LONGEST", 1_000)
    done = take(queued("a"), queued("b", answer="x" * 5_000), queued("c"))

    assert done.released == 2
    assert db.execute("select body_bytes from delivery.inbox where state = 'ignored'").fetchall() == [
        (1_000,)
    ]


def as_array(documents: Sequence[object], indent: int | None) -> bytes:
    return json.dumps(documents, indent=indent).encode()


@pytest.mark.parametrize(
    "write",
    [
        lambda documents: lines(*documents),
        lambda documents: b"\xef\xbb\xbf\r\n" + lines(*documents).replace(b"\n", b"\r\n\r\n").rstrip(),
        lambda documents: as_array(documents, None),
        lambda documents: as_array(documents, 2),
        lambda documents: gzip.compress(lines(*documents)),
        lambda documents: gzip.compress(as_array(documents, 2)),
    ],
    ids=["lines", "windows", "array", "indented", "packed lines", "packed array"],
)
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_every_kind_of_file_has_the_same_records(
    db: Db, take: Take, monkeypatch: pytest.MonkeyPatch, write: Callable[[list[Document]], bytes], chunk: int
) -> None:
    monkeypatch.setattr("sf_sync.delivery.json_documents.CHUNK", chunk)
    documents = [queued("a", answer='}] "\\'), queued("b", answer="[{"), queued("c", answer="ü\n")]
    take(content=write(documents))

    bodies = [
        json.loads(body) for (body,) in db.execute("select body from delivery.inbox order by record_id")
    ]
    assert bodies == [one["data"] for one in documents]


def test_what_is_no_element_of_an_array_is_told_with_its_line(take: Take) -> None:
    content = b"[\n" + lines(queued("a")).strip() + b",\nnothing,\n" + lines(queued("b")) + b"]"
    done = take(content=content)

    assert [(one.line, one.reason) for one in done.problems] == [(3, "not JSON")]
    assert done.released == 2


@pytest.mark.parametrize(
    "content",
    [
        as_array([queued("a"), queued("b")], 2)[:-1],
        as_array([queued("a"), queued("b")], 2)[:-20],
        as_array([queued("a")], None) + as_array([queued("b")], None),
        as_array([queued("a")], None)[:-1] + b"}",
        gzip.compress(lines(queued("a"), queued("b")) * 500)[:-9],
    ],
    ids=["no end", "cut", "two arrays", "wrong bracket", "packed and cut"],
)
def test_of_a_file_that_breaks_off_nothing_is_delivered_before_the_whole_file_came(
    db: Db, take: Take, content: bytes
) -> None:
    with pytest.raises(FileBroken):
        take(content=content)
    assert not [one for one in inbox(db) if one[2] == "new"]

    take(queued("a"), queued("b"))
    assert [one[2] for one in inbox(db)] == ["new", "new"]


def test_a_worker_takes_nothing_while_an_import_is_under_way(db: Db, take: Take) -> None:
    reader = ExportReader(NAMES, "file")

    def documents() -> Iterator[Any]:
        for number in range(importing.BATCH + 1):
            yield reader.read(RawDocument(number, json.dumps(queued(f"r{number:04}")).encode()))
        assert {state for _, _, state, _ in inbox(db)} == {"ignored"}

    import_queue(db, CONNECTION, documents())
    assert {state for _, _, state, _ in inbox(db)} == {"new"}


def test_two_imports_at_once_are_refused(database: Database, take: Take) -> None:
    with (
        database.connect("other", autocommit=True) as other,
        importing._alone(other, CONNECTION),
        pytest.raises(ImportBusy, match="another import"),
    ):
        take(queued("a"))


@pytest.fixture
def pima(worker: Worker) -> Worker:
    """A worker with PIMA's mappings."""
    return replace(worker, routers={COMMCARE.name: load_registry(COMMCARE.name)})


def send(db: Db, document: Document) -> None:
    """Hand a form over as CommCare does."""
    name = load_registry(COMMCARE.name).routing_name
    Inbox(db, CONNECTION).store([COMMCARE.read(json.dumps(document).encode(), name)])


def test_an_imported_form_becomes_records(db: Db, pima: Worker, org: LocalOrg, take: Take) -> None:
    registration, attendance = sample("farmer_registration"), sample("attendance_full")
    take({**queued("", "failed"), "data": registration}, {**queued("", "completed"), "data": attendance})

    assert drain(pima).outcomes == {"completed": 1}

    case_id = registration["form"]["subcase_0"]["case"]["@case_id"]
    assert case_id in {one["CommCare_Case_Id__c"] for one in org.truth("Participant__c")}
    assert org.truth("Training_Session__c")


@pytest.mark.parametrize(("again", "status"), [(False, "Present"), (True, "Absent")])
def test_an_edit_takes_back_what_an_imported_version_wrote_only_where_that_was_delivered_again(
    db: Db, pima: Worker, org: LocalOrg, take: Take, again: bool, status: str
) -> None:
    attendance = sample("attendance_full")
    kept, gone = attendance["form"]["present_participants"].split()[:2]
    send(db, attendance)
    drain(pima)
    db.execute("truncate delivery.inbox, delivery.lanes, delivery.applied cascade")  # another platform did it

    take({**queued("", "completed"), "data": attendance}, again=again)
    drain(pima)
    edit = answered("attendance_full", {"form.present_participants": kept})
    send(db, edit | {"server_modified_on": "2027-01-01T00:00:00.000000Z"})
    assert drain(pima).outcomes == {"completed": 1}

    session = attendance["form"]["training_session"]
    found = {one["Submission_ID__c"]: one["Status__c"] for one in org.truth("Attendance__c")}
    assert (found[session + kept], found[session + gone]) == ("Present", status)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[..., str]:
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())

    def run(*arguments: object, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["forms", "import", *(str(one) for one in arguments)])
        assert result.exit_code == code, result.output
        return " ".join(result.output.split())

    return run


def test_the_command_says_what_became_of_every_document(
    db: Db, command: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "export.jsonl"
    path.write_bytes(
        lines(queued("a", "failed"), queued("b", "completed"), queued("b", "completed"), callout("c"))
    )

    assert "2 not delivered there, 2 delivered, 0 of which nothing" in command(path, "--dry-run")
    assert inbox(db) == []

    said = command(path)
    assert "Participant 1" in said
    assert "4 documents, 2 delivered there; 3 records stored, 1 repeats; 2 to be delivered now" in said
    assert "1 to be delivered now" in command(path, "--all")


def test_the_command_fails_where_something_could_not_be_read_and_has_kept_it(
    db: Db, command: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "export.jsonl"
    path.write_bytes(lines(queued("a")) + b"{\n")

    assert "export.jsonl line 2: not JSON" in command(path, "--dry-run", code=1)
    assert "export.jsonl line 2: not JSON; kept with the receipt" in command(path, code=1)
    assert len(inbox(db)) == 2

    path.write_bytes(b"[" + lines(queued("c")))
    assert "Nothing of it will be delivered" in command(path, code=1)
    command(path, "--collection", "else", code=2)
    command(tmp_path / "absent", code=2)
