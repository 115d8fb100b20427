"""The folder where sf_sync keeps files: no other user may put anything in their place, or read what is in it."""

from __future__ import annotations

import stat
from pathlib import Path

from sf_sync.settings import SettingsError


def open_to_all(folder: Path) -> Path | None:
    """The folder itself, or one above it, that every user can write to; None where there is none.

    Whoever can write to one of them can put a folder of theirs in place of the next. The sticky bit, as /tmp has it,
    prevents that.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    for path in (existing, *existing.parents):
        mode = path.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return path
    return None


def require_ours(state_dir: Path) -> None:
    """Raise SettingsError where every user could change what is in the state folder."""
    path = open_to_all(state_dir.resolve())
    if path is not None:
        raise SettingsError(
            f"the state folder {state_dir} is not safe: every user can write to {path}; run `chmod o-w {path}`, "
            "or name a folder of your own in SF_SYNC_STATE_DIR"
        )


def private_folder(state_dir: Path, *names: str) -> Path:
    """A folder in the state folder, made where it is missing; only this user can enter the first of the names.

    Raises SettingsError where every user could change what is in the state folder.
    """
    require_ours(state_dir)
    first = state_dir / names[0]
    first.mkdir(mode=0o700, parents=True, exist_ok=True)
    first.chmod(0o700)
    folder = state_dir.joinpath(*names)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
