"""The HTTP face as one application."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sf_sync.delivery.gathering import Gatherer
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.sources import COMMCARE, SALESFORCE
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync.web.answers import refusal
from sf_sync.web.health import Health
from sf_sync.web.intake import Intake
from sf_sync.web.keys import Keys
from sf_sync.web.limits import Limits, Room
from sf_sync.web.meters import Meters
from sf_sync.web.metrics import Metrics
from sf_sync.web.operations.delivering import OpenWorker, Waits
from sf_sync.web.operations.routes import add_operations
from sf_sync.web.page import add_page
from sf_sync.web.people import People
from sf_sync.web.storing import Storing

SOURCES = {"/process-data-cc": COMMCARE, "/process-data-sf": SALESFORCE}

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of.

    `registries` by source. `open_worker` opens a worker for those who ask for a delivery and wait for it; None where
    this process is not to deliver by itself.
    """

    database: Database
    keys: Keys
    registries: Mapping[str, Registry]
    people: People = field(default_factory=People)
    open_worker: OpenWorker | None = None
    connection_name: str = CONNECTION
    limits: Limits = field(default_factory=Limits)
    waits: Waits = field(default_factory=Waits)


def make_app(parts: Parts) -> FastAPI:
    """The application; it stores while its lifespan lasts."""
    gatherer = Gatherer(parts.database, parts.connection_name)
    room, meters = Room(parts.limits), Meters()
    storing = Storing(gatherer, parts.database, parts.connection_name, room)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with gatherer:
            yield
        storing.close()
        end_operations()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    for path, source in SOURCES.items():
        # A source without mappings of its own is told apart by the same routing names.
        registry = parts.registries.get(source.name) or parts.registries[COMMCARE.name]
        intake = Intake(source, registry, parts.keys, room, storing, meters)
        app.add_route(path, intake.receive, ["POST"])
    health = Health(parts.database, parts.connection_name, room)
    app.add_route("/healthz", health.alive, ["GET"])
    app.add_route("/readyz", health.ready, ["GET"])
    metrics = Metrics(parts.database, parts.connection_name, parts.keys, meters.registry)
    app.add_route("/metrics", metrics.show, ["GET"])
    end_operations = add_operations(
        app, parts.database, parts.connection_name, parts.people, parts.open_worker, parts.waits
    )
    add_page(app, parts)
    app.add_exception_handler(HTTPException, _not_served)
    app.add_exception_handler(Exception, _broken)
    return app


async def _not_served(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return refusal(405, f"expected {' or '.join(allowed.split(', '))} at this address", error.headers)
    return refusal(error.status_code, error.detail, error.headers)


async def _broken(_: Request, error: Exception) -> Response:
    # Messages of errors can hold values of a record; their kind can't.
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("a request broke", error=type(error).__name__, at=f"{place.filename}:{place.lineno}")
    return refusal(500, "something is wrong at our side; nothing is known to be stored")
