"""Ids of records by a key field, asked of the org: hundreds of keys by one query, five queries by one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from sf_sync.salesforce import composite, rest, soql
from sf_sync.salesforce.composite import Asked
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.session import OrgSession

KEYS_OF_A_QUERY = 2_000  # as many rows as an answer has
# An org refuses requests with more than 16,384 characters of URL and headers; whether that holds for the URL of a
# subrequest is written nowhere (protocol page, sections 2.1 and 3.2).
URL_CHARACTERS = 15_500


class OrgLookup:
    """Asks the org. A value is compared without case, as the org does."""

    def __init__(self, session: OrgSession) -> None:
        self._session = session

    def find(self, object_name: str, field: str, values: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The ids of the records that have each value. Raises SalesforceError."""
        wanted = {value.casefold(): value for value in values}
        found: dict[str, list[str]] = {}
        asked = [
            Asked(_statement(object_name, field, part), "query", f"looking up {len(part)} {object_name}")
            for part in _parts(sorted(wanted.values()))
        ]
        for start in range(0, len(asked), composite.MOST_QUERIES):
            part = asked[start : start + composite.MOST_QUERIES]
            for one, page in zip(part, composite.queries(self._session, part), strict=True):
                for record in self._records(page, one.doing):
                    value = wanted.get(str(record[field]).casefold())
                    if value is not None:
                        found.setdefault(value, []).append(str(record["Id"]))
        return found

    def _records(self, page: rest.RestPage | SalesforceError, doing: str) -> Iterator[Mapping[str, object]]:
        if isinstance(page, SalesforceError):
            raise page
        yield from page.records
        while page.next_url is not None:
            page = rest.query_more(self._session, page.next_url, doing)
            yield from page.records


def _statement(object_name: str, field: str, values: Sequence[str]) -> str:
    return soql.select(["Id", field], object_name, f"{field} IN ({','.join(map(soql.literal, values))})")


def _parts(values: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    characters = 0
    for value in values:
        length = len(quote(f"{soql.literal(value)},"))
        if part and (len(part) == KEYS_OF_A_QUERY or characters + length > URL_CHARACTERS):
            yield part
            part, characters = [], 0
        part.append(value)
        characters += length
    if part:
        yield part
