"""What all pages share: who is signed in, forms that are really ours, a bounded look at the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sf_sync.store.database import DatabaseError
from sf_sync.web.page.posted import Posted, Refused, read_form
from sf_sync.web.page.rendering import HEADERS, Renderer
from sf_sync.web.page.sessions import COOKIE, Session, Sessions
from sf_sync.web.people import NOBODY, Person

if TYPE_CHECKING:
    from sf_sync.web.app import Parts

Connection = psycopg.Connection[Any]

PAGES_AT_ONCE = 8
PATIENCE_MS = 8_000


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is signed in; `form` is empty unless one was sent."""

    request: Request
    session: Session
    form: Posted

    @property
    def person(self) -> Person:
        return self.session.person

    def asked(self, name: str) -> str:
        """A parameter of the address, empty where there is none."""
        return self.request.query_params.get(name, "")


class Desk:
    """Opens the door to the pages of one application."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.connection_name = parts.connection_name
        self.sessions = Sessions(parts.people)
        self.renderer = Renderer()
        self._room = asyncio.Semaphore(PAGES_AT_ONCE)

    @property
    def sources(self) -> tuple[str, ...]:
        """Where records come from."""
        return tuple(sorted({*self.parts.registries, "commcare", "salesforce"}))

    def session_of(self, request: Request) -> Session | None:
        """Who is signed in, None where nobody is."""
        return self.sessions.read(request.cookies.get(COOKIE, ""))

    def shown(self, show: Callable[[Visit], Response]) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint for those who are signed in; it runs in a thread that the intake doesn't need."""

        async def answer(request: Request) -> Response:
            if not self.parts.people.may_operate:
                return self.nobody()
            session = self.session_of(request)
            try:
                if session is None:
                    return _to_sign_in(request)
                form = Posted({})
                if request.method == "POST":
                    form = await read_form(request)
                    if not session.sent_this(form.one("csrf")):
                        raise Refused(
                            "This form is older than your session. Open the page anew and try again.", 403
                        )
                async with self._room:
                    return await run_in_threadpool(show, Visit(request, session, form))
            except Refused as refused:
                return self.says(session, "That was not done", str(refused), refused.status)
            except psycopg.errors.QueryCanceled:
                return self.says(
                    session,
                    "That takes too long",
                    "There is too much to look through. Narrow it: fewer days, a form type or a status.",
                    503,
                )
            except (DatabaseError, psycopg.OperationalError, psycopg.InterfaceError):
                return self.says(
                    session,
                    "The database does not answer",
                    "Try again in a minute. If it goes on, `sf-sync doctor` says why.",
                    503,
                )

        return answer

    def page(self, visit: Visit, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page for somebody who is signed in."""
        return self.renderer.page(template, status, session=visit.session, **values)

    def says(self, session: Session | None, title: str, text: str, status: int) -> HTMLResponse:
        """A page that says one thing."""
        return self.renderer.page("says.html", status, session=session, title=title, text=text)

    def nobody(self) -> HTMLResponse:
        """What is said where no operator is configured."""
        return self.renderer.page("nobody.html", 403, session=None, text=NOBODY)

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """A session with the database in which no statement takes long or works side by side. Raises DatabaseError."""
        with self.parts.database.connect("page", autocommit=True) as connection:
            connection.execute(f"set statement_timeout = {PATIENCE_MS:d}")
            connection.execute("set max_parallel_workers_per_gather = 0")
            yield connection


def to(path: str) -> RedirectResponse:
    """Go on at another page."""
    return RedirectResponse(path, 303, dict(HEADERS))


def _to_sign_in(request: Request) -> Response:
    if request.method == "POST":
        raise Refused("You are signed out. Sign in and try again.", 403)
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return to("/sign-in" if asked == "/" else f"/sign-in?to={quote(asked, safe='')}")
