"""The Dagster UI of the demo, with the daemon that carries out what people click."""

from __future__ import annotations

import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from sf_sync.demo.children import Child
from sf_sync.demo.errors import DemoError
from sf_sync.demo.folder import DemoFolder
from sf_sync.demo.ports import HOST, free_port

ROOT = Path(__file__).resolve().parents[2]
USUAL_PORT = 3000
START_TIMEOUT_S = 180
POLL_S = 0.2
PATIENCE_S = 12.0  # it ends its four processes one after the other, in up to 8 s


def prepare_home(folder: DemoFolder) -> None:
    """Give DAGSTER_HOME its dagster.yaml, where Dagster looks for it."""
    shutil.copy(ROOT / "dagster.yaml", folder.dagster_home)


def start(folder: DemoFolder, env: Mapping[str, str], lock: int) -> tuple[Child, str]:
    """Start `dagster dev`; returns it and the UI's address."""
    # With a port that is taken, its web server would end and the rest go on.
    port = free_port(USUAL_PORT)
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(ROOT / "workspace.yaml")]
    command += ["-h", HOST, "-p", str(port), "--log-level", "warning"]
    child = Child.start("dagster dev", command, folder=folder.path, env=env, lock=lock, patience_s=PATIENCE_S)
    return child, f"http://{HOST}:{port}"


def wait_for(child: Child, address: str) -> None:
    """Return when the UI answers. Raises DemoError where it doesn't come up."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        child.require_running()
        try:
            with direct.open(f"{address}/server_info", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise DemoError(f"the Dagster UI does not answer at {address}\n{child.tail()}") from None
            time.sleep(POLL_S)
