"""Where a semi-join may stand and what its inner select may be (protocol §2.2)."""

from __future__ import annotations

from collections.abc import Iterator

from sf_sync.sandbox.errors import ApiError, framed

from .nodes import And, Condition, Membership, Not, Or, Path, Query
from .resolve import Scope

MOST = 2


def check(scope: Scope) -> None:
    """Refuse semi-joins that are nested, too many, or of a select that can't be one."""
    query = scope.query
    if query.where is None:
        return
    found = list(_memberships(query.where))
    inner = [m for m, _ in found if isinstance(m.options, Query)]
    if any(nested and isinstance(m.options, Query) for m, nested in found):
        raise _refusal(
            scope,
            query.entity,
            "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE "
            "expressions.",
        )
    if len(inner) > MOST:
        raise _refusal(scope, query.entity, f"maximum {MOST} semi join sub-selects are allowed")
    for membership in inner:
        assert isinstance(membership.options, Query)  # noqa: S101 - chosen so above
        _check_inner(scope, membership, membership.options)


def _check_inner(scope: Scope, membership: Membership, inner: Query) -> None:
    if "." in membership.path.text and not scope.column(membership.path).direct:
        text = f"The left operand '{membership.path.text}' cannot be a relationship field in a semi join"
        raise _refusal(scope, membership.path, text)
    if inner.entity.text.lower() == scope.kind.name.lower():
        raise _refusal(
            scope, inner.entity, "The inner and outer selects should not be on the same object type"
        )
    if inner.order_by or inner.limit is not None or inner.offset is not None or inner.aggregates:
        raise _refusal(scope, inner.entity, "ORDER BY, LIMIT and COUNT are not supported in a semi join")
    if inner.where is not None and any(isinstance(m.options, Query) for m, _ in _memberships(inner.where)):
        raise _refusal(scope, inner.entity, "Nesting of semi join sub-selects is not supported")


def _memberships(condition: Condition, nested: bool = False) -> Iterator[tuple[Membership, bool]]:
    if isinstance(condition, Membership):
        yield condition, nested
    elif isinstance(condition, And):
        for part in condition.conditions:
            yield from _memberships(part, nested)
    elif isinstance(condition, Or):
        for part in condition.conditions:
            yield from _memberships(part, nested=True)
    elif isinstance(condition, Not):
        yield from _memberships(condition.condition, nested=True)


def _refusal(scope: Scope, path: Path, text: str) -> ApiError:
    return framed("MALFORMED_QUERY", scope.query.text, path.at, text)
