"""What an object looks like in the org now: its describe, reduced to what we use (protocol page, section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from sf_sync.salesforce.errors import ObjectMissing, PermanentError
from sf_sync.salesforce.session import OrgSession


class PicklistValue(BaseModel):
    """A value that a picklist offers, or has offered."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    value: str
    active: bool = True


class Field(BaseModel):
    """One field as the signed-in user sees it; hidden fields aren't in a describe at all (trap A14)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    name: str
    type: str
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    calculated: bool = False
    custom: bool = False
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    picklist_values: tuple[PicklistValue, ...] = ()
    compound_field_name: str | None = None
    relationship_name: str | None = None
    reference_to: tuple[str, ...] = ()


class ObjectDescribe(BaseModel):
    """An object and its fields, in the org's order."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    name: str
    label: str = ""
    custom: bool = False
    queryable: bool = True
    replicateable: bool = False
    key_prefix: str | None = None
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        return next((f for f in self.fields if f.name == name), None)


@dataclass(frozen=True, slots=True)
class Described:
    """A describe and the org's clock when it answered."""

    object: ObjectDescribe
    server_time: datetime


def describe(session: OrgSession, sobject: str) -> Described:
    """Ask the org what an object looks like. Raises ObjectMissing or another SalesforceError."""
    doing = f"describing {sobject}"
    try:
        answer = session.json("GET", session.path(f"/sobjects/{sobject}/describe"), doing)
    except PermanentError as error:
        if error.status != 404:
            raise
        raise ObjectMissing(
            f"the org has no object {sobject}, or the signed-in user may not see it",
            code=error.code,
            status=404,
        ) from None
    try:
        return Described(ObjectDescribe.model_validate(answer.body), answer.server_time)
    except ValidationError as error:
        raise PermanentError(f"{doing}: the answer is not a describe ({error.errors()[0]['msg']})") from None
