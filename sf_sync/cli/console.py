"""Where the command speaks: results on stdout, progress and complaints on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

FAILED, INTERRUPTED = 1, 130

PIPED_WIDTH = 240  # a table that is read by a program or a pager must not be folded to 80

out = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = Console(stderr=True)


def table(*columns: str) -> Table:
    """A table with little around the words."""
    return Table(*columns, box=SIMPLE_HEAD, pad_edge=False)


def complain(sentence: str) -> None:
    """Say on stderr what went wrong."""
    err.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)


def complain_of(name: str, error: Exception) -> None:
    """Say on stderr what went wrong with an object, naming it once."""
    sentence = str(error)
    complain(sentence if sentence.startswith(f"{name}: ") else f"{name}: {sentence}")


def say_skipped(name: str, reason: object) -> None:
    """Say on stderr that an object was left out, and why."""
    err.print(f"{name}: skipped, {reason}", style="yellow", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(name: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal; elsewhere nothing. Yields what to call with (rows, expected rows)."""
    if quiet or not err.is_terminal:
        yield lambda rows, expected: None
        return
    text = TextColumn("{task.description}")
    columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task(name, total=None)
        yield lambda rows, expected: bars.update(task, completed=rows, total=expected)
