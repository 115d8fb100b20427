"""The operator's page: what arrived, what became of it, why something failed, and sending it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sf_sync.web.page import files
from sf_sync.web.page.desk import Desk
from sf_sync.web.page.overview import Overviews
from sf_sync.web.page.record import OneRecord
from sf_sync.web.page.records import Records
from sf_sync.web.page.replaying import Replaying
from sf_sync.web.page.signing_in import SigningIn

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sf_sync.web.app import Parts


def add_page(app: FastAPI, parts: Parts) -> None:
    """Serve the page at `/`, and everything that it links to."""
    desk = Desk(parts)
    signing_in = SigningIn(desk)
    records, record, replaying = Records(desk), OneRecord(desk), Replaying(desk)
    app.add_route("/", desk.shown(Overviews(desk).show), ["GET"])
    app.add_route("/sign-in", signing_in.ask, ["GET"])
    app.add_route("/sign-in", signing_in.sign_in, ["POST"])
    app.add_route("/sign-out", desk.shown(signing_in.sign_out), ["POST"])
    app.add_route("/records", desk.shown(records.show), ["GET"])
    app.add_route("/records/{receipt}", desk.shown(record.show), ["GET"])
    app.add_route("/records/{receipt}/values", desk.shown(record.show_values), ["POST"])
    app.add_route("/replay/ask", desk.shown(replaying.ask), ["POST"])
    app.add_route("/replay", desk.shown(replaying.replay), ["POST"])
    for name in files.FILES:
        app.add_route(f"/page/{name}", files.serve(name), ["GET"])
