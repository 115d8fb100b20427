"""PostgreSQL and the local org of the demo: started, found, stopped."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from sf_sync.demo import databases
from sf_sync.demo.children import Child
from sf_sync.demo.errors import DemoError
from sf_sync.demo.folder import DemoFolder, Plan
from sf_sync.settings import Settings
from sf_sync.store import embedded

ORG_START_TIMEOUT_S = 120
KEEPING_S = 15.0  # it writes its records to a file when it ends
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class OrgAccess:
    """How to reach the local org and sign in. `ca` is the file of the authority that its certificate is from."""

    url: str
    ca: str | None
    client_id: str
    client_secret: str
    control: str
    control_token: str


def start_postgres(settings: Settings, folder: DemoFolder) -> embedded.Server:
    """Start the embedded server where it isn't running. Raises EmbeddedServerError."""
    before = embedded.status(settings.state_dir)
    server = embedded.ensure_running(settings.state_dir, bindir=settings.pg_bindir)
    if before is None:
        folder.note_server(server.pid)
    databases.make(server.url)
    return server


def stop_postgres(settings: Settings, folder: DemoFolder) -> bool:
    """Stop the server if a demo started it and nobody else uses it; whether it is stopped."""
    server = embedded.status(settings.state_dir)
    if server is not None:
        if folder.started_server() != server.pid or databases.has_other_clients(server.url):
            return False
        embedded.stop(settings.state_dir)
    folder.note_server(None)
    return True


def delete_databases(settings: Settings, folder: DemoFolder) -> None:
    """Delete the demo's databases, and the whole server where it has nothing else. Raises EmbeddedServerError."""
    if not embedded.server_home(settings.state_dir).data.exists():
        return
    server = start_postgres(settings, folder)
    databases.drop(server.url)
    is_ours_alone = not databases.others(server.url)
    if stop_postgres(settings, folder) and is_ours_alone:
        embedded.remove(settings.state_dir)


def start_org(folder: DemoFolder, plan: Plan, env: Mapping[str, str], lock: int) -> Child:
    """Start the local org; it writes how to reach it once it listens."""
    folder.org.unlink(missing_ok=True)
    command = [sys.executable, "-m", "sf_sync.sandbox"]
    command += ["--port", "0", "--https-port", "0", "--tls-dir", str(folder.tls)]
    command += ["--state-file", str(folder.org)]
    command += [part for name, rows in plan.sizes.items() for part in (f"--{name}", str(rows))]
    command += ["--days", str(plan.days), "--keep", str(folder.kept_org)]
    command += ["--pima", "--seed", str(plan.seed), "--seeded-at", plan.seeded_at]
    return Child.start("local org", command, folder=folder.path, env=env, lock=lock, patience_s=KEEPING_S)


def wait_for_org(folder: DemoFolder, child: Child) -> OrgAccess:
    """How to reach the org, once it listens. Raises DemoError where it doesn't come up."""
    deadline = time.monotonic() + ORG_START_TIMEOUT_S
    while not folder.org.exists():
        child.require_running()
        if time.monotonic() > deadline:
            raise DemoError(f"the local org does not come up\n{child.tail()}")
        time.sleep(POLL_S)
    said = json.loads(folder.org.read_text())
    return OrgAccess(
        said["https"] or said["http"],
        said["ca"],
        said["client_id"],
        said["client_secret"],
        said["http"],
        said["control_token"],
    )


def let_change(org: OrgAccess, per_second: float) -> None:
    """From now on contacts change in the org, as they do in one that people work in."""
    with requests.Session() as http:
        http.trust_env = False
        http.post(
            f"{org.control}/control/start_changes",
            json={"object": "Contact", "per_second": per_second},
            headers={"X-Control-Token": org.control_token},
            timeout=10,
        ).raise_for_status()
