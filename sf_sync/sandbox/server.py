"""The local org as a running server: HTTP on a port of 127.0.0.1, HTTPS with an authority of its own where wanted."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from socket import socket
from types import TracebackType

from uvicorn import Server

from . import schema, tls
from .app import App
from .clock import Clock
from .control import Control
from .org import Options, Org
from .seed import pima
from .seed.build import Sizes, build
from .serving import listen, make_server, serving

# Above the org's own limit, so that the org refuses long requests in its own words.
LARGEST_HEAD = 262_144


def make_org(
    sizes: Sizes,
    options: Options,
    now: datetime | None = None,
    seeded_at: datetime | None = None,
    with_pima: bool = False,
) -> Org:
    """A new org with records generated as of `seeded_at` (default: its clock's now), and PIMA's where asked for."""
    clock = Clock(now)
    kinds = {kind.name: kind for kind in map(schema.load, schema.names())}
    moment = seeded_at.timestamp() if seeded_at else clock.seconds()
    tables = build(kinds, sizes, moment)
    if with_pima:
        kinds |= {kind.name: kind for kind in map(schema.load, schema.names(pima=True))}
        tables = pima.tables(kinds, tables, moment)
    return Org(clock, kinds, tables, options)


class LocalOrg:
    """An org that listens while the `with` block lasts.

    `url` and `https_url` are its addresses, `ca_file` the authority to trust, `control` what a test may do to it.
    """

    def __init__(
        self,
        contacts: int = 0,
        days: int = 30,
        seed: int = 1,
        *,
        accounts: int = 0,
        users: int = 0,
        leads: int = 0,
        tasks: int = 0,
        events: int = 0,
        relations: int = 0,
        products: int = 0,
        https: bool = False,
        port: int = 0,
        https_port: int = 0,
        tls_dir: Path | str | None = None,
        host_names: Sequence[str] = (),
        now: datetime | None = None,
        seeded_at: datetime | None = None,
        job_seconds: float = 0.0,
        page_rows: int = 50_000,
        session_seconds: float = 7200.0,
        limits: Mapping[str, int] | None = None,
        password_grant: bool = False,
        pima: bool = False,
    ) -> None:
        """Generate the records; nothing listens yet. With `pima` the org has PIMA's objects and a small seed."""
        sizes = Sizes(contacts, accounts, users, leads, tasks, events, relations, products, days, seed)
        options = Options(job_seconds, page_rows, session_seconds, limits or {})
        self.org = make_org(sizes, options, now, seeded_at, with_pima=pima)
        self.org.auth.password_grant = password_grant
        self.control = Control(self.org)
        self.url = ""
        self.https_url = ""
        self.ca_file = ""
        self._https = https
        self._ports = (port, https_port)
        self._tls_dir = tls_dir
        self._host_names = tuple(host_names)
        self._resources = ExitStack()

    @property
    def client_id(self) -> str:
        """The consumer key of the org's app."""
        return self.org.auth.app.client_id

    @property
    def client_secret(self) -> str:
        """The consumer secret of the org's app."""
        return self.org.auth.app.client_secret

    @property
    def username(self) -> str:
        """The integration user, for clients that sign in with a password."""
        return str(self.control.truth("User", ["Username"])[0]["Username"])

    @property
    def password(self) -> str:
        """The integration user's password, without the security token."""
        return self.org.auth.password

    @property
    def security_token(self) -> str:
        """What follows the password at a sign-in."""
        return self.org.auth.security_token

    @property
    def control_token(self) -> str:
        """What `X-Control-Token` must be."""
        return self.org.control_token

    @property
    def access(self) -> dict[str, str | None]:
        """Where it is and how one signs in, as a state file says it."""
        return {
            "http": self.url,
            "https": self.https_url or None,
            "ca": self.ca_file or None,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "username": self.username,
            "password": self.password,
            "security_token": self.security_token,
            "control_token": self.control_token,
        }

    def truth(
        self, object: str, fields: list[str] | None = None, include_deleted: bool = True
    ) -> list[dict[str, object]]:
        """The records as they are now, as typed Python values."""
        return self.control.truth(object, fields, include_deleted)

    def __enter__(self) -> LocalOrg:
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
        plain = self._resources.enter_context(listen(self._ports[0]))
        self.url = f"http://127.0.0.1:{plain.getsockname()[1]}"
        bases = {"http": self.url}
        faces: dict[socket, tls.Certificates | None] = {plain: None}
        if self._https:
            folder = self._tls_dir or self._resources.enter_context(
                tempfile.TemporaryDirectory(prefix="local-org-")
            )
            certificates = tls.make(Path(folder), self._host_names)
            secure = self._resources.enter_context(listen(self._ports[1]))
            self.https_url = bases["https"] = f"https://127.0.0.1:{secure.getsockname()[1]}"
            self.ca_file = str(certificates.ca)
            faces[secure] = certificates
        app = App(self.org, bases)
        servers = {sock: _server(app, certificates) for sock, certificates in faces.items()}
        self._resources.enter_context(serving("local org", servers))

    def stop(self) -> None:
        """Stop listening; open downloads are broken off."""
        self.control.stop_changes()
        self._resources.close()


def _server(app: App, certificates: tls.Certificates | None) -> Server:
    return make_server(
        app,
        timeout_keep_alive=60,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        ssl_certfile=str(certificates.certificate) if certificates else None,
        ssl_keyfile=str(certificates.key) if certificates else None,
    )
