"""What the receiver's answer to a document means for the record (pima-commcare 4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from sf_sync.commcare.session import Answer
from sf_sync.delivery.destination import Write
from sf_sync.delivery.failures import Failure, FailureClass, without_values

FORM_ID = "X-CommCareHQ-FormID"
THROTTLED = frozenset({429, 503, 509})
# A case that isn't there yet: `InvalidCaseIndex: Case '…' references non-existent case '…'`.
NO_SUCH_CASE = re.compile(
    r"InvalidCaseIndex|CaseNotFound"
    r"|(non-?existent|missing|unknown|deleted) (parent|case)"
    r"|(case|parent)\b.{0,300}\b(not found|is missing|does(n't| not) exist)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The `message` of an answer: its nature, such as submit_success, and its text; empty where there is none."""

    nature: str = ""
    text: str = ""


def verdict_of(body: bytes) -> Verdict:
    """The message in an answer, with or without the namespace of OpenRosa."""
    if b"<!DOCTYPE" in body:
        return Verdict()
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - bounded, and without a document type no entity is declared
    except (ElementTree.ParseError, ValueError, LookupError):
        return Verdict()
    message = next((one for one in root.iter() if one.tag.rpartition("}")[2] == "message"), None)
    if message is None:
        return Verdict()
    return Verdict(message.get("nature", ""), "".join(message.itertext()).strip())


def failure_of(answer: Answer, write: Write) -> Failure | None:
    """Why a document was not taken; None where it was stored and processed: 201 and submit_success, nothing else."""
    verdict = verdict_of(answer.body)
    if answer.status == 201 and verdict.nature == "submit_success":
        return None
    said = without_values(verdict.text, write.fields.values())
    return Failure(
        _class_of(answer.status, verdict),
        verdict.nature.upper() or f"HTTP_{answer.status}",
        f"CommCare answered {answer.status}{f', {verdict.nature}' if verdict.nature else ' without a verdict'}"
        f"{f': {said}' if said else ''}",
    )


def _class_of(status: int, verdict: Verdict) -> FailureClass:
    if verdict.nature in ("submit_error", "processing_failure") and status in (201, 422):
        return "dependency" if NO_SUCH_CASE.search(verdict.text) else "permanent"
    if status in (400, 404, 422) and verdict.nature != "post_processing_failure":
        return "permanent"
    if 400 <= status < 500 and status not in (408, 422, *THROTTLED):
        return "permanent"
    return "transient"
