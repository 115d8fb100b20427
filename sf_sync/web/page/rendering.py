"""Templates into answers, with headers that keep browsers from caching, framing and running anything else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from sf_sync.web.page import files, words

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

LONGEST_TEXT = 500  # of one value on a page, unless a template says otherwise

# Characters that turn the direction of what follows, or that nobody sees.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def visible(text: str) -> str:
    """A text whose control characters, also those of direction, are written out."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def short(text: str, most: int = LONGEST_TEXT) -> str:
    """The beginning of a text."""
    return text if len(text) <= most else f"{text[:most]} …"


def moment(at: datetime, now: datetime) -> Markup:
    """A time in UTC, and how long ago that was or how soon it is."""
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} <span class="ago">{}</span></time>').format(
        at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S}", words.ago(at, now)
    )


class Renderer:
    """The page's templates."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_finalized,
        )
        self._templates.filters |= {"short": short, "number": "{:,}".format}
        self._templates.globals |= {
            "moment": moment,
            "ago": words.ago,
            "status": words.status,
            "reason": words.reason,
            "class_of": words.class_of,
            "query": _query,
            "files": {name: files.address(name) for name in files.FILES},
        }

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """The answer that a template gives."""
        text = self._templates.get_template(template).render(now=datetime.now(UTC), **values)
        return HTMLResponse(text.encode("utf-8", "replace"), status, dict(HEADERS))


def _finalized(value: Any) -> Any:
    if value is None:
        return ""
    return visible(value) if type(value) is str else value


def _query(path: str, **given: Any) -> Markup:
    """A path with what is given as its query."""
    said = {name: value for name, value in given.items() if value not in (None, "")}
    return escape(f"{path}?{urlencode(said)}" if said else path)
