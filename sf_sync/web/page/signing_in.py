"""Signing in with a name and its secret, and out."""

from __future__ import annotations

import asyncio

import structlog
from starlette.requests import Request
from starlette.responses import Response

from sf_sync.web.page.desk import Desk, Visit, to
from sf_sync.web.page.posted import Refused, read_form
from sf_sync.web.page.sessions import COOKIE, LASTS_S
from sf_sync.web.page.tries import Tries
from sf_sync.web.people import Person

WRONG = "That name and secret don't belong together. Check both; an administrator can give you a new secret."
BUSY = "Too many wrong tries at the moment. Try again in a minute."

log = structlog.stdlib.get_logger(__name__)


class SigningIn:
    """The way in."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tries = Tries()

    async def ask(self, request: Request) -> Response:
        """The form."""
        if not self._desk.parts.people.may_operate:
            return self._desk.nobody()
        goes_to = local_path(request.query_params.get("to", ""))
        if self._desk.session_of(request) is not None:
            return to(goes_to)
        return self._form(goes_to)

    async def sign_in(self, request: Request) -> Response:
        """Begin a session, or say that it is wrong."""
        if not self._desk.parts.people.may_operate:
            return self._desk.nobody()
        try:
            form = await read_form(request)
        except Refused as refused:
            return self._desk.says(None, "You are not signed in", str(refused), refused.status)
        goes_to = local_path(form.one("to"))
        person = self._known(form.one("name"), form.one("secret"))
        address = request.client.host if request.client else ""
        if person is None:
            return await self._wrong(address, goes_to)
        self._tries.right(address)
        log.info("signed in", person=person.name, role=person.role)
        answer = to(goes_to)
        answer.set_cookie(
            COOKIE,
            self._desk.sessions.begin(person),
            max_age=LASTS_S,
            httponly=True,
            samesite="strict",
            secure=_is_https(request),
        )
        return answer

    def sign_out(self, visit: Visit) -> Response:
        """End the session in this browser."""
        answer = to("/sign-in")
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_is_https(visit.request))
        log.info("signed out", person=visit.person.name)
        return answer

    def _known(self, name: str, secret: str) -> Person | None:
        people = self._desk.parts.people
        person = people.by_secret(secret.strip().encode("utf-8", "replace"), name.strip())
        return person if person is not None and people.may(person, "operator") else None

    async def _wrong(self, address: str, goes_to: str) -> Response:
        log.warning("a wrong try to sign in", address=address)
        seconds = self._tries.wrong(address)
        if self._tries.full:
            return self._form(goes_to, BUSY, 429)
        self._tries.waiting += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._tries.waiting -= 1
        return self._form(goes_to, WRONG, 403)

    def _form(self, goes_to: str, problem: str | None = None, status: int = 200) -> Response:
        return self._desk.renderer.page(
            "sign_in.html", status, session=None, problem=problem, goes_to=goes_to, hours=LASTS_S // 3600
        )


def local_path(given: str) -> str:
    """A path of this page to go on at; the overview where what is given is none."""
    if given == "/records" or given.startswith(("/records?", "/records/", "/?")):
        return given if given.isprintable() and "\\" not in given else "/"
    return "/"


def _is_https(request: Request) -> bool:
    """Whether the browser came by https; a proxy in front of us says so in a header."""
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return "https" in {request.url.scheme, forwarded}
