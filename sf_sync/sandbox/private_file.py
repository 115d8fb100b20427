"""Files for their owner only, written at once or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Put content in the place of what the file holds. Raises OSError, and leaves the file as it was then."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_state(path: Path, access: Mapping[str, str | None]) -> None:
    """Write a state file: how this process is reached, and its `pid`."""
    write(path, json.dumps({**access, "pid": os.getpid()}, indent=2).encode())
