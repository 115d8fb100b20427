"""Where the mappings of each source are, and which routing names they take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.sources import COMMCARE

FOLDERS: Mapping[str, Path] = {COMMCARE.name: Path(__file__).parent}


def mapping_names() -> list[str]:
    """The names of all mappings, by their files alone: none is read."""
    return sorted({path.stem for folder in FOLDERS.values() for path in (folder / "mappings").glob("*.yaml")})


def routing_names() -> dict[str, frozenset[str]]:
    """The routing names that each mapping takes. Asks no org. Raises MappingError."""
    return {
        name: frozenset(route.name for route in mapping.program.routes)
        for folder in FOLDERS.values()
        for name, mapping in Registry.load(folder).mappings.items()
    }
