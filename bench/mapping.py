"""How many plans of each kind of form are made in a second of one core's time."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

from sf_sync.delivery.mapping.routing import Registry
from sf_sync.pima.folders import load_registry

SAMPLES = Path(__file__).parents[1] / "sf_sync_tests" / "samples" / "commcare"
SECONDS = 0.5


def main(rounds: int = 5) -> None:
    """Print the median of each form: the sample's plan is made over and over, without schema and network."""
    measure(load_registry("commcare"), rounds)


def measure(registry: Registry, rounds: int, seconds: float = SECONDS) -> None:
    """Every form that becomes a plan and is no edge case, for so many seconds of CPU a round."""
    print("plans of sample forms, per second of one core")
    expected = (SAMPLES / "expected").glob("*.expected.json")
    names = sorted(path.name.removesuffix(".expected.json") for path in expected)
    for name in (one for one in names if not one.startswith("edge_")):
        document = json.loads((SAMPLES / f"{name}.json").read_bytes())
        mapping = registry.route(document)[0]
        each = []
        for _ in range(rounds):
            plans = 0
            started = time.process_time()
            while (taken := time.process_time() - started) < seconds:
                mapping.plan(document)
                plans += 1
            each.append(plans / taken)
        spread = " ".join(f"{value:,.0f}" for value in each)
        operations = len(mapping.plan(document).operations)
        print(f"  {name:58} {operations:3} operations {statistics.median(each):7,.0f} plans/s  ({spread})")
