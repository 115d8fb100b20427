"""The demo's Dagster process: `python -m sf_sync.demo.worker RESULTS FIRST LAST OBJECT…` reads and builds.

In a process of its own, because Dagster takes over the signals of the one that it runs in.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TextIO

from sf_sync.definitions import defs
from sf_sync.defs.range_run import (
    RunResult,
    build_models,
    end_killed_runs,
    materialize_range,
    model_names,
    open_instance,
)


def main(results: Path, first: date, last: date, objects: list[str]) -> int:
    """Read the objects in one run and build all models in another; a line of JSON for each asset when it is done."""
    with open_instance() as instance, results.open("w", buffering=1) as file:
        end_killed_runs(instance)
        _write(file, materialize_range(defs, objects, first, last, instance))
        _write(file, build_models(defs, model_names(defs), instance))
    return 0


def _write(file: TextIO, results: list[RunResult]) -> None:
    file.writelines(json.dumps(asdict(result)) + "\n" for result in results)


if __name__ == "__main__":
    results, first, last, *objects = sys.argv[1:]
    sys.exit(main(Path(results), date.fromisoformat(first), date.fromisoformat(last), objects))
