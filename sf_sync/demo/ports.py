"""Ports of this machine that the demo's servers listen on."""

from __future__ import annotations

import socket

from sf_sync.demo.errors import DemoError

HOST = "127.0.0.1"


def free_port(usual: int) -> int:
    """The usual port, or any that is free where it is taken. Raises DemoError where none is."""
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoError(f"no port is free on {HOST}; end other programs")
