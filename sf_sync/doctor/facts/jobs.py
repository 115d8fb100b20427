"""Facts about query jobs and their pages."""

from __future__ import annotations

from sf_sync.doctor.facts.org import ProbedOrg
from sf_sync.doctor.facts.registry import Observed, fact, observed, unknown
from sf_sync.salesforce import bulk

NONE = "null"  # the locator behind the last page


@fact("A16", "A new job has an id of prefix 750 and the state UploadComplete, InProgress or JobComplete")
def jobs_begin(org: ProbedOrg) -> Observed:
    body = org.created.body
    good = body["id"].startswith("750") and body["state"] in {"UploadComplete", "InProgress", "JobComplete"}
    return observed(good, f"job {body['id']} in state {body['state']}")


@fact("A17", "A complete job tells numberRecordsProcessed, and it is the rows of all its pages")
def jobs_tell_their_rows(org: ProbedOrg) -> Observed:
    rows = sum(len(page.rows) - 1 for page in org.pages)
    return observed(org.job.rows == rows, f"the job said {org.job.rows}, its pages held {rows}")


@fact("A18", "A job and COUNT() of the same settled window find the same rows")
def jobs_find_what_count_finds(org: ProbedOrg) -> Observed:
    count = org.count(org.sample.where)
    return observed(org.job.rows == count, f"the job found {org.job.rows}, COUNT() {count}")


@fact("A19", "Every page declares its rows in Sforce-NumberOfRecords")
def pages_declare_rows(org: ProbedOrg) -> Observed:
    pairs = [(page.headers.get("Sforce-NumberOfRecords"), len(page.rows) - 1) for page in org.pages]
    said = ", ".join(f"{declared} declared and {held} held" for declared, held in pairs)
    return observed(all(declared == str(held) for declared, held in pairs), said)


@fact("A20", "The last page's Sforce-Locator is the word null")
def the_last_locator_is_null(org: ProbedOrg) -> Observed:
    return observed(org.pages[-1].locator == NONE, f"it is {org.pages[-1].locator!r}")


@fact("A21", "maxRecords is kept to, and a locator gives the same bytes again")
def locators_repeat(org: ProbedOrg) -> Observed:
    if len(org.pages) < 2:
        return unknown("the sample came in one page")
    rows = len(org.pages[0].rows) - 1
    again = org.results(org.job.id, max_records=rows, locator=org.pages[0].locator)
    return observed(
        again.body == org.pages[1].body,
        f"the second page twice: {len(org.pages[1].body)} and {len(again.body)} bytes",
    )


@fact("A22", "Every page begins with the names of the fields, in the order of the query")
def pages_have_headers(org: ProbedOrg) -> Observed:
    headers = [tuple(page.rows[0]) for page in org.pages]
    good = all(header == org.sample.fields for header in headers)
    return observed(good, f"{len(headers)} pages, {len(headers[0])} names, as asked: {good}")


@fact("A23", "resultPages lists pages by locator, which hold the same rows as the pages one after the other")
def parallel_pages_are_the_same(org: ProbedOrg) -> Observed:
    locators = list(bulk.result_pages(org.session, org.job.id, version=org.session.api_version))
    parallel = [row for at in locators for row in org.results(org.job.id, locator=at).rows[1:]]
    serial = [row for page in org.pages for row in page.rows[1:]]
    same = "in the same order" if parallel == serial else "in another order"
    good = sorted(parallel) == sorted(serial)
    return observed(
        good, f"{len(parallel)} rows in {len(locators)} listed pages, {len(serial)} one by one, {same}"
    )


@fact("A24", "A job without rows completes; its only page declares 0 rows and holds at most the names")
def empty_jobs_complete(org: ProbedOrg) -> Observed:
    page = org.results(org.empty_job.id)
    declared = page.headers.get("Sforce-NumberOfRecords")
    good = declared == "0" and len(page.rows) <= 1 and page.locator in {None, "", NONE}
    return observed(good, f"{declared} rows declared, {len(page.body)} bytes, locator {page.locator!r}")
