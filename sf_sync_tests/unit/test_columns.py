"""What a describe becomes in PostgreSQL."""

from __future__ import annotations

import pytest

from sf_sync.catalog.columns import shape
from sf_sync.catalog.definition import CatalogError, Fields, ObjectDefinition, Source
from sf_sync.salesforce.describe import Field, ObjectDescribe

SYSTEM = [("Id", "id"), ("SystemModstamp", "datetime"), ("IsDeleted", "boolean")]


def described(*fields: tuple[str, str] | tuple[str, str, str], system: bool = True) -> ObjectDescribe:
    every = [*(SYSTEM if system else []), *fields]
    return ObjectDescribe(
        name="Contact",
        fields=tuple(
            Field(
                name=name,
                type=type_,
                custom=name.endswith(("__c", "__s")),
                compound_field_name=compound[0] if compound else None,
            )
            for name, type_, *compound in every
        ),
    )


def definition(**fields: object) -> ObjectDefinition:
    return ObjectDefinition(
        name="contacts",
        table="sf_contacts",
        sources=(Source(sobject="Contact"),),
        fields=Fields.model_validate(fields),
    )


def columns(description: ObjectDescribe, **fields: object) -> dict[str, str]:
    one = definition(**fields)
    return {c.name: c.type for c in shape(one, one.sources[0], description).columns}


def test_every_type_has_a_column_that_loses_nothing() -> None:
    found = columns(
        described(
            ("AccountId", "reference"),
            ("Amount__c", "currency"),
            ("Pieces__c", "int"),
            ("Day__c", "date"),
            ("Tags__c", "multipicklist"),
            ("Story__c", "textarea"),
            ("At__c", "time"),
            ("Odd__c", "anyType"),
        )
    )
    assert found == {
        "salesforce_id": "id",
        "sf_system_modstamp": "timestamptz",
        "is_deleted": "boolean",
        "account_id": "id",
        "amount": "numeric",
        "pieces": "integer",
        "day": "date",
        "tags": "text",
        "story": "text",
        "at": "time",
        "odd": "text",
    }


def test_a_compound_address_is_made_from_its_components_and_never_selected() -> None:
    one = definition()
    made = shape(
        one,
        one.sources[0],
        described(
            ("MailingAddress", "address"),
            ("MailingCity", "string", "MailingAddress"),
            ("MailingStreet", "textarea", "MailingAddress"),
            ("MN_Address__c", "address"),
            ("MN_Address__PostalCode__s", "string", "MN_Address__c"),
        ),
    )
    assert "MailingAddress" not in made.fields
    assert {c.name: c.parts for c in made.compounds} == {
        "mailing_address": (("city", "MailingCity"), ("street", "MailingStreet")),
        "mn_address": (("postalCode", "MN_Address__PostalCode__s"),),
    }


def test_fields_are_narrowed_by_include_but_never_below_what_a_merge_needs() -> None:
    found = columns(described(("Name", "string"), ("Phone", "phone")), include=["Name"])
    assert list(found) == ["salesforce_id", "sf_system_modstamp", "is_deleted", "name"]


def test_an_included_field_that_the_org_does_not_show_is_named() -> None:
    with pytest.raises(CatalogError, match="names Secret__c"):
        columns(described(), include=["Secret__c"])


def test_an_object_without_a_visible_cursor_is_refused_with_what_to_do() -> None:
    with pytest.raises(CatalogError, match="no field SystemModstamp; grant read access"):
        columns(described(("Id", "id"), system=False))


def test_files_are_not_read_with_the_rows() -> None:
    assert "body" not in columns(described(("Body", "base64")))
