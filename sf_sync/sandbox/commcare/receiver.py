"""The submission API: `POST /a/{domain}/receiver/` and `/receiver/{application}/`.

Which answer means what follows HQ's documentation of the submission API and, where that is silent, its source: under
protocol 2 a known error is 201 with `submit_error`, and an identical duplicate is one too; under protocol 3 they are
422 and success.
"""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from xml.etree import ElementTree

from sf_sync.sandbox.http import Call, Reply

from . import xforms
from .space import ProjectSpace

PART = "xml_submission_file"
SUCCESS = "submit_success"
ERROR = "submit_error"
PROCESSING_FAILURE = "processing_failure"
_NAMESPACE = "http://openrosa.org/http/response"
_TICK = "   √   "


def answer(space: ProjectSpace, call: Call, application: str | None) -> Reply:
    """Take a submission."""
    if call.method != "POST":
        return Reply(405, b"", {"Allow": "POST"})
    third = call.headers.get("x-openrosa-version") == "3.0"
    document = _document(call)
    if document is None:
        return Reply(400, f"There is no part named {PART}.".encode(), {"Content-Type": "text/plain"})
    try:
        form = xforms.parse(document)
    except xforms.UnreadableForm as unreadable:
        text = f"There was an error processing the form: {unreadable}"
        return _open_rosa(422, PROCESSING_FAILURE, text) if third else _open_rosa(500, ERROR, text)
    received = space.receive(form, document, application)
    headers = {
        "X-CommCareHQ-FormID": received.form_id,
        "Location": f"{call.base}/a/{space.domain}/reports/form_data/{received.form_id}/",
    }
    if received.problem is None or (third and received.outcome == "duplicate"):
        return _open_rosa(201, SUCCESS, _TICK, headers)
    if third:
        return _open_rosa(422, PROCESSING_FAILURE, received.problem, headers)
    return _open_rosa(201, ERROR, received.problem, headers)


def _document(call: Call) -> bytes | None:
    """The XML of a request: its body, or a part of it."""
    kind = call.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        return call.body
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = BytesParser(EmailMessage, policy=policy.HTTP).parsebytes(head + call.body)
    for part in message.iter_parts():
        if part.get_param("name", header="content-disposition") == PART:
            payload = part.get_payload(decode=True)
            return payload if isinstance(payload, bytes) else None
    return None


def _open_rosa(status: int, nature: str, text: str, headers: dict[str, str] | None = None) -> Reply:
    response = ElementTree.Element("OpenRosaResponse", {"xmlns": _NAMESPACE})
    message = ElementTree.SubElement(response, "message", {"nature": nature})
    message.text = text
    body = ElementTree.tostring(response, encoding="utf-8")
    return Reply(status, body, {"Content-Type": "text/html; charset=utf-8", **(headers or {})})
