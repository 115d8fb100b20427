"""Facts about REST queries: counts, order, places to go on from, pages, length."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from sf_sync.doctor.facts.org import ProbedOrg
from sf_sync.doctor.facts.registry import Observed, fact, observed, unknown
from sf_sync.mirror.rest_reader import LONGEST_STATEMENT
from sf_sync.salesforce import rest, soql
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.record_id import between

SMALLEST_PAGE = 200
SHOWN_IDS = 200
TOO_LONG = 17_000
QUERIES_A_CALL = 5


@fact("A05", "COUNT() answers with totalSize alone, and it is the number of rows that the same query reads")
def count_is_the_rows(org: ProbedOrg) -> Observed:
    page = org.query(soql.count(org.sample.shape.sobject, org.sample.where))
    said = f"COUNT() said {page.total} with {len(page.records)} records, {len(org.records)} rows were read"
    return observed(page.total == len(org.records) and not page.records, said)


@fact("A06", "ORDER BY cursor, Id with (cursor > t OR (cursor = t AND Id > id)) goes on behind a row")
def keyset_goes_on(org: ProbedOrg) -> Observed:
    if len(org.records) < 2:
        return unknown("the sample has a single row")
    sample, cursor = org.sample, org.sample.shape.cursor
    middle = len(org.records) // 2
    last = org.records[middle - 1]
    stamp = _moment(last[cursor])
    behind = f"({cursor} > {stamp} OR ({cursor} = {stamp} AND Id > {soql.literal(last['Id'])}))"
    statement = f"{soql.select(('Id',), sample.shape.sobject, f'{sample.where} AND {behind}')} {sample.order}"
    got = [record["Id"] for record in org.query(statement).records]
    wanted = [record["Id"] for record in org.records[middle:]]
    return observed(
        got == wanted[: len(got)] and bool(got),
        f"{len(got)} rows, in the order of the whole: {got == wanted}",
    )


@fact("A07", "Datetime literals may have milliseconds, and .000 means the same as none")
def fractions_are_taken(org: ProbedOrg) -> Observed:
    cursor, start = org.sample.shape.cursor, org.sample.window.start
    bare = org.count(f"{org.sample.where} AND {cursor} >= {soql.moment(start)}")
    precise = org.count(f"{org.sample.where} AND {cursor} >= {start:%Y-%m-%dT%H:%M:%S}.000Z")
    return observed(bare == precise, f"{precise} rows with .000, {bare} without")


@fact("A08", "SystemModstamp has whole seconds")
def stamps_are_whole(org: ProbedOrg) -> Observed:
    stamps = [datetime.fromisoformat(record[org.sample.shape.cursor]) for record in org.records]
    broken = sum(stamp.microsecond != 0 for stamp in stamps)
    return observed(
        broken == 0, f"{broken} of {len(stamps)} stamps of {org.sample.shape.sobject} have fractions"
    )


@fact("A09", "A record has a key for every selected field, null where it has no value")
def records_have_every_key(org: ProbedOrg) -> Observed:
    missing = {field for record in org.records for field in org.sample.fields if field not in record}
    nulls = sum(value is None for record in org.records for value in record.values())
    return observed(not missing, f"missing keys: {', '.join(sorted(missing)) or 'none'}; {nulls} nulls")


@fact("A10", "Pages of queryAll add up to totalSize; nextRecordsUrl is a path, and absent on the last page")
def pages_add_up(org: ProbedOrg) -> Observed:
    path = org.session.path("/queryAll" if org.sample.shape.has_is_deleted else "/query")
    hint = {"Sforce-Query-Options": f"batchSize={SMALLEST_PAGE}"}
    statement = f"{soql.select(('Id',), org.sample.shape.sobject, org.sample.where)} {org.sample.order}"
    body = org.session.json("GET", path, "probing", params={"q": statement}, headers=hint).body
    total, rows, pages = body["totalSize"], len(body["records"]), 1
    while not body["done"]:
        following = body["nextRecordsUrl"]
        if not following.startswith("/services/data/"):
            return observed(False, f"nextRecordsUrl is {following!r}")
        body = org.session.json("GET", following, "probing", headers=hint).body
        rows, pages = rows + len(body["records"]), pages + 1
    if pages == 1:
        return unknown(f"{rows} rows came in one page")
    good = rows == total and "nextRecordsUrl" not in body
    return observed(good, f"{rows} rows in {pages} pages, totalSize {total}")


@fact("A11", "Ids are ordered by their bytes, and an id that no record has can be compared with")
def ids_are_bytes(org: ProbedOrg) -> Observed:
    sobject, where = org.sample.shape.sobject, org.sample.where
    found = org.query(f"SELECT Id FROM {sobject} WHERE {where} ORDER BY Id LIMIT {SHOWN_IDS}").records  # noqa: S608
    ids = [record["Id"] for record in found]
    middle = between(ids[0], ids[-1])
    if middle is None:
        return unknown("all ids of the sample are neighbours")
    given = soql.literal(middle)
    above, below = (org.count(f"{where} AND Id {sign} {given}") for sign in (">", "<="))
    good = ids == sorted(ids) and above + below == org.count(where)
    return observed(
        good, f"in order of bytes: {ids == sorted(ids)}; {below} up to {middle} and {above} above it"
    )


@fact("A12", "queryAll shows deleted rows with IsDeleted true, and query doesn't show them")
def deleted_rows_are_shown(org: ProbedOrg) -> Observed:
    for name, described in org.describes.items():
        if described.field("IsDeleted") is None:
            continue
        statement = f"SELECT Id, IsDeleted FROM {name} WHERE IsDeleted = true LIMIT 1"  # noqa: S608
        found = rest.query(org.session, statement, "probing", operation="queryAll").records
        if found:
            plain = rest.query(org.session, statement, "probing").records
            said = (
                f"{name} {found[0]['Id']}: IsDeleted is {found[0]['IsDeleted']}, by query {len(plain)} rows"
            )
            return observed(found[0]["IsDeleted"] is True and not plain, said)
    return unknown("no configured object has a deleted record")


@fact("A13", "Archived activities are shown by queryAll alone")
def archived_rows_are_shown(org: ProbedOrg) -> Observed:
    for name, described in org.describes.items():
        if described.field("IsArchived") is None or name not in {"Task", "Event"}:
            continue
        statement = f"SELECT Id FROM {name} WHERE IsArchived = true AND IsDeleted = false LIMIT 1"  # noqa: S608
        if rest.query(org.session, statement, "probing", operation="queryAll").records:
            plain = rest.query(org.session, statement, "probing").records
            return observed(not plain, f"{name}: some archived rows by queryAll, {len(plain)} by query")
    return unknown("no configured object has an archived record")


@fact("A14", "One composite call takes five queries")
def composite_takes_five(org: ProbedOrg) -> Observed:
    statement = f"SELECT COUNT() FROM {org.sample.shape.sobject} WHERE {org.sample.where}"  # noqa: S608
    url = org.session.path(f"/query?q={quote(statement)}")
    body = {
        "compositeRequest": [
            {"method": "GET", "url": url, "referenceId": f"probe{number}"} for number in range(QUERIES_A_CALL)
        ]
    }
    answer = org.session.json("POST", org.session.path("/composite"), "probing", body=body).body
    codes = [part["httpStatusCode"] for part in answer["compositeResponse"]]
    return observed(codes == [200] * QUERIES_A_CALL, f"the queries were answered {codes}")


@fact(
    "A15", "A query of 13,000 encoded characters is taken by GET; above 16,384 it is refused with 414 or 431"
)
def long_addresses_are_refused(org: ProbedOrg) -> Observed:
    head, tail = "SELECT Id", f" FROM {org.sample.shape.sobject} WHERE {org.sample.where} LIMIT 1"
    room = LONGEST_STATEMENT - len(quote(head + tail))
    org.query(f"{head}{chr(10) * (room // len(quote(chr(10))))}{tail}")
    try:
        org.query(f"{head}{chr(10) * (TOO_LONG // len(quote(chr(10))))}{tail}")
    except SalesforceError as error:
        return observed(
            error.status in {414, 431}, f"the short one was taken, the long one refused with {error.status}"
        )
    return observed(False, "both were taken")


def _moment(text: str) -> str:
    stamp = datetime.fromisoformat(text).astimezone(UTC)
    return f"{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03d}Z"
