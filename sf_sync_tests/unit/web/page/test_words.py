"""Words for statuses, failures and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sf_sync.delivery.status import STATUSES
from sf_sync.web.page.rendering import visible
from sf_sync.web.page.words import CLASSES, STATUS, ago, reason

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_every_status_has_its_words() -> None:
    assert set(STATUS) == set(STATUSES)


def test_a_code_that_nobody_wrote_a_sentence_for_is_told_by_its_class() -> None:
    assert reason("SOMETHING_NEW", "transient") == CLASSES["transient"][1]


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (0, "now"),
        (1, "1 second ago"),
        (119, "119 seconds ago"),
        (120, "2 minutes ago"),
        (7_199, "119 minutes ago"),
        (7_200, "2 hours ago"),
        (86_400 * 3, "3 days ago"),
        (-90, "in 90 seconds"),
        (-86_400 * 400, "in 400 days"),
    ],
)
def test_a_moment_is_told_as_people_do(seconds: int, says: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == says


def test_what_nobody_sees_is_written_out() -> None:
    assert visible("a\u202eb\x00c\u200bd\n") == "a\\u202eb\\u0000c\\u200bd\n"
    assert visible("ስም 名前 الاسم é") == "ስም 名前 الاسم é"
