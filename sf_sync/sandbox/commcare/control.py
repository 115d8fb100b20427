"""What another process may do to the project space: `/control/…`, with the token of the state file.

`POST /control/forms` takes a form as JSON, or a list of forms, as if phones had sent them. `POST /control/faults` puts
a fault in force and `DELETE` takes all away. `GET /control/forwarding` tells what became of the forms to forward.
"""

from __future__ import annotations

import hmac
from collections import Counter
from typing import TYPE_CHECKING

from sf_sync.sandbox.errors import ApiError
from sf_sync.sandbox.http import Call, Reply, json_reply

if TYPE_CHECKING:
    from .server import LocalCommCare

PREFIX = "/control/"
TOKEN = "x-control-token"  # noqa: S105 - the name of a header


def answer(commcare: LocalCommCare, call: Call) -> Reply:
    """Carry out a call; 403 without the token."""
    if not hmac.compare_digest(call.headers.get(TOKEN, "").encode(), commcare.control_token.encode()):
        return json_reply({"error": "X-Control-Token is missing or wrong"}, 403)
    asked = call.method, call.path.removeprefix(PREFIX).strip("/")
    if asked == ("POST", "forms"):
        given = call.json()
        documents = given if isinstance(given, list) else [given]
        if not all(isinstance(one, dict) and isinstance(one.get("form"), dict) for one in documents):
            raise ApiError(400, "", "expected a form, or a list of forms: objects with a member `form`")
        received = [commcare.submit(one) for one in documents]
        return json_reply(
            [{"id": one.form_id, "outcome": one.outcome, "problem": one.problem} for one in received]
        )
    if asked == ("POST", "faults"):
        try:
            commcare.faults.add(**call.json_object())
        except (TypeError, ValueError) as error:
            raise ApiError(400, "", str(error)) from None
        return Reply(204)
    if asked == ("DELETE", "faults"):
        commcare.faults.clear()
        return Reply(204)
    if asked == ("GET", "forwarding"):
        states = Counter(record.state for forwarder in commcare.forwarders for record in forwarder.records)
        cancelled = [form_id for forwarder in commcare.forwarders for form_id in forwarder.cancelled]
        return json_reply({**states, "cancelled_forms": cancelled})
    return json_reply({"error": "there is no such control"}, 404)
