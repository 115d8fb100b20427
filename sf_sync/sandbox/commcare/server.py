"""The local project space as a running server on a port of 127.0.0.1."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType

import uvicorn

from sf_sync.sandbox.clock import Clock

from . import control
from .access import Account
from .app import App, LoggedCall
from .cases import Case
from .faults import Faults
from .forwarding import REFUSED_WAITS_S, UNREACHABLE_WAITS_S, Forwarder
from .space import Document, ProjectSpace, Received, content_of

START_SECONDS = 30
STOP_SECONDS = 10


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
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

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
        # asyncio switches Nagle's delay off only where the protocol is named; with it a small answer takes 40 ms.
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self._port))
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        config = uvicorn.Config(
            self._app,
            log_level="critical",
            access_log=False,
            date_header=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            http="h11",
        )
        server = self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: server.run(sockets=[sock]), name="local-commcare", daemon=True
        )
        self._thread.start()
        pause, waited = threading.Event(), 0.0
        while not server.started:
            if waited > START_SECONDS or not self._thread.is_alive():
                raise RuntimeError("the local project space did not start")
            pause.wait(0.005)
            waited += 0.005

    def stop(self) -> None:
        """Stop listening and forwarding."""
        for forwarder in self.forwarders:
            forwarder.stop()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
