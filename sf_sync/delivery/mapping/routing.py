"""A folder of mappings, and which of them a record is for.

routing.yaml      `name`: the expression that gives a record's routing name
                  `ignore`: conditions under which no mapping takes a record, each with its reason
constants.yaml    what differs between organisations
lists/*.yaml      code lists
mappings/*.yaml   one mapping each
"""

from __future__ import annotations

from collections.abc import Mapping as Readable
from dataclasses import dataclass
from pathlib import Path

from sf_sync.delivery.mapping.arguments import text_of
from sf_sync.delivery.mapping.code_lists import load_constants, load_lists
from sf_sync.delivery.mapping.errors import Fault, Faults, MappingError, RecordIgnored, RecordRefused
from sf_sync.delivery.mapping.functions import Function
from sf_sync.delivery.mapping.limits import TooMuch
from sf_sync.delivery.mapping.loading import load_mapping, read_refusals
from sf_sync.delivery.mapping.model import Recipe, Refusal
from sf_sync.delivery.mapping.planning import Mapping
from sf_sync.delivery.mapping.scope import Scope, is_true
from sf_sync.delivery.mapping.value_forms import ValueReader
from sf_sync.delivery.mapping.values import Schema
from sf_sync.delivery.mapping.yaml_nodes import read_yaml


@dataclass(frozen=True, slots=True)
class _Routing:
    """How a source's records are called, and which of them nobody takes."""

    name: Recipe
    ignored: tuple[Refusal, ...]
    constants: Readable[str, object]

    def check(self, document: object) -> None:
        """Raises RecordIgnored where a rule says so, and RecordRefused where the record is too much."""
        scope = Scope(document, self.constants)
        try:
            reason = next((one.says for one in self.ignored if is_true(one.when.evaluate(scope))), None)
        except TooMuch as error:
            raise RecordRefused("routing", [f"the record {error}"]) from None
        if reason is not None:
            raise RecordIgnored(reason)


@dataclass(frozen=True, slots=True)
class Registry:
    """The mappings of one source, by name."""

    mappings: dict[str, Mapping]
    _routing: _Routing

    @classmethod
    def load(
        cls,
        folder: Path,
        schemas: Readable[str, Schema] | None = None,
        functions: Readable[str, Function] | None = None,
    ) -> Registry:
        """All mappings of the folder. Raises MappingError with the faults of all mappings.

        `schemas`: what each destination knows of its objects; mappings to others aren't checked against one.
        `functions`: a domain's own, besides the closed table.
        """
        constants = load_constants(folder / "constants.yaml")
        lists = load_lists(folder / "lists")
        faults: list[Fault] = []
        mappings = {}
        for path in sorted((folder / "mappings").glob("*.yaml")):
            try:
                mappings[path.stem] = load_mapping(path, lists, constants, schemas, functions)
            except MappingError as error:
                faults.extend(error.faults)
        if faults:
            raise MappingError(faults)
        return cls(mappings, _read_routing(folder / "routing.yaml", constants))

    @property
    def routing_names(self) -> frozenset[str]:
        """The routing names that some mapping takes."""
        return frozenset(route.name for mapping in self.mappings.values() for route in mapping.program.routes)

    def routing_name(self, document: object) -> str | None:
        """What the record calls itself, None where it says so by no text. Compared exactly, case and all."""
        try:
            scope = Scope(document, {})
            said = self._routing.name.evaluate(scope)
            return text_of(scope, said) if isinstance(said, str) else None
        except TooMuch:
            return None

    def route(self, document: object) -> tuple[Mapping, ...]:
        """The mappings that the record is for; none where nobody takes it. Raises RecordRefused, RecordIgnored."""
        name = self.routing_name(document)
        if name is None:
            return ()
        self._routing.check(document)
        return tuple(mapping for mapping in self.mappings.values() if mapping.takes(name, document))


def _read_routing(path: Path, constants: Readable[str, object]) -> _Routing:
    faults = Faults(path)
    root = read_yaml(path)
    entries = root.entries or {}
    if not {"name"} <= entries.keys() <= {"name", "ignore"} or not isinstance(entries["name"].value, str):
        faults.add(
            root.line, "expected `name`, the expression that gives a record's routing name, and `ignore`"
        )
        faults.raise_if_any()
    name = ValueReader(faults, {}, {}).expression(entries["name"])
    ignored = read_refusals(ValueReader(faults, constants, {}), entries.get("ignore"), "ignore")
    faults.raise_if_any()
    return _Routing(name, ignored, constants)
