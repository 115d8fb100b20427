"""What the org's refusals mean: tried again or not, and said without the record's values."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sf_sync.delivery.destination import Write
from sf_sync.delivery.destinations.salesforce_errors import failure_of
from sf_sync.delivery.failures import Backoff, Failure, leading, without_values
from sf_sync.salesforce.collections import RowError

WRITE = Write(0, "upsert", "Participant__c", {"Case__c": "p1"}, {"Phone__c": "+254 700 123456"}, {})


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", "transient"),
        (
            "DUPLICATE_VALUE",
            "duplicate value found: Case__c duplicates value on record with id: 003",
            "transient",
        ),
        (
            "DUPLICATE_VALUE",
            "duplicate value found: Phone__c duplicates value on record with id: 003",
            "permanent",
        ),
        ("INVALID_FIELD", "Foreign key external ID: x not found for field K in entity E", "dependency"),
        ("INVALID_FIELD", "Foreign key external ID: x matches more than one record for field K", "permanent"),
        ("INVALID_FIELD", "No such column 'X' on sobject of type E", "permanent"),
        ("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", "dependency"),
        (
            "INVALID_CROSS_REFERENCE_KEY",
            "Record Type ID: this ID value isn't valid for the user: 012",
            "permanent",
        ),
        ("ENTITY_IS_DELETED", "entity is deleted", "dependency"),
        ("DUPLICATES_DETECTED", "Use one of these records?", "permanent"),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "not on Mondays", "permanent"),
        ("SOMETHING_NEW", "", "permanent"),
    ],
)
def test_refusals_are_classed(code: str, message: str, kind: str) -> None:
    assert failure_of([RowError(code, message, ())], WRITE).kind == kind


def test_one_reason_that_never_passes_is_enough() -> None:
    errors = [RowError("UNABLE_TO_LOCK_ROW", "", ()), RowError("STRING_TOO_LONG", "", ("Name",))]

    assert failure_of(errors, WRITE).code == "STRING_TOO_LONG"


def test_a_message_keeps_the_field_and_loses_the_value() -> None:
    said = failure_of(
        [RowError("X", "Phone: value too large: +254  700 123456 (max length=4)", ("Phone__c",))], WRITE
    )

    assert said.message == "Phone: value too large: … (max length=4) (Phone__c)"


def test_values_that_hold_each_other_are_taken_out_whole() -> None:
    assert without_values("bad: Ann Marie Smith", ["Ann", "Ann Marie Smith"]) == "bad: …"


def test_short_values_do_not_break_the_words_of_a_message() -> None:
    said = "No such column 'Active__c'; Active is not one of Yes, No"

    assert (
        without_values(said, ["No", "Active", True]) == "No such column 'Active__c'; … is not one of Yes, No"
    )


def test_a_failure_that_can_pass_decides_before_one_that_cannot() -> None:
    failures = [
        Failure("permanent", "P", ""),
        Failure("dependency", "D", ""),
        Failure("transient", "T", ""),
    ]

    assert leading(failures).code == "T"
    assert leading(failures[:2]).code == "D"


def test_waits_double_up_to_the_longest_and_differ() -> None:
    backoff = Backoff(timedelta(seconds=10), timedelta(seconds=60), 5)
    waits = {n: [backoff.wait(n).total_seconds() for _ in range(50)] for n in (1, 2, 9)}

    assert all(5 <= one <= 10 for one in waits[1])
    assert all(10 <= one <= 20 for one in waits[2])
    assert all(30 <= one <= 60 for one in waits[9])
    assert len(set(waits[1])) > 1
