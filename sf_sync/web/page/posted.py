"""What a form sent: read within a bound, and only from a page of ours."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

MOST_BYTES = 64 * 1024
MOST_FIELDS = 500


class Refused(Exception):
    """A request is not carried out; the message says why and what to do. `status` is that of the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Posted:
    """The fields of a form."""

    fields: dict[str, list[str]]

    def one(self, name: str) -> str:
        """The value of a field, empty where there is none."""
        return self.fields.get(name, [""])[0]

    def every(self, name: str) -> list[str]:
        """All values of a field."""
        return self.fields.get(name, [])


async def read_form(request: Request) -> Posted:
    """The form that a request holds. Raises Refused."""
    _check_origin(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused("Expected a form of this page.", 415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Refused("That is more than a form of this page sends.", 413)
    try:
        return Posted(
            parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        )
    except ValueError:
        raise Refused("Expected a form of this page.") from None


def _check_origin(request: Request) -> None:
    """Browsers say where a form comes from; one of another site must not do anything here."""
    origin = request.headers.get("origin", "")
    if urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower() or not origin:
        raise Refused(
            "This request didn't come from a page of this site. Open the page anew and try again.", 403
        )
