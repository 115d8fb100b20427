"""What people write into the launchpad."""

from __future__ import annotations

from datetime import date

import dagster as dg


def day(name: str, text: str | None) -> date | None:
    """A day; None where nothing is written. Raises dagster.Failure that names the field and what was expected."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise dg.Failure(
            f"{name} is {text!r}; expected a day such as 2026-01-31", allow_retries=False
        ) from None
