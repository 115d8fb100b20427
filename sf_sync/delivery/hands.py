"""Deliveries taken in hand, with what is known of them: results of earlier tries, what earlier versions wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from sf_sync.delivery import operations
from sf_sync.delivery.deliveries import Waiting
from sf_sync.delivery.in_hand import InHand

Connection = psycopg.Connection[Any]


def take_in_hand(connection: Connection, connection_name: str, deliveries: Sequence[Waiting]) -> list[InHand]:
    """Deliveries of one destination, ready to be carried out."""
    known = operations.known(connection, connection_name, deliveries)
    results: dict[int, dict[str, operations.Known]] = {}
    for (delivery_id, operation_id), one in known.items():
        results.setdefault(delivery_id, {})[operation_id] = one
    rules = {one.delivery_id: {rule.step for rule in one.plan.stale} for one in deliveries}
    converging = [one for one in deliveries if rules[one.delivery_id]]
    steps = {step for found in rules.values() for step in found}
    executed = (
        operations.executed_before(connection, connection_name, converging, steps) if converging else {}
    )
    return [
        InHand.of(one, results.get(one.delivery_id, {}), executed.get(one.delivery_id, ()))
        for one in deliveries
    ]
