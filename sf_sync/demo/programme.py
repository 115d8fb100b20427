"""The week of a coffee programme that the demo plays: CommCare with its phones, the intake with its page, a worker."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from sf_sync.demo import ports
from sf_sync.demo.children import Child
from sf_sync.demo.errors import DemoError
from sf_sync.demo.folder import DemoFolder, Plan

USUAL_PORT = 8060
START_TIMEOUT_S = 120
POLL_S = 0.05
SENDER_KEY = "DEMO_SENDER_KEY"
PATIENCE_S = 8.0  # the worker finishes its batch


@dataclass(frozen=True, slots=True)
class Programme:
    """The programme's processes before anything is played. `settings` are for whatever delivers to CommCare."""

    folder: DemoFolder
    commcare: Child
    commcare_url: str
    port: int
    settings: Mapping[str, str]
    operator: str
    admin: str

    @property
    def page(self) -> str:
        """Where an operator looks."""
        return f"http://{ports.HOST}:{self.port}/"

    def start_intake(self, env: Mapping[str, str], lock: int) -> Child:
        """Start the intake with its page and a worker; `env` are the settings for the org and the database."""
        command = [sys.executable, "-m", "sf_sync", "serve", "--with-worker", "--port", str(self.port)]
        return Child.start(
            "intake",
            command,
            folder=self.folder.path,
            env={**env, **self.settings},
            lock=lock,
            patience_s=PATIENCE_S,
        )

    def wait_for(self, intake: Child) -> None:
        """Return when the intake answers. Raises DemoError where it doesn't come up."""
        deadline = time.monotonic() + START_TIMEOUT_S
        with requests.Session() as http:
            http.trust_env = False
            while True:
                intake.require_running()
                try:
                    if http.get(f"{self.page}readyz", timeout=5).ok:
                        return
                except requests.RequestException:
                    pass
                if time.monotonic() > deadline:
                    raise DemoError(f"the intake does not answer at {self.page}\n{intake.tail()}")
                time.sleep(POLL_S)

    def play(self) -> None:
        """From now on forms and callouts arrive."""
        self.folder.play.touch()


def start(folder: DemoFolder, plan: Plan, env: Mapping[str, str], lock: int) -> Programme:
    """Start the project space of the programme, which waits for `play`. Raises DemoError."""
    for file in (folder.commcare, folder.play):
        file.unlink(missing_ok=True)
    sender, operator, admin = (secrets.token_urlsafe(24) for _ in range(3))
    port = ports.free_port(USUAL_PORT)
    intake = f"http://{ports.HOST}:{port}"
    command = [sys.executable, "-m", "sf_sync.sandbox.programme", "--seed", str(plan.seed)]
    command += ["--until", plan.seeded_at, "--key-variable", SENDER_KEY]
    command += ["--forms-to", f"{intake}/process-data-cc", "--callouts-to", f"{intake}/process-data-sf"]
    command += ["--state-file", str(folder.commcare), "--start-file", str(folder.play)]
    child = Child.start("programme", command, folder=folder.path, env={**env, SENDER_KEY: sender}, lock=lock)
    try:
        said = _wait_for_state(folder, child)
    except DemoError:
        child.stop()
        raise
    settings = {
        "CC_BASE_URL": said["url"],
        "CC_DOMAIN": said["domain"],
        "CC_USERNAME": said["username"],
        "CC_API_KEY": said["api_key"],
        "SF_SYNC_INTAKE_KEYS": f"programme={sender}",
        "SF_SYNC_OPERATOR_KEYS": f"operator={operator}",
        "SF_SYNC_ADMIN_KEYS": f"admin={admin}",
    }
    return Programme(folder, child, f"{said['url']}/a/{said['domain']}/", port, settings, operator, admin)


def _wait_for_state(folder: DemoFolder, child: Child) -> dict[str, str]:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not folder.commcare.exists():
        child.require_running()
        if time.monotonic() > deadline:
            raise DemoError(f"the local CommCare does not come up\n{child.tail()}")
        time.sleep(POLL_S)
    said: dict[str, str] = json.loads(folder.commcare.read_text())
    return said
