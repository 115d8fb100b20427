"""What people call things: statuses, failures, spans of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Tone = Literal["good", "wait", "retry", "bad", "mute"]


@dataclass(frozen=True, slots=True)
class StatusWords:
    """A status as people say it, what it means, and the tone in which it is shown."""

    label: str
    says: str
    tone: Tone


STATUS: Mapping[str, StatusWords] = {
    "completed": StatusWords("Delivered", "Everything was written.", "good"),
    "new": StatusWords("Waiting", "Its turn comes as soon as a worker is free.", "wait"),
    "processing": StatusWords("Being delivered", "A worker has it in hand.", "wait"),
    "failed": StatusWords("Retrying", "It failed and is tried again by itself.", "retry"),
    "dead": StatusWords("Failed", "It is not tried again until somebody replays it.", "bad"),
    "held": StatusWords("On hold", "Somebody put it aside; it stays until it is replayed.", "retry"),
    "ignored": StatusWords("Ignored", "It is kept, and no mapping takes it.", "mute"),
    "superseded": StatusWords("Superseded", "A newer version took its place.", "mute"),
}

CLASSES: Mapping[str, tuple[str, str]] = {
    "permanent": (
        "Can't succeed as it is",
        "It fails again until the form, the mapping or the destination is changed. Then replay it.",
    ),
    "dependency": (
        "Something is missing",
        "A record that it refers to isn't there yet. It is tried again by itself when that arrives.",
    ),
    "transient": (
        "A passing problem",
        "The destination could not take it for the moment. It is tried again by itself.",
    ),
}

REASONS: Mapping[str, str] = {
    "REFUSED": "The form lacks something that its mapping requires.",
    "MAPPING_FAILED": "The mapping broke on this form; this is a mistake in the mapping.",
    "PLAN_UNREADABLE": "Its plan was recorded by another version of sf_sync; replay it with today's mapping.",
    "NO_DESTINATION": "The worker has no access to the place where it should go; its settings are missing.",
    "UNKNOWN_OUTCOME": "It was sent and no answer came; sending it again does no harm.",
    "DESTINATION_FAILED": "The destination broke while it took this.",
    "NO_MATCH": "A record that it changes or refers to is not in the destination yet.",
    "NO_TABLE": "The mapping writes to a table that isn't there.",
    "NO_COLUMN": "The mapping writes to a column that isn't there, or that no mapping may write.",
    "NO_KEY": "The mapping names a record by a field that is no key.",
    "NO_DOCUMENT": "Nothing describes what this becomes in CommCare.",
    "UNWRITABLE": "A value can't be written as CommCare needs it.",
    "NO_ANSWER": "No answer came from the destination.",
    "MULTIPLE_MATCHES": "Several records in the destination have this key; somebody has to merge them.",
    "INVALID_CROSS_REFERENCE_KEY": "A record that it refers to by id is not in the org, or not to be seen by us.",
    "INVALID_FIELD": "The org has no such field, or its user may not see it.",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "The org doesn't let its user write one of the fields.",
    "INVALID_TYPE": "The org has no such object, or its user may not see it.",
    "DUPLICATE_VALUE": "Another record has the same value in a field that must be unique.",
    "DUPLICATES_DETECTED": "A duplicate rule of the org refused it.",
    "REQUIRED_FIELD_MISSING": "The org requires a field that the form left empty.",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule of the org refused it.",
    "STRING_TOO_LONG": "A text is longer than its field in the org.",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "A value is not in the field's list in the org.",
    "NUMBER_OUTSIDE_VALID_RANGE": "A number is larger than its field in the org takes.",
    "MALFORMED_ID": "Something that should be a record id is none.",
    "ENTITY_IS_DELETED": "The record was deleted in the org.",
    "INSUFFICIENT_ACCESS_OR_READONLY": "The org's user may not write this record.",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "The org's user may not use a record that it refers to.",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "An automation of the org broke while the record was saved.",
    "UNABLE_TO_LOCK_ROW": "Somebody else was changing the record at that moment.",
    "REQUEST_LIMIT_EXCEEDED": "The org's API requests are used up for now.",
    "SERVER_UNAVAILABLE": "The org was not available.",
    "QUERY_TIMEOUT": "The org took too long to answer.",
}

_SPANS = ((86_400 * 2, 86_400, "day"), (3_600 * 2, 3_600, "hour"), (120, 60, "minute"), (0, 1, "second"))


def status(name: str) -> StatusWords:
    """The words of a status."""
    return STATUS.get(name) or StatusWords(name, "", "mute")


def class_of(name: str | None) -> tuple[str, str]:
    """A class of failures: its name and what follows from it."""
    return CLASSES.get(name or "", ("Failed", ""))


def reason(code: str | None, error_class: str | None) -> str:
    """A failure in one plain sentence."""
    return REASONS.get(code or "") or class_of(error_class)[1]


def ago(at: datetime, now: datetime) -> str:
    """How long ago a moment was, or how soon it is: `3 minutes ago`, `in 2 days`."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    _, size, name = next(one for one in _SPANS if abs(seconds) >= one[0])
    number = int(abs(seconds) // size)
    span = f"{number:,} {name}{'' if number == 1 else 's'}"
    return f"{span} ago" if seconds > 0 else f"in {span}"
