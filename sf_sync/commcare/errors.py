"""What CommCare's answer means for us: classed once, here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504, 509})
LONGEST_PAUSE = timedelta(hours=1)  # of what a Retry-After may ask for


class CommCareError(Exception):
    """CommCare refused, failed or could not be reached; `status` where it answered. No message holds a secret."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PermanentError(CommCareError):
    """Asking again the same way gets the same answer."""


class AnswerTooLong(PermanentError):
    """The answer is longer than what is read of one; less may be asked for."""


class ConfigurationError(PermanentError):
    """The credentials, their permissions or the address are wrong: nothing can be done until a person mends it."""


class TransientError(CommCareError):
    """Asking again later may work. `retry_after`: before that moment (UTC) it is of no use, where that is known."""

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: datetime | None = None
    ) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


def refusal(status: int, doing: str, retry_after: datetime | None = None) -> CommCareError:
    """The error for an answer of status ≥ 300 to what we were `doing` (a phrase for the message)."""
    said = f"{doing}: CommCare answered {status}"
    if status in (401, 403):
        return ConfigurationError(
            f"{said}; check CC_USERNAME and CC_API_KEY, and what that user may do in the project CC_DOMAIN",
            status=status,
        )
    if 300 <= status < 400:
        return ConfigurationError(
            f"{said}, a redirect, which is not followed with the key; check CC_BASE_URL and CC_DOMAIN",
            status=status,
        )
    if status in TRANSIENT_STATUS:
        return TransientError(said, status=status, retry_after=retry_after)
    return PermanentError(said, status=status)


def retry_moment(header: str | None) -> datetime | None:
    """The moment that a Retry-After header names, in seconds or as a date; None without a usable one.

    At most an hour from now, so that a wrong header stops nobody for a day.
    """
    if header is None:
        return None
    now = datetime.now(UTC)
    text = header.strip()
    try:
        asked = (
            now + min(timedelta(seconds=int(text[:9])), LONGEST_PAUSE)
            if text.isdecimal()
            else parsedate_to_datetime(text).astimezone(UTC)
        )
    except ValueError:
        return None
    return min(max(asked, now), now + LONGEST_PAUSE)
