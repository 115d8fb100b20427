"""What an org's answer means for us: classed once, here. Bodies are JSON arrays, objects, HTML or nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

REST_AFTER_LIMIT = timedelta(minutes=15)  # requests free little by little, so nobody asks for a while


class SalesforceError(Exception):
    """An org refused, failed or could not be reached. `code` is the org's errorCode, or a word of ours."""

    def __init__(self, message: str, *, code: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class PermanentError(SalesforceError):
    """Asking again the same way gets the same answer."""


class TransientError(SalesforceError):
    """Asking again later may work."""


class SessionExpired(SalesforceError):
    """The token is no longer good (401): sign in once more and repeat."""


class SignInRefused(PermanentError):
    """The org refused to sign us in; asking again could lock the user out."""


class DailyLimitReached(PermanentError):
    """A 24-hour limit of the org is used up (trap E2): nothing helps until it frees, little by little.

    `retry_after` is the moment (UTC) before which asking again is of no use; the message ends with it.
    """

    def __init__(
        self, message: str, *, code: str = "", status: int | None = None, retry_after: datetime | None = None
    ) -> None:
        self.retry_after = _next_minute(retry_after or datetime.now(UTC) + REST_AFTER_LIMIT)
        super().__init__(
            f"{message}; retry after {self.retry_after:%Y-%m-%d %H:%M} UTC", code=code, status=status
        )


class BudgetReached(DailyLimitReached):
    """The share of the daily requests that syncs may use is used up; the org itself would still answer."""


class BulkLimitReached(DailyLimitReached):
    """The org takes no more query jobs, or stores no more of their results, in these 24 hours (trap E4)."""


class BulkRefused(PermanentError):
    """The Bulk API doesn't take this object or field; REST may (traps A3, A4, A5)."""


class UnknownField(PermanentError):
    """A selected field isn't there any more, or is hidden: describe again (trap A15)."""


class ObjectMissing(PermanentError):
    """The org has no such object, or hides it from the signed-in user."""


class LocatorExpired(PermanentError):
    """The position in a result is gone; the window has to be read from its last merged page (trap E8)."""


class QueryTooLarge(PermanentError):
    """The org gave up on the query: ask for a smaller window (traps E6, E7)."""


class TransferBroken(TransientError):
    """An answer broke off or didn't hold what it declared."""


TRANSIENT_STATUS = frozenset({406, 420, 429, 500, 502, 503, 504})
TOO_LARGE_CODES = frozenset({"QUERY_TIMEOUT", "OPERATION_TOO_LARGE", "QUERY_TOO_COMPLICATED"})
TOO_LARGE_WORDS = (
    "QUERY_TIMEOUT",
    "running for too long",
    "Retried more than",
    "Failed to write query result",
    "OPERATION_TOO_LARGE",
)
ADVICE = {
    # Trap E17: asking again meets the same policies.
    "TXN_SECURITY_METERING_ERROR": "exempt the integration user from the org's transaction security policies"
}
RESULTS_STORED = "query result size stored"  # the day's volume of results, said by a job that failed
SHOWN = 400  # characters of an answer that an error message repeats


@dataclass(frozen=True, slots=True)
class Answer:
    """The code and message of a refusal, whatever shape the body has."""

    code: str
    message: str


def read_answer(body: str) -> Answer:
    """The errorCode and message in a body: REST array, OAuth or Bulk 1.0 object, HTML, or nothing."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return Answer("", " ".join(body.split())[:SHOWN])
    first = parsed[0] if isinstance(parsed, list) and parsed else parsed
    if not isinstance(first, dict):
        return Answer("", str(first)[:SHOWN])
    code = first.get("errorCode") or first.get("error") or first.get("exceptionCode") or ""
    message = first.get("message") or first.get("error_description") or first.get("exceptionMessage") or ""
    return Answer(str(code), " ".join(str(message).split())[:SHOWN])


def refusal(status: int, body: str, doing: str) -> SalesforceError:
    """The error for an answer of status ≥ 300 to what we were `doing` (a phrase for the message)."""
    answer = read_answer(body)
    said = f"{answer.code}: {answer.message}".strip(": ") or "no message"
    message = f"{doing}: the org answered {status}, {said}"
    if answer.code in ADVICE:
        message += f"; {ADVICE[answer.code]}"
    kind = _kind(status, answer)
    return kind(message, code=answer.code, status=status)


def _kind(status: int, answer: Answer) -> type[SalesforceError]:
    code, message = answer.code, answer.message
    if status == 401:
        return SessionExpired
    if code == "REQUEST_LIMIT_EXCEEDED":
        return TransientError if "Concurrent" in message else DailyLimitReached
    if code == "LIMIT_EXCEEDED" or RESULTS_STORED in message:
        return BulkLimitReached
    if "compound data not supported" in message or "not supported by the Bulk API" in message:
        return BulkRefused
    if code in {"INVALIDENTITY", "FEATURENOTENABLED"} or message.endswith("does not support query"):
        return BulkRefused
    if code == "INVALID_FIELD" and "No such column" in message:
        return UnknownField
    if code.replace("_", "") == "INVALIDQUERYLOCATOR":  # Bulk writes its codes without underscores
        return LocatorExpired
    if too_large(code, message):
        return QueryTooLarge
    if status in TRANSIENT_STATUS or code in {"SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW"}:
        return TransientError
    return PermanentError


def too_large(code: str, message: str) -> bool:
    """Whether a refusal or a failed job says that the query asked for too much at once."""
    return code in TOO_LARGE_CODES or any(words in message for words in TOO_LARGE_WORDS)


def _next_minute(moment: datetime) -> datetime:
    """A whole minute that isn't before the moment: what people are told must not be too early."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
