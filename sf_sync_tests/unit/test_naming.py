"""Column names follow the rule that people's SQL relies on, whatever the org calls its fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_sync.catalog.naming import MAX_BYTES, column_name, column_names
from sf_sync.salesforce.describe import Field


def field(name: str, type_: str = "string") -> Field:
    return Field(name=name, type=type_, custom=name.endswith("__c"))


@pytest.mark.parametrize(
    ("api_name", "type_", "column"),
    [
        ("Id", "id", "salesforce_id"),
        ("SystemModstamp", "datetime", "sf_system_modstamp"),
        ("CreatedDate", "datetime", "sf_created_date"),
        ("LastModifiedDate", "datetime", "sf_last_modified_date"),
        ("CreatedById", "reference", "created_by_id"),
        ("FirstName", "string", "first_name"),
        ("NPI__c", "string", "npi"),
        ("Business_Entity__c", "reference", "business_entity_id"),
        ("Last_Visited_By_Rep__c", "reference", "last_visited_by_rep_id"),
        ("MN_Address__Street__s", "textarea", "mn_address_street"),
        ("MN_Address__Latitude__s", "double", "mn_address_latitude"),
        ("LastCURequestDate", "datetime", "last_cu_request_date"),
        ("CompletedDateTime", "datetime", "completed_datetime"),
        ("IsEmailBounced", "boolean", "is_email_bounced"),
        ("Employment_Status_MN__c", "picklist", "employment_status_mn"),
    ],
)
def test_a_field_has_the_column_name_that_consumers_know(api_name: str, type_: str, column: str) -> None:
    assert column_name(field(api_name, type_)) == column


def test_when_two_fields_want_one_name_the_standard_one_keeps_it() -> None:
    names = column_names([field("Title__c"), field("Title")], rename={})
    assert names == {"Title": "title", "Title__c": "title_c"}


def test_the_discriminator_keeps_its_name_and_the_field_takes_the_one_of_the_catalog() -> None:
    names = column_names([field("Type")], rename={"Type": "activity_type"}, taken=["type"])
    assert names == {"Type": "activity_type"}


def test_no_field_takes_a_column_of_ours() -> None:
    names = column_names([field("_Read_At__c")], rename={}, taken=["read_at"])
    assert names["_Read_At__c"] != "read_at"


@given(st.sets(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,70}(__c)?", fullmatch=True), max_size=30))
def test_names_are_unique_fit_postgresql_and_do_not_depend_on_the_order_of_describe(names: set[str]) -> None:
    fields = [field(name) for name in names]
    columns = column_names(fields, rename={})
    assert len(set(columns.values())) == len(names)
    assert all(len(column.encode()) <= MAX_BYTES for column in columns.values())
    assert column_names(fields[::-1], rename={}) == columns
