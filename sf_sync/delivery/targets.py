"""Which records of a destination a plan touches, and when two plans must not be carried out side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sf_sync.delivery.mapping.plan import Operation, Plan, Scalar
from sf_sync.salesforce.record_id import to_18

ID = "Id"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A record of a destination, named by its key; `key` is text in which case doesn't count."""

    object: str
    key: str

    @property
    def named_by(self) -> str:
        """The names of the key's fields."""
        return "&".join(part.partition("=")[0] for part in self.key.split("&"))


def target_of(object_name: str, key: Mapping[str, Scalar]) -> Target:
    """The target of a key. External ids are compared without case, as Salesforce does; record ids in 18 characters."""
    parts = (f"{_escaped(name)}={_escaped(_comparable(name, value))}" for name, value in sorted(key.items()))
    return Target(object_name, "&".join(parts))


def _comparable(name: str, value: Scalar) -> str:
    if name == ID and isinstance(value, str):
        try:
            return to_18(value)
        except ValueError:
            return value
    return str(value).casefold()


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("&", "%26").replace("=", "%3D")


@dataclass(frozen=True, slots=True)
class Footprint:
    """The targets that a plan writes, and those that it refers to."""

    written: frozenset[Target]
    referred: frozenset[Target]

    @classmethod
    def of(cls, operations: Iterable[Operation]) -> Footprint:
        """The footprint of operations. What can't be sent touches nothing."""
        given = [one for one in operations if one.problem is None]
        return cls(
            frozenset(target_of(one.object, one.key) for one in given),
            frozenset(
                target_of(reference.object, reference.key)
                for one in given
                for reference in one.references.values()
            ),
        )

    @classmethod
    def of_plan(cls, plan: Plan | None) -> Footprint:
        """The footprint of a plan; a record of which no plan could be made touches nothing."""
        return cls.of(plan.operations if plan else ())


@dataclass(slots=True)
class Touched:
    """The footprints of plans, together: says whether another plan meets one of them.

    Two targets of one object that are named by different fields may be one record, so they count as the same.
    """

    written: set[Target] = field(default_factory=set)
    referred: set[Target] = field(default_factory=set)
    _names: dict[str, set[str]] = field(default_factory=dict)

    def add(self, footprint: Footprint) -> None:
        """Take a plan in."""
        self.written |= footprint.written
        self.referred |= footprint.referred
        for target in footprint.written:
            self._names.setdefault(target.object, set()).add(target.named_by)

    def shares_target(self, footprint: Footprint) -> bool:
        """Whether both write a record."""
        return self._meets(footprint.written)

    def meets(self, footprint: Footprint) -> bool:
        """Whether one writes what the other writes or refers to, so that their order shows."""
        return (
            self.shares_target(footprint)
            or self._meets(footprint.referred)
            or not self.referred.isdisjoint(footprint.written)
        )

    def _meets(self, targets: frozenset[Target]) -> bool:
        if not self.written.isdisjoint(targets):
            return True
        return any(
            name != target.named_by for target in targets for name in self._names.get(target.object, ())
        )
