"""A local org for anyone's tests: `from sf_sync.sandbox.testing import org` in a conftest.py makes the fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .server import LocalOrg

SIZES = {"contacts": 200, "accounts": 20, "users": 5}


@pytest.fixture
def org(request: pytest.FixtureRequest) -> Iterator[LocalOrg]:
    """A running org of the test's own.

    What `LocalOrg` takes may be given by indirect parametrization:
    `@pytest.mark.parametrize("org", [{"contacts": 10, "tasks": 50}], indirect=True)`.
    """
    given: dict[str, Any] = getattr(request, "param", {})
    with LocalOrg(**{"https": True, **SIZES, **given}) as running:
        yield running
