"""Applications on ports of 127.0.0.1, served by a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn

START_SECONDS = 30
STOP_SECONDS = 10
POLL_SECONDS = 0.005


def listen(port: int) -> socket.socket:
    """A socket that is bound to a port; 0: a free one. Raises OSError."""
    # asyncio switches Nagle's delay off only where the protocol is named; with it a small answer takes 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def make_server(app: Callable[..., Any], **more: Any) -> uvicorn.Server:
    """A server that says nothing of itself. `more` is what `uvicorn.Config` takes besides."""
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        date_header=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        # The other implementation lowers the names of headers; those on the other side write `Content-Type`.
        http="h11",
        **more,
    )
    return uvicorn.Server(config)


@contextmanager
def serving(name: str, servers: Mapping[socket.socket, uvicorn.Server]) -> Iterator[None]:
    """Answer on sockets while the block lasts; open downloads are broken off. Raises RuntimeError without a start."""

    async def serve() -> None:
        await asyncio.gather(*(server.serve(sockets=[sock]) for sock, server in servers.items()))

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name=name, daemon=True)
    thread.start()
    try:
        pause, waited = threading.Event(), 0.0
        while not all(server.started for server in servers.values()):
            if waited > START_SECONDS or not thread.is_alive():
                raise RuntimeError(f"the {name} did not start")
            pause.wait(POLL_SECONDS)
            waited += POLL_SECONDS
        yield
    finally:
        for server in servers.values():
            server.should_exit = True
        thread.join(STOP_SECONDS)
