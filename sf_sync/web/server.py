"""The application on an address."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from sf_sync.settings import SettingsError, is_loopback
from sf_sync.web.keys import Keys
from sf_sync.web.protocol import BoundedProtocol

DRAIN_S = 30
BACKLOG = 1_024


def listen(host: str, port: int, keys: Keys) -> socket.socket:
    """A listening socket.

    Raises SettingsError where it can't be had, and where others could reach it and no keys are configured.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        if not keys and not is_loopback(str(address[0])):
            raise SettingsError(
                f"{host} can be reached by others, and no keys are configured; set SF_SYNC_INTAKE_KEYS_FILE "
                "(docs/intake.md), or listen on 127.0.0.1"
            )
        # asyncio switches Nagle's delay off only where the protocol is named.
        sock = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        raise SettingsError(f"can't listen on {host} port {port}: {error.strerror or error}") from None
    return sock


def address_of(sock: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(app: FastAPI) -> uvicorn.Server:
    """A server for the application. Ctrl-C ends it once what is in hand is answered, a second one at once."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="critical",  # its own lines hold messages of errors, and these can hold values
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=DRAIN_S,
        )
    )
