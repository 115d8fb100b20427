"""`sf-sync worker`: deliver records within seconds of their arrival."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from sf_sync.cli.console import FAILED, complain, err, out
from sf_sync.delivery.worker import drain
from sf_sync.pima.assembly import open_worker
from sf_sync.settings import Settings


def worker(
    once: Annotated[bool, typer.Option("--once", help="Deliver what is due now, then end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: one JSON object of counts.")] = False,
) -> None:
    """Deliver records to Salesforce until Ctrl-C, which finishes the batch in hand. Several may run at once."""
    with _stopping() as stop, open_worker(Settings.load()) as opened:
        if not once:
            out.print(f"worker {opened.name} delivers; Ctrl-C ends it", highlight=False)
            opened.run(stop)
            return
        done = drain(opened, stop)
    if as_json:
        typer.echo(
            json.dumps({"planned": done.planned.records, "outcomes": done.outcomes, "down": done.down})
        )
    else:
        parts = [f"{number:,} {name}" for name, number in sorted(done.outcomes.items())]
        out.print(
            f"{done.planned.records:,} new records planned; deliveries: {', '.join(parts) or 'none were due'}",
            highlight=False,
        )
    if done.down is not None:
        complain(done.down)
        raise typer.Exit(FAILED)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (or a request to end) sets; the second one breaks off."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        err.print("finishing the batch in hand; once more to break off", highlight=False)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
