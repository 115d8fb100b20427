"""State folders for real servers, and a way to be an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sf_sync.store import embedded
from sf_sync_tests.integration.store.servers import REPO, start


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder that any user can reach; what lives there is gone after the test."""
    top = Path(tempfile.mkdtemp(prefix="sf-sync-test-", dir="/tmp"))
    top.chmod(0o755)
    state = top / "state"
    yield state
    embedded.remove(state)
    shutil.rmtree(top)


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    """The state folder of a server that was made once for all tests that leave it whole."""
    top = Path(tempfile.mkdtemp(prefix="sf-sync-test-", dir="/tmp"))
    top.chmod(0o755)
    start(top)
    yield top
    embedded.remove(top)
    shutil.rmtree(top)


@pytest.fixture
def made(shared: Path) -> Path:
    """A state folder whose server was made before and doesn't run."""
    embedded.stop(shared)
    return shared


@pytest.fixture
def private_state() -> Iterator[Path]:
    """A state folder where only its owner can go."""
    top = Path(tempfile.mkdtemp(prefix="sf-sync-test-", dir="/tmp"))
    yield top / "state"
    embedded.remove(top / "state")
    shutil.rmtree(top)


def ordinary_python() -> str | None:
    """A Python of our version that every user can run: ours may live in root's home."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        try:
            done = subprocess.run(
                [candidate, "-c", ""], user="nobody", cwd="/", capture_output=True, check=False
            )
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    return None


@pytest.fixture
def as_ordinary_user() -> Callable[[str, Path], subprocess.CompletedProcess[str]]:
    """Runs a Python program as nobody."""
    python = ordinary_python() if os.geteuid() == 0 else None
    if python is None:
        pytest.skip("needs root, and a Python that an ordinary user can run")

    def run(program: str, state: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-c", program, state],
            user="nobody",
            group=pwd.getpwnam("nobody").pw_gid,
            extra_groups=[],
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{REPO}:{sysconfig.get_path('purelib')}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
