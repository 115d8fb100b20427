"""What the demo shows: steps with a bar on a terminal, plain lines elsewhere, and the table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

HEADINGS = ("object", "rows in the org", "rows in PostgreSQL", "equal", "rows/s", "API calls")
PIPED_WIDTH = 120  # names must not be cut where nobody can widen the window
WORDS = {"object", "equal"}  # columns that hold words, not numbers


@dataclass(frozen=True, slots=True)
class Comparison:
    """The org and PostgreSQL, side by side."""

    object: str
    in_org: int
    in_database: int
    rows_per_second: int
    api_calls: int

    @property
    def is_equal(self) -> bool:
        return self.in_org == self.in_database


@dataclass(slots=True)
class Step:
    """A step that goes on: its sentence, which may say more at the end, and where its progress is shown."""

    text: str
    rows: Callable[[int, int], None]


class Screen:
    """Standard output for what happens, standard error for what went wrong."""

    def __init__(self) -> None:
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)

    def say(self, text: str = "") -> None:
        self._out.print(text)

    def complain(self, text: str) -> None:
        self._err.print(f"sf-sync demo: {text}", style="red")

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """Show a step while the block runs, and its sentence with the time that it took when it has succeeded."""
        started = time.monotonic()
        if self._out.is_terminal:
            description, count = TextColumn("{task.description}"), TextColumn("{task.fields[count]}")
            columns = (SpinnerColumn(), description, BarColumn(), count, TimeElapsedColumn())
            with Progress(*columns, console=self._out, transient=True) as bars:
                task = bars.add_task(text, total=None, count="")
                step = Step(text, partial(_show_rows, bars, task))
                yield step
        else:
            step = Step(text, lambda rows, total: None)
            yield step
        self.say(f"{step.text} ({time.monotonic() - started:.1f} s)")

    def table(self, rows: Sequence[Comparison]) -> None:
        """The result of the demo."""
        table = Table()
        for heading in HEADINGS:
            table.add_column(
                heading, justify="left" if heading in WORDS else "right", no_wrap=heading == "object"
            )
        for row in rows:
            table.add_row(
                row.object,
                f"{row.in_org:,}",
                f"{row.in_database:,}",
                "yes" if row.is_equal else "NO",
                f"{row.rows_per_second:,}",
                f"{row.api_calls:,}",
                style=None if row.is_equal else "red",
            )
        self._out.print(table)


def _show_rows(bars: Progress, task: TaskID, rows: int, total: int) -> None:
    bars.update(task, completed=rows, total=total, count=f"{rows:,} of {total:,}")


class _Lasting:
    """A stream whose reader may go away, as a closed terminal does: then nobody reads, and the clean-up goes on."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _console(stream: IO[str]) -> Console:
    width = None if stream.isatty() else PIPED_WIDTH
    return Console(
        file=cast("IO[str]", _Lasting(stream)), highlight=False, markup=False, soft_wrap=True, width=width
    )
