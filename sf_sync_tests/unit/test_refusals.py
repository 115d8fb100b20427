"""One refusal, one class: limits that look alike are told apart, and the moment to ask again is said."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from sf_sync.salesforce.errors import (
    REST_AFTER_LIMIT,
    BulkLimitReached,
    DailyLimitReached,
    PermanentError,
    SalesforceError,
    TransientError,
    refusal,
)


def refused(status: int, code: str, message: str) -> SalesforceError:
    return refusal(status, json.dumps([{"errorCode": code, "message": message}]), "asking")


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", DailyLimitReached),
        (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded", TransientError),
        (
            400,
            "LIMIT_EXCEEDED",
            "Maximum number of query jobs per 24 hours has been exceeded",
            BulkLimitReached,
        ),
        (403, "TXN_SECURITY_METERING_ERROR", "policies took too long to complete.", PermanentError),
    ],
)
def test_limits_are_told_apart(status: int, code: str, message: str, kind: type[SalesforceError]) -> None:
    assert type(refused(status, code, message)) is kind


def test_a_daily_limit_says_when_to_ask_again_and_never_too_early() -> None:
    before = datetime.now(UTC)
    error = refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    assert isinstance(error, DailyLimitReached)
    assert timedelta() <= error.retry_after - (before + REST_AFTER_LIMIT) <= timedelta(minutes=1, seconds=1)
    assert str(error).endswith(f"; retry after {error.retry_after:%Y-%m-%d %H:%M} UTC")


def test_transaction_security_comes_with_advice() -> None:
    error = refused(403, "TXN_SECURITY_METERING_ERROR", "policies took too long to complete.")
    assert "exempt the integration user" in str(error)
