"""Where sf_sync keeps files, why there, and whether anyone else could write to them."""

from __future__ import annotations

import os
from pathlib import Path

from sf_sync.doctor.finding import Finding, failed, ok
from sf_sync.settings import Settings
from sf_sync.store.server_home import EmbeddedServerError, server_home
from sf_sync.store.state_folder import open_to_all

LOOKED_AT = "state folder"
SERVER_HOME = "embedded server's folder"


def look(settings: Settings) -> list[Finding]:
    """The state folder, and the embedded server's where it is the one that is used."""
    state = settings.state_dir.resolve()
    findings = [_folder(LOOKED_AT, state, _why(settings))]
    if settings.database_url is not None:
        return findings
    try:
        home = server_home(settings.state_dir)
    except EmbeddedServerError as error:
        what, _, remedy = str(error).partition("; ")
        return [*findings, failed(SERVER_HOME, what, remedy or "set DATABASE_URL to a server of your own")]
    why = f"because {home.reason}; the server runs as user {home.account.name!r}"
    return [*findings, _folder(SERVER_HOME, home.path, why)]


def _why(settings: Settings) -> str:
    is_set = "state_dir" in settings.model_fields_set
    return "as SF_SYNC_STATE_DIR says" if is_set else "below the working folder; SF_SYNC_STATE_DIR moves it"


def _folder(looked_at: str, folder: Path, why: str) -> Finding:
    """A folder and those above it: whoever may write to one of them can put files of theirs in its place."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    path = open_to_all(folder)
    if path is not None:
        return failed(looked_at, f"{folder}: every user can write to {path}", f"run `chmod o-w {path}`")
    if not os.access(existing, os.W_OK | os.X_OK):
        return failed(
            looked_at,
            f"{folder}: this user can't write to {existing}",
            "name a folder of your own in SF_SYNC_STATE_DIR",
        )
    made = "" if existing == folder else " (made when it is needed)"
    return ok(looked_at, f"{folder}{made}, {why}")
