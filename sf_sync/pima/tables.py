"""The wet mills' tables in schema `pima`, with the seed's names and types, as SQLAlchemy metadata.

`tbl_users` belongs to the staff's application: it is made where it isn't there, and only read. Points are what
`store.geography` makes of them. A column without a time zone holds UTC; a date in one is its midnight.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE

from sf_sync.store.geography import Point

SCHEMA = "pima"
NOW = text("timezone('utc', now())")

metadata = MetaData(schema=SCHEMA)


def _id(name: str = "id") -> Column[UUID]:
    return Column(name, UUID_TYPE(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()"))


def _parent(name: str, column: str) -> Column[UUID]:
    return Column(name, UUID_TYPE(as_uuid=True), ForeignKey(column, ondelete="CASCADE"), nullable=False)


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, String) for name in names]


def _written(created: str = "created_at", updated: str = "updated_at") -> list[Column[datetime]]:
    """When a row came and when it was last written; the second moves with every write of ours."""
    return [
        Column(created, TIMESTAMP, nullable=False, server_default=NOW),
        Column(updated, TIMESTAMP, nullable=False, server_default=NOW, onupdate=NOW),
    ]


def _submission() -> Column[str]:
    return Column(
        "submission_id", String, nullable=False, unique=True, comment="The key that forms write by."
    )


users = Table(
    "tbl_users",
    metadata,
    _id("user_id"),
    Column("sf_user_id", String(50), unique=True, comment="The id of the Salesforce contact."),
    Column("user_name", String(255)),
    Column("user_email", String(255)),
    Column("user_password", String(255), comment="Never read nor written by sf_sync."),
    Column("mobile_no", String(50)),
    Column("role_id", UUID_TYPE(as_uuid=True)),
    Column("account_status", String(20), server_default=text("'active'"), comment="active or inactive."),
    *_written("createdAt", "updatedAt"),
    info={"foreign": True},
    comment="People of the staff's application; sf_sync reads who has which Salesforce id.",
)

wetmills = Table(
    "wetmills",
    metadata,
    _id(),
    Column("wet_mill_unique_id", String, nullable=False),
    Column("commcare_case_id", String, unique=True, comment="The key that forms write by."),
    *_texts("name", "mill_status", "exporting_status", "vertical_integration", "programme", "country"),
    *_texts("manager_name", "manager_role"),
    Column("comments", Text),
    Column("wetmill_counter", Integer, comment="Kept by the staff; sf_sync doesn't write it."),
    *_texts("ba_signature", "manager_signature", "tor_page_picture", "office_entrance_picture"),
    Column("registration_date", Date),
    Column("date_ba_signature", Date),
    Column("office_gps", Point),
    Column("user_id", UUID_TYPE(as_uuid=True), ForeignKey(users.c.user_id)),
    *_written(),
    comment="Wet mills, as they were registered.",
)
Index("wetmills_user", wetmills.c.user_id)

form_visits = Table(
    "form_visits",
    metadata,
    _id(),
    _submission(),
    _parent("wetmill_id", "pima.wetmills.id"),
    Column("user_id", UUID_TYPE(as_uuid=True), comment="Who registered the mill."),
    Column("form_name", String, nullable=False),
    Column("visit_date", TIMESTAMP, nullable=False),
    Column("entrance_photograph", String),
    Column("geo_location", Point),
    *_written(),
    comment="Visits of wet mills.",
)
Index("form_visits_wetmill", form_visits.c.wetmill_id)

survey_responses = Table(
    "survey_responses",
    metadata,
    _id(),
    _submission(),
    _parent("form_visit_id", "pima.form_visits.id"),
    Column("survey_type", String, nullable=False),
    Column("completed_date", TIMESTAMP),
    Column("general_feedback", Text),
    *_written(),
    comment="Surveys of a visit.",
)
Index("survey_responses_visit", survey_responses.c.form_visit_id)

survey_question_responses = Table(
    "survey_question_responses",
    metadata,
    _id(),
    _submission(),
    _parent("survey_response_id", "pima.survey_responses.id"),
    Column("section_name", String),
    Column("question_name", String, nullable=False),
    Column("field_type", String, nullable=False, comment="text, number, boolean, date or gps."),
    Column("value_text", Text),
    Column("value_number", DOUBLE_PRECISION),
    Column("value_boolean", Boolean),
    Column("value_date", TIMESTAMP),
    Column("value_gps", Point),
    *_written(),
    comment="Answers of a survey, each in the column of its type.",
)
Index("survey_question_responses_survey", survey_question_responses.c.survey_response_id)

# What forms write, parents first.
WRITTEN: tuple[Table, ...] = (wetmills, form_visits, survey_responses, survey_question_responses)


def is_compared(one: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """For Alembic: whether a part of a database is ours to change. What belongs to `tbl_users` isn't."""
    table = one if kind == "table" else getattr(one, "table", None)
    return not (table is not None and table.schema == SCHEMA and table.name == users.name)
