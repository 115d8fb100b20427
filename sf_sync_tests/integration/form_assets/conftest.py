"""An org of the programme, and what Dagster has of its forms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg
import psycopg
import pytest

from sf_sync.defs import forms as forms_module
from sf_sync.defs import resources
from sf_sync.defs.form_checks import form_checks
from sf_sync.defs.form_retention import form_retention
from sf_sync.defs.form_schedules import hourly_forms
from sf_sync.defs.forms import forms
from sf_sync.defs.inbox import inbox
from sf_sync.defs.redelivery import redelivering
from sf_sync.defs.resources import DeliveryEngine
from sf_sync.delivery.finishing import Patience
from sf_sync.salesforce.org import open_session
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import Settings
from sf_sync.store.database import Database
from sf_sync_tests.conftest import QUICK


@pytest.fixture
def org() -> Iterator[LocalOrg]:
    with LocalOrg(pima=True) as running:
        yield running


@pytest.fixture(autouse=True)
def _led_to_the_test(org: LocalOrg, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_INSTANCE_URL", org.url)
    monkeypatch.setenv("SF_CLIENT_ID", org.client_id)
    monkeypatch.setenv("SF_CLIENT_SECRET", org.client_secret)
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    monkeypatch.setenv("SF_SYNC_FIRST_DAY", "2025-05-01")
    monkeypatch.setattr(resources, "open_session", partial(open_session, retries=QUICK))
    monkeypatch.setattr(forms_module, "PATIENCE", Patience(drain_s=60, others_s=0))


@pytest.fixture
def defs() -> dg.Definitions:
    settings = Settings.load()
    return dg.Definitions.merge(
        forms(settings),
        form_checks(settings),
        hourly_forms(settings),
        inbox(settings),
        redelivering(),
        form_retention(settings),
        dg.Definitions(resources={"delivery": DeliveryEngine()}),
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def db(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect("test", autocommit=True) as connection:
        yield connection
