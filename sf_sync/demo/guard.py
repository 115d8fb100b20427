"""Runs a command for exactly as long as its starter lives: a program of its own, with nothing but the standard library.

Arguments: the seconds that the command has to end when it is told to, then the command. Standard input is a pipe that
only the starter holds. When it closes, by intent or because the starter was killed, the whole process group is ended.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

KILL_TIMEOUT_S = 5
POLL_S = 0.05
PR_SET_CHILD_SUBREAPER = 36

# A shell that starts something in the background has it ignore these, and Dagster would copy that.
TO_DEFAULT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)


def main(patience_s: float, command: list[str]) -> int:
    """Run the command; returns its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _adopt_orphans()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=_default_signals,  # noqa: PLW1509 - no thread runs yet
    )
    threading.Thread(target=_end_with_starter, args=(process.pid, patience_s), daemon=True).start()
    code = process.wait()
    for how, seconds in ((signal.SIGTERM, patience_s), (signal.SIGKILL, KILL_TIMEOUT_S)):
        if _signal(process.pid, how):
            _wait_for_group(process.pid, seconds)
    return code if code >= 0 else 128 - code


def _adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent ends: where no init reaps them they would stay as zombies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _default_signals() -> None:
    for number in TO_DEFAULT:
        signal.signal(number, signal.SIG_DFL)


def _end_with_starter(group: int, patience_s: float) -> None:
    while os.read(0, 1):
        pass
    _signal(group, signal.SIGTERM)
    time.sleep(patience_s)
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Signal a process group; False where nothing is left of it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _wait_for_group(group: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not _signal(group, 0):
            return
        time.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
