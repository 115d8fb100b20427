"""What the demo shows: steps with a bar on a terminal, plain lines elsewhere, and the table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


class _Console(Console):
    """A console whose terminal may be gone: then nobody reads, and the clean-up goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row of the table."""

    object: str
    in_org: int
    in_database: int
    rows_per_second: int
    api_calls: int

    @property
    def is_equal(self) -> bool:
        return self.in_org == self.in_database


class Step:
    """A step that goes on. Its sentence may say more at the end than at the start."""

    def __init__(self, text: str, on_rows: Callable[[int, int], None]) -> None:
        self.text = text
        self.rows = on_rows


class Screen:
    """Standard output for what happens, standard error for what went wrong."""

    def __init__(self) -> None:
        self._out = _Console(highlight=False, markup=False, soft_wrap=True)
        self._err = _Console(highlight=False, markup=False, soft_wrap=True, stderr=True)

    def say(self, text: str) -> None:
        """A line, where anyone still reads."""
        try:
            self._out.print(text)
        except OSError:
            self._out.quiet = True

    def complain(self, text: str) -> None:
        """A line about a failure."""
        try:
            self._err.print(f"sf-sync demo: {text}", style="red")
        except OSError:
            self._err.quiet = True

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """Show a step while the block runs, and a line with its time when it has succeeded."""
        started = time.monotonic()
        if self._out.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            with Progress(*columns, TimeElapsedColumn(), console=self._out, transient=True) as bars:
                task = bars.add_task(text, total=None)
                step = Step(text, lambda rows, total: bars.update(task, completed=rows, total=total))
                yield step
        else:
            step = Step(text, lambda rows, total: None)
            yield step
        self.say(f"{step.text} ({time.monotonic() - started:.1f} s)")

    def table(self, rows: list[Comparison]) -> None:
        """The org and PostgreSQL, side by side."""
        table = Table()
        for heading in ("object", "rows in the org", "rows in PostgreSQL", "equal", "rows/s", "API calls"):
            table.add_column(heading, justify="left" if heading in {"object", "equal"} else "right")
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
