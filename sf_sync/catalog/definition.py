"""An object's entry in the catalog: reading and judging its YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sf_sync.settings import Settings

BUILT_IN = Path(__file__).parent / "objects"
PIMA = BUILT_IN / "pima"  # custom objects that few orgs have: SF_SYNC_PIMA turns them on

ApiName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w{0,79}$")]
SqlName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


class CatalogError(Exception):
    """A catalog file can't be used; the message names file and line."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """A Salesforce object that feeds the table; `label` is its value in the discriminator column."""

    sobject: ApiName
    label: str | None = None


class Fields(_Part):
    """Which fields are mirrored: all that describe lists, unless narrowed."""

    include: tuple[ApiName, ...] | None = None
    exclude: tuple[ApiName, ...] = ()
    rename: dict[ApiName, SqlName] = Field(default_factory=dict)


class Reference(_Part):
    """A column that holds ids of other mirrored objects, by their catalog names."""

    column: SqlName
    to: Annotated[tuple[SqlName, ...], Field(min_length=1)]


class TargetColumn(_Part):
    """A column of another mirrored object whose ids say which records are wanted in a targeted sync."""

    object: SqlName
    column: SqlName


class Reread(_Part):
    """Rows that are read again because a record of another object has changed: they may change without a stamp.

    `field` holds the other record's id. With `when: merged` only records that were merged into another one count,
    and the rows of both are read. `source` is one of the other object's, where it has several.
    """

    object: SqlName
    field: ApiName
    source: ApiName | None = None
    when: Literal["changed", "merged"] = "changed"


class ObjectDefinition(_Part):
    """One mirrored object, as its YAML file says."""

    name: SqlName
    table: SqlName
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    discriminator: SqlName | None = None
    cursor: ApiName = "SystemModstamp"
    api: Literal["auto", "bulk", "rest"] = "auto"
    fields: Fields = Fields()
    volatile: tuple[ApiName, ...] = ()
    refresh: tuple[ApiName, ...] = ()
    targets: tuple[TargetColumn, ...] = ()
    indexes: tuple[SqlName, ...] = ()
    references: tuple[Reference, ...] = ()
    drift: Literal["add", "ignore"] = "add"
    deleted_list: bool | None = None  # None: where describe says replicateable
    ask_deletes_above: Annotated[float, Field(ge=0, le=1)] = 0.05  # share of the rows
    on_purge: Literal["keep", "blank", "remove"] = "keep"
    reread_with: tuple[Reread, ...] = ()


def catalog_of(settings: Settings) -> dict[str, ObjectDefinition]:
    """All objects that the settings ask for, before SF_SYNC_OBJECTS narrows them. Raises CatalogError."""
    return load_catalog(settings.catalog, pima=settings.pima)


def load_catalog(extra: Path | None = None, *, pima: bool = False) -> dict[str, ObjectDefinition]:
    """All objects by name: the built-in ones, then those in the folder `extra`, which may replace built-in ones.

    PIMA's objects are among the built-in ones where they are asked for. Raises CatalogError.
    """
    if extra is not None and not extra.is_dir():
        raise CatalogError(f"SF_SYNC_CATALOG={extra} is not a folder")
    found = {
        path.stem: read_definition(path)
        for folder in (BUILT_IN, PIMA if pima else None, extra)
        if folder is not None
        for path in sorted(folder.glob("*.yaml"))
    }
    by_table: dict[str, str] = {}
    for name, definition in found.items():
        other = by_table.setdefault(definition.table, name)
        if other != name:
            raise CatalogError(
                f"objects {other!r} and {name!r} both name table {definition.table!r}; one must change"
            )
    return found


def chosen(
    catalog: dict[str, ObjectDefinition], names: tuple[str, ...] | None
) -> dict[str, ObjectDefinition]:
    """The objects of SF_SYNC_OBJECTS, all where it isn't set. Raises CatalogError for an unknown name."""
    if names is None:
        return catalog
    for name in names:
        find(catalog, name)
    return {name: catalog[name] for name in names}


def find(catalog: dict[str, ObjectDefinition], name: str) -> ObjectDefinition:
    """The object of that name. Raises CatalogError that lists the names there are."""
    try:
        return catalog[name]
    except KeyError:
        if (PIMA / f"{name}.yaml").exists():
            raise CatalogError(
                f"object {name!r} is one of PIMA's, which are off; set SF_SYNC_PIMA=true"
            ) from None
        raise CatalogError(
            f"no object {name!r} in the catalog; there are: {', '.join(sorted(catalog))}"
        ) from None


def read_definition(path: Path) -> ObjectDefinition:
    """One catalog file. Raises CatalogError with file and line."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"))
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogError(f"{path}:{line}: not YAML ({error.problem})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: can't be read ({error})") from None
    if not isinstance(content, dict):
        raise CatalogError(f"{path}:1: expected a mapping with `table` and `sources`")
    try:
        return ObjectDefinition.model_validate({**content, "name": path.stem})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CatalogError(f"{path}:{_line(root, first['loc'])}: {where}: {first['msg']}") from None


def _line(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The line of the innermost node that an error's location leads to."""
    line = 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
