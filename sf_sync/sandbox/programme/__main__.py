"""`python -m sf_sync.sandbox.programme`: play a week of a coffee programme, then a form every few seconds.

A local CommCare project space forwards what phones submit; callouts of Salesforce are posted beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import requests

from sf_sync.sandbox.commcare.server import LocalCommCare
from sf_sync.sandbox.private_file import write_state

from .submission import Document
from .week import Arrival, today, week

RETRY_S = 2.0  # a demo has no hours to wait
TRIES = 60
POST_TIMEOUT_S = 30.0


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sf_sync.sandbox.programme", description=__doc__)
    parser.add_argument("--forms-to", required=True, metavar="URL", help="where forms are forwarded to")
    parser.add_argument("--callouts-to", required=True, metavar="URL", help="where Salesforce calls out to")
    parser.add_argument(
        "--key-variable",
        default=None,
        metavar="NAME",
        help="the variable with the key of both addresses, which is sent as X-API-Key",
    )
    parser.add_argument(
        "--state-file", type=Path, required=True, help="where CommCare's address and credentials are written"
    )
    parser.add_argument("--start-file", type=Path, default=None, help="begin only once this file is there")
    parser.add_argument(
        "--until",
        type=datetime.fromisoformat,
        default=None,
        help="the moment before which the week lies (default: now)",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between what arrives in the week")
    parser.add_argument("--every", type=float, default=20.0, help="seconds between forms after the week")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Play until SIGTERM or SIGINT."""
    arguments = _arguments(given)
    key = os.environ[arguments.key_variable] if arguments.key_variable else None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with LocalCommCare() as commcare:
        commcare.forward_to(
            arguments.forms_to,
            key,
            refused_waits_s=[RETRY_S] * TRIES,
            unreachable_waits_s=[RETRY_S] * TRIES,
        )
        write_state(arguments.state_file, commcare.access)
        print(f"local CommCare: {commcare.url}/a/{commcare.domain}/", flush=True)
        while arguments.start_file is not None and not arguments.start_file.exists():
            if stop.wait(0.1):
                return 0
        _play(commcare, arguments, key, stop)
        stop.wait()
    return 0


def _play(
    commcare: LocalCommCare, arguments: argparse.Namespace, key: str | None, stop: threading.Event
) -> None:
    until = arguments.until or datetime.now(UTC)
    for arrival in week(until, arguments.seed):
        _arrive(commcare, arrival, arguments.callouts_to, key)
        if stop.wait(arguments.pause):
            return
    random = Random()  # noqa: S311 - a play, no secret
    while not stop.wait(arguments.every):
        _arrive(commcare, today(until, arguments.seed, random), arguments.callouts_to, key)


def _arrive(commcare: LocalCommCare, arrival: Arrival, callouts_to: str, key: str | None) -> None:
    if arrival.kind == "form":
        commcare.clock.freeze(datetime.fromisoformat(arrival.document["received_on"]))
        commcare.submit(arrival.document)
    else:
        _call_out(callouts_to, arrival.document, key)


def _call_out(url: str, document: Document, key: str | None) -> None:
    """Post as a trigger of Salesforce does, which looks at nothing but the status."""
    with requests.Session() as http:
        http.trust_env = False
        answer = http.post(
            url,
            data=json.dumps(document).encode(),
            headers={"Content-Type": "application/json", **({"X-API-Key": key} if key else {})},
            timeout=POST_TIMEOUT_S,
        )
    if not answer.ok:
        print(f"{url} answered {answer.status_code} to a callout", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
