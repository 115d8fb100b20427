"""What the commands that read some fields say of it."""

from __future__ import annotations

import json

import typer

from sf_sync.cli.console import out, say_skipped
from sf_sync.mirror.partial.partial_reading import PartialReport

OUTCOMES = ("refreshed", "unchanged", "missed", "stale", "duplicate", "rejected")
SHOWN = 10  # fields


def say(report: PartialReport, *, as_json: bool) -> None:
    """One line of numbers, and one for each thing that a person should know."""
    if as_json:
        typer.echo(json.dumps(report.to_json()))
        return
    if report.skipped:
        say_skipped(report.object, report.skipped)
        return
    if report.readings:
        _say_numbers(report)
    for note in report.notes:
        out.print(f"{report.object}: {note}", markup=False, highlight=False, soft_wrap=True)


def _say_numbers(report: PartialReport) -> None:
    counts = report.counts
    parts = [f"{getattr(counts, name):,} {name}" for name in OUTCOMES if getattr(counts, name)]
    lines = [
        f"{report.object}: {counts.read:,} rows read"
        + (f" ({', '.join(parts)})" if parts else "")
        + f", {report.api_calls} API calls"
    ]
    if report.changed:
        most = list(report.changed.items())
        named = ", ".join(f"{field} {values:,}" for field, values in most[:SHOWN])
        more = f" and {len(most) - SHOWN} fields more" if len(most) > SHOWN else ""
        lines.append(f"  values written: {named}{more}")
    if report.replaced_read_at:
        lines.append(
            f"  the oldest row written had been read at {report.replaced_read_at:%Y-%m-%d %H:%M} UTC"
        )
    if counts.missed:
        lines.append(f"  {counts.missed:,} rows that the mirror should have had were read whole")
    if report.rejected_cells:
        lines.append(
            f"  {report.rejected_cells:,} cells had no value of their type; their text is in sync.rejected_cells"
        )
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
