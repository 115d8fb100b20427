"""`make bench`: every measurement, or those named, one after the other."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable

from bench import delivery, follow, intake, mapping, memory, mirror, pages, profile, relations, visits

BENCHES: dict[str, Callable[..., None]] = {
    "mirror": mirror.main,
    "follow": follow.main,
    "relations": relations.main,
    "pages": pages.main,
    "memory": memory.main,
    "profile": profile.main,
    "mapping": mapping.main,
    "intake": intake.main,
    "delivery": delivery.main,
    "visits": visits.main,
}


def main() -> None:
    """Measure. Fewer rows and rounds are quicker, and say less."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument(
        "--rows", type=int, help="records in the org, instead of each measurement's own number"
    )
    parser.add_argument("--rounds", type=int, help="how often each side is measured")
    given = parser.parse_args()
    if unknown := set(given.names) - set(BENCHES):
        parser.error(f"no measurement named {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    said = {"rows": given.rows, "rounds": given.rounds}
    for name in given.names or BENCHES:
        takes = inspect.signature(BENCHES[name]).parameters
        BENCHES[name](**{word: said[word] for word in takes if said[word] is not None})


main()
