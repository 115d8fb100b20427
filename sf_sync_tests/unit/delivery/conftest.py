"""The PIMA mappings, loaded once."""

from __future__ import annotations

import pytest

from sf_sync.delivery.mapping.routing import Registry
from sf_sync_tests.unit.delivery.samples import load_pima


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The mappings of the PIMA forms, with the types of their objects."""
    return load_pima()
