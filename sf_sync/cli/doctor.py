"""`sf-sync doctor`: what works, what doesn't, and what to do about it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated

import typer

from sf_sync.cli.console import FAILED, out
from sf_sync.doctor.examine import examine
from sf_sync.doctor.finding import Finding

SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


def doctor(
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Check the facts of docs/assumptions.md too: about 80 requests, 2 jobs."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Look at everything that sf_sync needs. Changes nothing. Exit code 1 when something failed."""
    marks: Counter[str] = Counter()
    for finding in examine(probe=probe):
        marks[finding.mark] += 1
        if as_json:
            typer.echo(json.dumps(finding.to_json(), ensure_ascii=False))
        else:
            _say(finding)
    if not as_json:
        counted = f"{marks['ok']} ok, {marks['warning']} warnings, {marks['failed']} failed"
        out.print(counted, highlight=False)
    if marks["failed"]:
        raise typer.Exit(FAILED)


def _say(finding: Finding) -> None:
    sign, style = SIGNS[finding.mark]
    line = f"{sign} {finding.looked_at}: {finding.found}"
    out.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
    if finding.remedy is not None:
        out.print(f"    → {finding.remedy}", markup=False, highlight=False, soft_wrap=True)
