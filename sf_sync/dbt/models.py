"""What a staging model is made of, whatever its columns come from."""

from __future__ import annotations

from dataclasses import dataclass

from sf_sync.catalog.definition import Reference

ID = 'text collate "C"'


@dataclass(frozen=True, slots=True)
class StagingColumn:
    """A column and what is tested of it. The type is only used where the mirror table lacks the column."""

    name: str
    type: str
    description: str
    promised: bool = False
    pattern: str | None = None
    values: tuple[str, ...] = ()
    range: tuple[float | None, float | None] | None = None


@dataclass(frozen=True, slots=True)
class StagingModel:
    """The view of one mirror table."""

    object: str
    table: str
    description: str
    columns: tuple[StagingColumn, ...]
    references: tuple[Reference, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"stg_salesforce__{self.object}"


OWN = (
    StagingColumn(
        "_read_at", "timestamptz", "The org's clock when the reading that this version came from began."
    ),
    StagingColumn(
        "_synced_at", "timestamptz", "When the row last changed here; what incremental models filter on."
    ),
)
