"""Peak memory of the process that syncs, for ever larger orgs: it must not grow with the rows."""

from __future__ import annotations

import os
import subprocess
import sys

from bench.local import Place, local_place

SIZES = (60_000, 600_000, 2_000_000)

# Runs the command and then says what its own process took at most, in KiB. Linux counts into getrusage what the
# process that started it had taken.
PROGRAM = """
import atexit, pathlib, re, resource
def peak():
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
atexit.register(lambda: print(peak()))
from sf_sync.__main__ import main
main()
"""


def main(rows: int = SIZES[-1]) -> None:
    """Print a line for each size up to that many contacts."""
    print("Peak memory of a full load of contacts, all fields")
    for size in sorted({min(rows, size) for size in SIZES}):
        with local_place(contacts=size) as place:
            print(f"  {size:>9,} contacts {peak_mib(place):6.0f} MiB", flush=True)


def peak_mib(place: Place) -> float:
    """The largest resident size of the process of one full sync with all fields."""
    sync = [sys.executable, "-c", PROGRAM, "sync", "contacts", "--full"]
    done = subprocess.run(
        sync,
        cwd=place.settings.state_dir.parent,  # no .env of the developer's there
        env={**os.environ, **place.variables},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return int(done.stdout.splitlines()[-1]) / 1024
