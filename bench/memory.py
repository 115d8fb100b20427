"""Peak memory of a sync process, for a small and a large object: it must not grow with the rows.

python -m bench.memory [--rows N …]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.mirror import start_org


def main(rows: list[int] | None = None) -> None:
    """Print a line per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[60_000, 600_000])
    for size in rows or parser.parse_args().rows:
        with tempfile.TemporaryDirectory(prefix="sf_sync_bench_") as folder:
            print(f"{size:>9,} contacts: peak {_peak_mib(Path(folder), size):.0f} MiB")


def _peak_mib(folder: Path, rows: int) -> float:
    """The largest resident size of the process of one full sync with all fields."""
    org = start_org(folder, rows)
    try:
        environment = {**os.environ, "SF_SYNC_STATE_DIR": str(folder / "state")}
        sync = [sys.executable, "-c", PROGRAM, "sync", "contacts", "--full"]
        done = subprocess.run(sync, env=environment, check=True, capture_output=True, text=True)
        stop = [sys.executable, "-c", STOP, str(folder / "state")]
        subprocess.run(stop, check=True)
        return int(done.stdout.splitlines()[-1]) / 1024
    finally:
        org.terminate()
        org.wait()


# Runs the command and then says what its own process took at most, in KiB.
PROGRAM = """
import atexit, resource
atexit.register(lambda: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
from sf_sync.__main__ import main
main()
"""

STOP = "import sys; from pathlib import Path; from sf_sync.store import embedded; embedded.remove(Path(sys.argv[1]))"

if __name__ == "__main__":
    main()
