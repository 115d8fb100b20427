"""What can be wrong with a mapping file, and why a record is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something wrong in a file, at a line."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class MappingError(Exception):
    """A mapping, list or constants file can't be used. The message has one line per fault, in line order."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(map(str, self.faults)))


class RecordRefused(Exception):
    """No plan can be made of a record: a permanent failure without side effects (rule R7).

    `problems` name paths, fields and steps, never values, because records hold personal data.
    """

    def __init__(self, mapping: str, problems: Iterable[str]) -> None:
        self.mapping = mapping
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__(f"{mapping}: " + "; ".join(self.problems))


class RecordIgnored(Exception):
    """A record is for no mapping by a rule of its source, whatever it is called; the message is the rule's reason."""


class Faults:
    """Collects what is wrong with one file, so that it is reported together."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._found: list[Fault] = []

    def add(self, line: int, message: str) -> None:
        self._found.append(Fault(self.path, line, message))

    def extend(self, faults: Iterable[Fault]) -> None:
        self._found.extend(faults)

    def __len__(self) -> int:
        return len(self._found)

    def raise_if_any(self) -> None:
        """Raises MappingError if a fault was added."""
        if self._found:
            raise MappingError(self._found)
