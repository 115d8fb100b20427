"""Where a value of a field is found: cell → records, kept up while records change."""

from __future__ import annotations

from bisect import insort

from .cells import NULL, cell_text
from .schema import Field

EXACT = frozenset({"id", "reference", "boolean", "int", "double", "currency", "percent", "date", "datetime"})


class Index:
    """Ranks by cell for one field. Texts are known without their case; null is not indexed."""

    def __init__(self, field: Field) -> None:
        """Empty."""
        self.field = field
        self._ranks: dict[str, list[int]] = {}
        self._keys: dict[int, str] = {}

    def put(self, rank: int, cell: bytes) -> None:
        """Say what a record has now; NULL takes it out."""
        key = self._key(cell) if cell != NULL else ""
        old = self._keys.get(rank, "")
        if key == old:
            return
        if old:
            ranks = self._ranks[old]
            ranks.remove(rank)
            if not ranks:
                del self._ranks[old]
            del self._keys[rank]
        if key:
            insort(self._ranks.setdefault(key, []), rank)
            self._keys[rank] = key

    def ranks(self, cell: bytes) -> list[int]:
        """The records with this cell, in id order."""
        return list(self._ranks.get(self._key(cell), ())) if cell != NULL else []

    def _key(self, cell: bytes) -> str:
        text = cell_text(cell)
        return text if self.field.type in EXACT else text.casefold()
