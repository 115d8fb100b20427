"""What senders are told."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from sf_sync.delivery.records import Receipt
from sf_sync.web.authentication import Forbidden, Unauthorized
from sf_sync.web.judging import ERRORS, TAKEN, Judged
from sf_sync.web.limits import RETRY_AFTER_S

DEFERRED = "Data stored, processing deferred"


def answer(judged: Judged, receipt: Receipt) -> JSONResponse:
    """What became of a body that is stored."""
    told: dict[str, object] = {"receipt": str(receipt.receipt_id), "duplicate": receipt.duplicate}
    if judged.record.refused is not None:
        told["reason"] = judged.record.refused
    if judged.status == TAKEN:
        return JSONResponse({"status": DEFERRED, **told})
    return JSONResponse({"error": ERRORS[judged.status], **told}, judged.status)


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Why nothing is stored."""
    return JSONResponse({"error": sentence}, status, headers)


def busy(sentence: str) -> JSONResponse:
    """Nothing is stored now; the same request may be sent again."""
    return refusal(503, sentence, {"Retry-After": str(RETRY_AFTER_S)})


def unknown_sender(error: Unauthorized | Forbidden) -> JSONResponse:
    """The sender has to say who it is, or may not send."""
    if isinstance(error, Forbidden):
        return refusal(403, str(error))
    return refusal(401, str(error), {"WWW-Authenticate": 'Basic realm="sf_sync", charset="UTF-8"'})
