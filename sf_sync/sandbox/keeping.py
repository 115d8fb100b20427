"""The records of an org in a file, so that the next org begins where this one ended."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path

from . import private_file
from .deletions import Deletion
from .org import Org

FORMAT = 1
LEVEL = 1


class BadKeptFile(Exception):
    """Why a file can't be begun with."""


def save(org: Org, path: Path) -> None:
    """Write all records at once or not at all, for the owner only. Tokens, jobs and cursors end with the org."""
    with org.lock:
        org.settle()
        kept = {
            "format": FORMAT,
            "tables": {name: table.kept() for name, table in org.tables.items()},
            "deletions": [asdict(deletion) for deletion in org.deletions],
        }
    private_file.write(path, gzip.compress(json.dumps(kept, separators=(",", ":")).encode(), LEVEL))


def load(org: Org, path: Path) -> None:
    """Put the records of a file in the place of those that the org has."""
    try:
        kept = json.loads(gzip.decompress(path.read_bytes()))
        if kept["format"] != FORMAT or kept["tables"].keys() != org.tables.keys():
            raise BadKeptFile(f"{path}: written by another version of the local org; delete it to begin anew")
        for name, table in org.tables.items():
            table.load(kept["tables"][name])
        org.deletions = [Deletion(**deletion) for deletion in kept["deletions"]]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BadKeptFile(f"{path}: can't be read ({error}); delete it to begin anew") from None
