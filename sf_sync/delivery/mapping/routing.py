"""A folder of mappings, and which of them a record is for.

routing.yaml      `name`: the expression that gives a record's routing name
constants.yaml    what differs between organisations
lists/*.yaml      code lists
mappings/*.yaml   one mapping each
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sf_sync.delivery.mapping.arguments import text_of
from sf_sync.delivery.mapping.code_lists import load_constants, load_lists
from sf_sync.delivery.mapping.errors import Fault, Faults, MappingError
from sf_sync.delivery.mapping.limits import TooMuch
from sf_sync.delivery.mapping.loading import load_mapping
from sf_sync.delivery.mapping.model import Recipe
from sf_sync.delivery.mapping.planning import Mapping
from sf_sync.delivery.mapping.scope import Scope
from sf_sync.delivery.mapping.value_forms import ValueReader
from sf_sync.delivery.mapping.values import Schema
from sf_sync.delivery.mapping.yaml_nodes import read_yaml


@dataclass(frozen=True, slots=True)
class Registry:
    """The mappings of one source, by name."""

    mappings: dict[str, Mapping]
    _routing_name: Recipe

    @classmethod
    def load(cls, folder: Path, schema: Schema | None = None) -> Registry:
        """All mappings of the folder. Raises MappingError with the faults of all mappings."""
        constants = load_constants(folder / "constants.yaml")
        lists = load_lists(folder / "lists")
        faults: list[Fault] = []
        mappings = {}
        for path in sorted((folder / "mappings").glob("*.yaml")):
            try:
                mappings[path.stem] = load_mapping(path, lists, constants, schema)
            except MappingError as error:
                faults.extend(error.faults)
        if faults:
            raise MappingError(faults)
        return cls(mappings, _read_routing_name(folder / "routing.yaml"))

    @property
    def routing_names(self) -> frozenset[str]:
        """The routing names that some mapping takes."""
        return frozenset(route.name for mapping in self.mappings.values() for route in mapping.program.routes)

    def routing_name(self, document: object) -> str | None:
        """What the record calls itself, None where it doesn't say. Compared exactly, case and all."""
        try:
            scope = Scope(document, {})
            return text_of(scope, self._routing_name.evaluate(scope))
        except TooMuch:
            return None

    def route(self, document: object) -> tuple[Mapping, ...]:
        """The mappings that the record is for; none where it is to be ignored. Raises RecordRefused."""
        name = self.routing_name(document)
        if name is None:
            return ()
        return tuple(mapping for mapping in self.mappings.values() if mapping.takes(name, document))


def _read_routing_name(path: Path) -> Recipe:
    faults = Faults(path)
    root = read_yaml(path)
    entries = root.entries or {}
    if entries.keys() != {"name"} or not isinstance(entries["name"].value, str):
        faults.add(root.line, "expected only `name`: the expression that gives a record's routing name")
        faults.raise_if_any()
    recipe = ValueReader(faults, {}, {}).expression(entries["name"])
    faults.raise_if_any()
    return recipe
