"""A CONNECT proxy whose every tunnel ends at one local port: it leads unmodified clients to the local org."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

PIECE = 65_536


class Tunnel:
    """Listens while the `with` block lasts; `hosts` are those that were asked for."""

    def __init__(self, port: int) -> None:
        """Lead everything to this port."""
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.hosts: set[str] = set()

    def __enter__(self) -> Tunnel:
        """Listen."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(PIECE)
            if not piece:
                return
            head += piece
        self.hosts.add(head.split()[1].decode().rpartition(":")[0])
        org = socket.create_connection(("127.0.0.1", self._port))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=_copy, args=(client, org), daemon=True).start()
        _copy(org, client)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(PIECE):
            target.sendall(piece)
    except OSError:
        pass
    finally:
        source.close()
        target.close()
