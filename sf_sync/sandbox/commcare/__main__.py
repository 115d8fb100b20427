"""`python -m sf_sync.sandbox.commcare`: run a local project space until it is told to stop."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from pathlib import Path

from sf_sync.sandbox.private_file import write_state

from .forwarding import REFUSED_WAITS_S, UNREACHABLE_WAITS_S
from .server import LocalCommCare


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sf_sync.sandbox.commcare", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0: a free one)")
    parser.add_argument("--domain", default="pima-demo", help="name of the project space")
    parser.add_argument(
        "--state-file", type=Path, default=None, help="where address and credentials are written"
    )
    parser.add_argument("--forms", type=Path, default=None, help="a folder of forms as JSON to begin with")
    parser.add_argument(
        "--forward-to", default=None, metavar="URL", help="forward every form to this address"
    )
    parser.add_argument(
        "--forward-key-variable",
        default=None,
        metavar="NAME",
        help="the variable that holds the key to forward with; it is sent as X-API-Key",
    )
    parser.add_argument(
        "--retry-seconds",
        type=float,
        default=None,
        metavar="S",
        help="wait between tries to forward (default: one hour, then three times as long each time)",
    )
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Listen, say where, wait for SIGTERM or SIGINT."""
    arguments = _arguments(given)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with LocalCommCare(arguments.domain, port=arguments.port) as commcare:
        if arguments.forward_to is not None:
            _forward(commcare, arguments)
        for path in sorted(arguments.forms.glob("*.json")) if arguments.forms else []:
            commcare.submit(json.loads(path.read_bytes()))
        if arguments.state_file is not None:
            write_state(arguments.state_file, commcare.access)
        print(f"local CommCare: {commcare.url}/a/{commcare.domain}/", flush=True)
        stop.wait()
    return 0


def _forward(commcare: LocalCommCare, arguments: argparse.Namespace) -> None:
    variable, wait = arguments.forward_key_variable, arguments.retry_seconds
    commcare.forward_to(
        arguments.forward_to,
        os.environ[variable] if variable else None,
        refused_waits_s=REFUSED_WAITS_S if wait is None else [wait] * len(REFUSED_WAITS_S),
        unreachable_waits_s=UNREACHABLE_WAITS_S if wait is None else [wait] * len(UNREACHABLE_WAITS_S),
    )


if __name__ == "__main__":
    raise SystemExit(main())
