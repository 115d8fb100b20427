"""Names are an interface: what Dagster sees changes only on purpose.

After a change that is meant, run this file once with WRITE_SNAPSHOT=1.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sf_sync.definitions import gather
from sf_sync.settings import Settings

SNAPSHOT = Path(__file__).with_name("definitions.snapshot.txt")
PIMA_SNAPSHOT = Path(__file__).with_name("definitions_of_pima.snapshot.txt")


def test_what_dagster_sees_is_what_was_agreed() -> None:
    _compare(_lines(), SNAPSHOT)


def test_what_pima_adds_is_what_was_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    without = set(_lines())
    monkeypatch.setenv("SF_SYNC_PIMA", "true")
    _compare([line for line in _lines() if line not in without], PIMA_SNAPSHOT)


def _compare(lines: list[str], snapshot: Path) -> None:
    seen = "\n".join(lines) + "\n"
    if os.environ.get("WRITE_SNAPSHOT"):
        snapshot.write_text(seen)
    assert seen == snapshot.read_text()


def _lines() -> list[str]:
    defs = gather(Settings.load())
    graph = defs.resolve_asset_graph()
    lines = []
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        parents = ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys)) or "the org"
        kind = "daily, one run a range" if node.partitions_def else "whole"
        lines.append(f"asset {key.to_user_string()} in {node.group_name}: {kind}; from {parents}")
        lines += [f"  check {check.name}" for check in sorted(node.check_keys, key=lambda one: one.name)]
    for kind, names in {
        "job": {job.name for job in defs.resolve_all_job_defs()},
        "schedule": {schedule.name for schedule in defs.schedules or ()},
        "sensor": {sensor.name for sensor in defs.sensors or ()},
    }.items():
        lines += [f"{kind} {name}" for name in sorted(names) if not name.startswith("__")]
    return lines
