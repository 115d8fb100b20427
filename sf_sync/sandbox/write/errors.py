"""Why a record is not written, in the org's words (protocol §2.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sf_sync.sandbox.schema import Field

GONE = frozenset({"NOT_FOUND", "ENTITY_IS_DELETED"})


@dataclass(frozen=True, slots=True)
class RowError:
    """One error of one record; `more` are members that only the single-record resources show."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def single(self) -> dict[str, Any]:
        """An element of the answer about one record."""
        return {"message": self.message, "errorCode": self.code, "fields": list(self.fields), **self.more}

    def in_collection(self) -> dict[str, Any]:
        """An element of `errors` of a collection's row, which says `statusCode`."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}


class Refused(Exception):
    """A record that is not written."""

    def __init__(self, *errors: RowError) -> None:
        """Keep the reasons."""
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors

    @property
    def status(self) -> int:
        """The HTTP status of the single-record resources."""
        about_itself = self.errors[0].code in GONE and not self.errors[0].fields
        return 404 if about_itself else 400


class Ambiguous(Exception):
    """An upsert whose key several records have."""

    def __init__(self, label: str, ids: Sequence[str]) -> None:
        """Keep the records."""
        super().__init__(f"more than one record found for {label}")
        self.label = label
        self.ids = tuple(ids)

    def row(self) -> RowError:
        """The same as an error of a collection's row."""
        found = ", ".join(self.ids)
        return RowError(
            "DUPLICATE_EXTERNAL_ID",
            f"{self.label}: more than one record found for external id field: [{found}]",
        )


def no_such_column(name: str, entity: str) -> RowError:
    """A name that is no field, or one that the user can't see."""
    return RowError("INVALID_FIELD", f"No such column '{name}' on sobject of type {entity}")


def unsuitable(kind: str, value: object, column: int) -> RowError:
    """A JSON value that the field's type can't be read from. The org names the place and not the field."""
    token, shown = _token(value)
    place = f"[line:1, column:{column}]"
    if token.startswith("START"):
        return RowError(
            "JSON_PARSER_ERROR", f"Cannot deserialize instance of {kind} from {token} value {place}"
        )
    return RowError(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {kind} from {token} value {shown} or request may be missing a required "
        f"field at {place}",
    )


def _token(value: object) -> tuple[str, str]:
    if isinstance(value, bool):
        return f"VALUE_{str(value).upper()}", ""
    if isinstance(value, int):
        return "VALUE_NUMBER_INT", str(value)
    if isinstance(value, float):
        return "VALUE_NUMBER_FLOAT", str(value)
    if isinstance(value, str):
        return "VALUE_STRING", value
    return ("START_ARRAY" if isinstance(value, list) else "START_OBJECT"), ""


def not_writable(names: Sequence[str]) -> RowError:
    """Fields that nobody, or not this user, writes."""
    text = (
        f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this field "
        "and verify that it is read/write for your profile or permission set."
    )
    return RowError("INVALID_FIELD_FOR_INSERT_UPDATE", text, tuple(names))


def missing(names: Sequence[str]) -> RowError:
    """Required fields that would be empty."""
    return RowError(
        "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(names)}]", tuple(names)
    )


def too_long(field: Field, text: str) -> RowError:
    """A text over the field's length; nothing is ever cut here (trap B19)."""
    return RowError(
        "STRING_TOO_LONG",
        f"{field.label}: data value too large: {text} (max length={field.length})",
        (field.name,),
    )


def not_in_picklist(field: Field, text: str) -> RowError:
    """A value that a restricted picklist does not have."""
    return RowError(
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        f"{field.label}: bad value for restricted picklist field: {text}",
        (field.name,),
    )


def bad_email(field: Field, text: str) -> RowError:
    """A text that is no e-mail address."""
    return RowError("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", (field.name,))


def out_of_range(field: Field, text: str) -> RowError:
    """A number with more digits than the field has, or a coordinate off the globe."""
    return RowError(
        "NUMBER_OUTSIDE_VALID_RANGE",
        f"{field.label}: value outside of valid range on numeric field: {text}",
        (field.name,),
    )


def wrong_id(field: Field, text: str) -> RowError:
    """A text that is no id of the objects that the field refers to."""
    return RowError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {text}", (field.name,))


def no_such_record(field: Field) -> RowError:
    """An id that belongs to no record."""
    return RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", (field.name,))


def no_such_record_type(field: Field, text: str) -> RowError:
    """A record type that the object does not have."""
    return RowError(
        "INVALID_CROSS_REFERENCE_KEY",
        f"Record Type ID: this ID value isn't valid for the user: {text}",
        (field.name,),
    )


def no_such_parent(value: str, key: str, entity: str) -> RowError:
    """A relationship by external id that leads to nothing."""
    return RowError(
        "INVALID_FIELD", f"Foreign key external ID: {value} not found for field {key} in entity {entity}"
    )


def several_parents(value: str, key: str, entity: str) -> RowError:
    """A relationship by external id that leads to several records."""
    text = f"Foreign key external ID: {value} matches more than one record for field {key} in entity {entity}"
    return RowError("INVALID_FIELD", text)


def duplicate_value(name: str, record_id: str) -> RowError:
    """A unique value that another record has."""
    text = f"duplicate value found: {name} duplicates value on record with id: {record_id}"
    return RowError("DUPLICATE_VALUE", text)


def locked(record_ids: Sequence[str]) -> RowError:
    """Rows that somebody else is writing."""
    text = (
        f"unable to obtain exclusive access to this record or {len(record_ids)} records: {','.join(record_ids)}"
        if record_ids
        else "unable to obtain exclusive access to this record"
    )
    return RowError("UNABLE_TO_LOCK_ROW", text)


def rolled_back() -> RowError:
    """A good row of a request with allOrNone in which another row failed."""
    return RowError(
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "Record rolled back because not all records were valid and the request was using AllOrNone header",
    )


def duplicates_detected(entity: str, record_ids: Sequence[str], message: str) -> RowError:
    """A duplicate rule spoke; `duplicateResut` is misspelt on the wire too."""
    records = [{"additionalInformation": [], "fieldDiffs": [], "record": {"Id": i}} for i in record_ids]
    match = {
        "entityType": entity,
        "errors": [],
        "matchEngine": "ExactMatchEngine",
        "matchRecords": records,
        "success": True,
    }
    result = {
        "allowSave": True,
        "duplicateRule": f"Standard_{entity}_Duplicate_Rule",
        "duplicateRuleEntityType": entity,
        "errorMessage": message,
        "matchResults": [match],
    }
    return RowError("DUPLICATES_DETECTED", message, more={"duplicateResut": result})


def duplicate_key(value: str, name: str) -> RowError:
    """An external id that stands more than once in a request: every row with it fails (trap F7)."""
    return RowError("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", (name,))


def duplicate_id(record_id: str) -> RowError:
    """An id that stands more than once in a request."""
    return RowError("DUPLICATE_VALUE", f"duplicate id specified: {record_id}", ("Id",))
