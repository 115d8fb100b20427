"""All or nothing: changes that are taken back together."""

from __future__ import annotations

from types import TracebackType

from sf_sync.sandbox.org import Org


class Transaction:
    """Changes from `with` on; `undo` takes them back. Transactions nest, the outermost makes everything final."""

    def __init__(self, org: Org) -> None:
        """Bind; nothing is remembered yet."""
        self._org = org
        self._points: dict[str, int] = {}
        self._deletions = 0

    def __enter__(self) -> Transaction:
        """Remember how things stand."""
        self._points = {name: table.begin() for name, table in self._org.tables.items()}
        self._deletions = len(self._org.deletions)
        self._org.open_transactions += 1
        return self

    def undo(self) -> None:
        """Take back what was done since."""
        for name, point in self._points.items():
            self._org.tables[name].undo(point)
        del self._org.deletions[self._deletions :]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the changes stand; an exception takes them back."""
        if kind is not None:
            self.undo()
        self._org.open_transactions -= 1
        if not self._org.open_transactions:
            for table in self._org.tables.values():
                table.end()
