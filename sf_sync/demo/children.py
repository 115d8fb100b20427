"""Processes that the demo starts and that never outlive it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from sf_sync.demo import guard
from sf_sync.demo.errors import DemoError

TAIL_LINES = 15
STOP_TIMEOUT_S = 30
PATIENCE_S = 3.0  # nothing that a demo's process does at its end is worth more; `dagster dev` is


class Child:
    """A guarded process that writes into a log file of its own."""

    def __init__(self, name: str, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        env: Mapping[str, str],
        lock: int,
        patience_s: float = PATIENCE_S,
    ) -> Self:
        """Start a command out of reach of our terminal; its guard shares our lock until the command is gone."""
        log = folder / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-I", guard.__file__, str(patience_s), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=folder,
                start_new_session=True,
                pass_fds=[lock],
            )
        return cls(name, log, process)

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def require_running(self) -> None:
        """Raises DemoError with the end of its log where it has ended."""
        code = self.exit_code
        if code is not None:
            raise DemoError(f"{self.name} ended by itself with exit code {code}\n{self.tail()}")

    def stop(self) -> None:
        """End it and everything that it started; returns when all are gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def tail(self) -> str:
        """The end of its log, introduced."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"The end of {self.log}:", *(lines or ["(it is empty)"])])
