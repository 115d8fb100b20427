"""What a request is for, from its method and address: the names under which usage is counted."""

from __future__ import annotations

import re

CREATE_JOB = "create job"
RESULT_PAGE = "result page"
COUNT = "count"
OTHER = "other"

# (method, path below /services/data/vXX.X, name); the first that matches.
OPERATIONS = tuple(
    (method, re.compile(pattern), name)
    for method, pattern, name in (
        ("GET", r"/query(All)?/?$", "query"),
        ("GET", r"/query(All)?/", "query more"),
        ("GET", r"/sobjects/\w+/describe/?$", "describe"),
        ("GET", r"/sobjects/\w+/deleted/?$", "deleted list"),
        ("GET", r"/sobjects/\w+/updated/?$", "updated list"),
        ("GET", r"/sobjects/?$", "list objects"),
        ("GET", r"/sobjects/", "record"),
        ("POST", r"/jobs/query/?$", CREATE_JOB),
        ("GET", r"/jobs/query/\w+/?$", "poll job"),
        ("GET", r"/jobs/query/\w+/results/?$", RESULT_PAGE),
        ("GET", r"/jobs/query/\w+/resultPages", "list result pages"),
        ("PATCH", r"/jobs/query/\w+$", "abort job"),
        ("DELETE", r"/jobs/query/\w+$", "delete job"),
        ("POST", r"/composite/?$", "composite"),
        ("PATCH", r"/composite/sobjects/\w+/\w+$", "upsert"),
        ("PATCH", r"/composite/sobjects$", "update"),
        ("DELETE", r"/composite/sobjects$", "delete"),
        ("GET", r"/limits/?$", "limits"),
    )
)
VERSION = re.compile(r"^/services/data/v\d+\.\d+")


def below_version(path: str) -> str:
    """A path without its API version."""
    return VERSION.sub("", path)


def operation_of(method: str, path: str, statement: str = "") -> str:
    """The name of what a request does; `statement` is the query that it carries, by which counts are known."""
    below = below_version(path)
    name = next(
        (name for verb, pattern, name in OPERATIONS if verb == method and pattern.match(below)), OTHER
    )
    return COUNT if name == "query" and statement.upper().startswith("SELECT COUNT()") else name
