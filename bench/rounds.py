"""Measurements that took turns: the median of each beside that of the first, the reference."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Rounds:
    """Seconds of each thing measured, in the order in which they were first measured."""

    title: str
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure the block as one round of `name`."""
        started = time.perf_counter()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - started)

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])

    def show(self, rows: int) -> None:
        """A line for each: median, rows a second, ratio to the reference where there is one, every round."""
        print(f"{self.title}, {rows:,} rows")
        base = self.median(next(iter(self.seconds)))
        for name, each in self.seconds.items():
            median = self.median(name)
            beside = f"× {median / base:.2f}" if len(self.seconds) > 1 else ""
            spread = " ".join(f"{value:.2f}" for value in each)
            print(
                f"  {name:18} {median:7.2f} s {rows / median:10,.0f} rows/s  {beside:6}  ({spread})",
                flush=True,
            )
