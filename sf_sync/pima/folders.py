"""Where the mappings of each source are, loaded with PIMA's own functions, and which routing names they take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.mapping.values import Schema
from sf_sync.delivery.sources import COMMCARE, SALESFORCE
from sf_sync.pima.surveys import FUNCTIONS

FOLDERS: Mapping[str, Path] = {
    COMMCARE.name: Path(__file__).parent,
    SALESFORCE.name: Path(__file__).parent / "callouts",
}


def load_registry(source: str, schemas: Mapping[str, Schema] | None = None) -> Registry:
    """The mappings of a source, checked against what is known of their destinations. Raises MappingError."""
    return Registry.load(FOLDERS[source], schemas, FUNCTIONS)


def mapping_names() -> list[str]:
    """The names of all mappings, by their files alone: none is read."""
    return sorted(mapping_sources())


def mapping_sources() -> dict[str, str]:
    """The source whose records each mapping takes, by the mapping's name; their files are not read."""
    return {
        path.stem: source
        for source, folder in FOLDERS.items()
        for path in (folder / "mappings").glob("*.yaml")
    }


def routing_names() -> dict[str, frozenset[str]]:
    """The routing names that each mapping takes. Asks no org. Raises MappingError."""
    return {
        name: frozenset(route.name for route in mapping.program.routes)
        for source in FOLDERS
        for name, mapping in load_registry(source).mappings.items()
    }
