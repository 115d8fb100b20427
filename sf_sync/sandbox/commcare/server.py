"""The local project space as a running server on a port of 127.0.0.1."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType

from sf_sync.sandbox.clock import Clock
from sf_sync.sandbox.serving import listen, make_server, serving

from . import control
from .access import Account
from .app import App, LoggedCall
from .cases import Case
from .faults import Faults
from .forwarding import REFUSED_WAITS_S, UNREACHABLE_WAITS_S, Forwarder
from .space import Document, ProjectSpace, Received, content_of


class LocalCommCare:
    """A project space that listens while the `with` block lasts. Its state is kept in memory and dies with it.

    `url` is its address, `cases` and `forms` what it holds by id, `faults` what shall go wrong, `calls` what was asked,
    `forwarders` where forms are forwarded to.
    """

    def __init__(
        self,
        domain: str = "pima-demo",
        *,
        username: str = "api@example.org",
        password: str | None = None,
        api_key: str | None = None,
        port: int = 0,
        now: datetime | None = None,
    ) -> None:
        """An empty space; nothing listens yet. Credentials are made up where they are left out."""
        account = Account(username, password or secrets.token_hex(12), api_key or secrets.token_hex(20))
        self.url = ""
        self.clock = Clock(now)
        self.faults = Faults()
        self.space = ProjectSpace(domain, lambda: self.url, self.clock)
        self._account = account
        self.control_token = secrets.token_hex(20)
        self._app = App(self.space, account, self.faults, lambda call: control.answer(self, call))
        self._port = port
        self.forwarders: list[Forwarder] = []
        self._resources = ExitStack()

    @property
    def domain(self) -> str:
        """The name of the project space."""
        return self.space.domain

    @property
    def username(self) -> str:
        """The user of both kinds of credentials."""
        return self._account.username

    @property
    def password(self) -> str:
        """For Basic."""
        return self._account.password

    @property
    def api_key(self) -> str:
        """For `Authorization: ApiKey username:key`."""
        return self._account.api_key

    @property
    def access(self) -> dict[str, str | None]:
        """Where it is and how one signs in, as a state file says it."""
        return {
            "url": self.url,
            "domain": self.domain,
            "username": self.username,
            "password": self.password,
            "api_key": self.api_key,
            "control_token": self.control_token,
        }

    @property
    def cases(self) -> dict[str, Case]:
        """The state of every case, by id."""
        return self.space.cases

    @property
    def forms(self) -> dict[str, Document]:
        """Every processed form as a document of the list API, by id, in the order in which they came."""
        return self.space.forms

    @property
    def calls(self) -> list[LoggedCall]:
        """Every request that came, in order."""
        return self._app.calls

    def submit(self, document: Document) -> Received:
        """Take a form as if a phone had sent it: JSON as in the list API; the server's own stamps are made anew.

        Its id is that of the document, else `form.meta.instanceID`, else a new one. Under an id that is known, other
        content is an edit.
        """
        meta = document["form"].get("meta")
        given = document.get("id") or (meta.get("instanceID") if isinstance(meta, dict) else None)
        return self.space.take(str(given or secrets.token_hex(16)), document, content_of(document))

    def archive(self, form_id: str) -> None:
        """Archive a form, as a person does on CommCare's page."""
        self.space.archive(form_id)

    def forward_to(
        self,
        url: str,
        api_key: str | None = None,
        *,
        refused_waits_s: Sequence[float] = REFUSED_WAITS_S,
        unreachable_waits_s: Sequence[float] = UNREACHABLE_WAITS_S,
        shuffle_seed: int | None = None,
        twice: bool = False,
    ) -> Forwarder:
        """Forward every form from now on, those of the receiver too. See `Forwarder`."""
        forwarder = Forwarder(
            url,
            api_key,
            refused_waits_s=refused_waits_s,
            unreachable_waits_s=unreachable_waits_s,
            shuffle_seed=shuffle_seed,
            twice=twice,
        )
        self.forwarders.append(forwarder)
        self.space.listeners.append(forwarder.enqueue)
        return forwarder

    def __enter__(self) -> LocalCommCare:
        """Listen."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening."""
        self.stop()

    def start(self) -> None:
        """Listen, and return once requests are answered."""
        sock = self._resources.enter_context(listen(self._port))
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        self._resources.enter_context(serving("local CommCare", {sock: make_server(self._app)}))

    def stop(self) -> None:
        """Stop listening and forwarding."""
        for forwarder in self.forwarders:
            forwarder.stop()
        self._resources.close()
