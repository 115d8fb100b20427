"""Every request is counted under the name of what it does."""

from __future__ import annotations

import pytest

from sf_sync.salesforce.operations import operation_of

JOB = "/jobs/query/750R0000000zxr8IAA"


@pytest.mark.parametrize(
    ("method", "below", "name"),
    [
        ("GET", "/query", "query"),
        ("GET", "/queryAll", "query"),
        ("GET", "/query/0r8xx0000000001AAA-2000", "query more"),
        ("GET", "/sobjects/Contact/describe", "describe"),
        ("GET", "/sobjects/Contact/deleted/", "deleted list"),
        ("GET", "/sobjects", "list objects"),
        ("GET", "/sobjects/Contact/003000000000001AAA", "record"),
        ("POST", "/jobs/query", "create job"),
        ("GET", JOB, "poll job"),
        ("GET", f"{JOB}/results", "result page"),
        ("GET", f"{JOB}/resultPages", "list result pages"),
        ("PATCH", JOB, "abort job"),
        ("DELETE", JOB, "delete job"),
        ("POST", "/composite", "composite"),
        ("GET", "/limits", "limits"),
        ("GET", "/recent", "other"),
    ],
)
def test_a_request_is_named_by_its_method_and_address(method: str, below: str, name: str) -> None:
    assert operation_of(method, f"/services/data/v62.0{below}") == name


def test_a_count_is_told_from_a_query_by_its_statement() -> None:
    assert operation_of("GET", "/services/data/v62.0/queryAll", "SELECT COUNT() FROM Contact") == "count"
    assert operation_of("GET", "/services/data/v62.0/query", "SELECT Id FROM Contact") == "query"
