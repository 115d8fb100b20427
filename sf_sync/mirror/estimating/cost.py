"""What reading a part takes of the org's requests: the one place that reckons it, before and while reading."""

from __future__ import annotations

from sf_sync.mirror.ledger import Part

PAGES_AN_ANSWER = 5  # of resultPages
CALLS_BESIDE = 2  # a part: the describe, and the counts with which parts are found


def extract_calls(part: Part, api: str, *, polls: int, page_rows: int, rest_rows: int) -> int:
    """The calls of one extract: pages, and for a job its making, its polls and the lists of its pages."""
    rows = part.expected or 0
    if api == "rest":
        return max(1, -(-rows // rest_rows))
    pages = max(1, -(-rows // page_rows))
    lists = -(-pages // PAGES_AN_ANSWER) if pages > 1 else 0
    return 1 + polls + lists + pages
