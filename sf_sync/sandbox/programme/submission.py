"""One form as CommCare forwards it: answers, meta and what the server adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

Answers = dict[str, Any]
Document = dict[str, Any]

SENT_AFTER = timedelta(minutes=20)  # a phone finds a network some time after the form was filled in
TOOK = timedelta(minutes=25)
WORKER_ID = "4c8b2d6e1f3a5970b8d4e6f2a1c3b5d7"


@dataclass(frozen=True, slots=True)
class App:
    """An application of the project space, in one build."""

    id: str
    build: int
    username: str


def submission(
    name: str, answers: Mapping[str, Any], at: datetime, app: App, random: Random, *, id: str | None = None
) -> Document:
    """A form named so, finished at a moment; another `id` than a new one is that of a form which it edits."""
    id = id or new_id(random)
    meta = {
        "instanceID": id,
        "timeStart": stamp(at - TOOK),
        "timeEnd": stamp(at),
        "userID": WORKER_ID,
        "username": app.username,
        "deviceID": "commcare_demo",
        "appVersion": f"CommCare Android 2.55.1, app build {app.build}",
        "app_build_version": app.build,
        "commcare_version": "2.55.1",
        "drift": "0",
        "geo_point": None,
    }
    received = stamp(at + SENT_AFTER)
    return {
        "id": id,
        "type": "data",
        "version": "88",
        "uiversion": "1",
        "app_id": app.id,
        "build_id": None,
        "domain": "pima-demo",
        "received_on": received,
        "server_modified_on": received,
        "edited_on": None,
        "edited_by_user_id": None,
        "archived": False,
        "problem": None,
        "initial_processing_complete": True,
        "is_phone_submission": True,
        "submit_ip": None,
        "resource_uri": "",
        "attachments": {
            "form.xml": {"content_type": "text/xml", "length": 4_000},
            **{file: {"content_type": "image/jpeg", "length": 120_000} for file in _files(answers)},
        },
        "form": {
            "#type": "data",
            "@name": name,
            "@uiVersion": "1",
            "@version": "88",
            **answers,
            "meta": meta,
        },
        "metadata": dict(meta),
    }


def case(case_id: str, at: datetime, **update: str) -> dict[str, Any]:
    """The case block of a case that a form touches."""
    return {
        "@case_id": case_id,
        "@date_modified": stamp(at),
        "@user_id": WORKER_ID,
        "@xmlns": "http://commcarehq.org/case/transaction/v2",
        **({"update": update} if update else {}),
    }


def stamp(at: datetime) -> str:
    """A moment as CommCare writes it."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}Z"


def new_id(random: Random) -> str:
    """An id that the same seed makes again."""
    return str(UUID(int=random.getrandbits(128), version=4))


def photo(at: datetime, number: int) -> str:
    """The name that a phone gives a picture."""
    return f"{int(at.timestamp())}{number:03d}.jpg"


def place(random: Random, latitude: float, longitude: float, metres: float) -> str:
    """A position near a point: latitude, longitude, altitude and accuracy."""
    spread = metres / 111_000
    return (
        f"{latitude + random.uniform(-spread, spread):.7f} {longitude + random.uniform(-spread, spread):.7f} "
        f"{random.randint(1_500, 1_900)}.0 {random.uniform(3, 9):.1f}"
    )


def _files(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if value.endswith(".jpg") else []
    if isinstance(value, Mapping):
        return [file for one in value.values() for file in _files(one)]
    return []
