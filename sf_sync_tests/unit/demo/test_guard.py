"""A guarded command ends with its starter, however that one ends, and takes everything that it started along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sf_sync.demo import guard

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a guard; ends those that a test leaves."""
    started: list[subprocess.Popen[bytes]] = []

    def one(*command: str, patience_s: float = 5) -> subprocess.Popen[bytes]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-I", guard.__file__, str(patience_s), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        )
        return started[-1]

    yield one
    for process in started:
        close(process)


def first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def close(process: subprocess.Popen[bytes]) -> float:
    """Close the guard's standard input; returns the seconds until it has ended."""
    assert process.stdin is not None
    process.stdin.close()
    began = time.monotonic()
    process.wait(20)
    return time.monotonic() - began


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_exit_code_is_the_commands(start: Start) -> None:
    assert start("/bin/sh", "-c", "exit 7").wait(20) == 7


def test_a_command_that_a_signal_ended_has_the_exit_code_that_shells_give(start: Start) -> None:
    assert start("/bin/sh", "-c", "kill -TERM $$").wait(20) == 128 + signal.SIGTERM


def test_it_ends_when_its_starter_closes_the_pipe(start: Start) -> None:
    process = start("/bin/sh", "-c", "echo $$; exec sleep 100")
    pid = int(first_line(process))
    assert close(process) < 5
    assert not is_alive(pid)


def test_it_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time\n"
            f"subprocess.Popen([sys.executable, '-I', {guard.__file__!r}, '5', '/bin/sh', '-c',"
            f" 'echo $$ > {told}.part; mv {told}.part {told}; exec sleep 100'],"
            " stdin=subprocess.PIPE, start_new_session=True)\n"
            "time.sleep(100)",
        ]
    )
    while not told.exists():
        time.sleep(0.02)
    starter.kill()
    starter.wait()
    pid = int(told.read_text())
    deadline = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_ignores_the_polite_signal_is_killed_with_all_its_children(start: Start) -> None:
    process = start("/bin/sh", "-c", "trap '' TERM; sleep 100 & echo $!; wait; sleep 100", patience_s=0.3)
    child = int(first_line(process))
    assert 0.3 <= close(process) < 5
    assert not is_alive(child)


def test_children_that_outlive_the_command_are_ended(start: Start) -> None:
    process = start("/bin/sh", "-c", "sleep 100 >/dev/null & echo $!; exit 3")
    child = int(first_line(process))
    assert process.wait(20) == 3
    assert not is_alive(child)


def test_the_command_has_the_default_signals(start: Start) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start(
            sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT).__name__)"
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert first_line(process) == "default_int_handler"
