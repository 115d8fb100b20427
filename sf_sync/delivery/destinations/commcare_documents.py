"""Cases as XForms: what the documents of each kind consist of, and the document of one write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import NAMESPACE_OID, UUID, uuid5
from xml.etree.ElementTree import Element, SubElement, tostring

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from sf_sync.delivery.destination import Write
from sf_sync.delivery.mapping.values import as_text, lookup_field, number

CASE_XMLNS = "http://commcarehq.org/case/transaction/v2"
META_XMLNS = "http://openrosa.org/jr/xforms"
JAVAROSA_XMLNS = "http://dev.commcarehq.org/jr/xforms"
OWN_VALUES = frozenset({"$case_id", "$case_name", "$parent_id", "$now"})
# Fields of every case: its name, whose it is, and the project whose key its type begins with.
OF_EVERY_CASE = ("case_name", "owner_id", "project")
PARENT = "parent"  # the reference to the parent case
XML_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class DocumentsError(Exception):
    """The file of documents can't be used; the message names what is wrong."""


class Unwritable(Exception):
    """A record holds what no XML document can hold; the message names the field."""


def _elements(given: Any) -> Any:
    """`[Age, {Name: $case_name}]` as pairs of element and what is written into it."""
    if not isinstance(given, list):
        return given
    return [(one, one) if isinstance(one, str) else next(iter(one.items()), one) for one in given]


Elements = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_elements)]


class DocumentTemplate(BaseModel):
    """One kind of document, as its file describes it. `form` and `update` hold element and field in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    xmlns: str
    name: str
    version: str
    case_type: str
    parent: str | None = None
    wrapped_in: str | None = None
    repeated: bool = False
    form: Elements
    update: Elements
    create_only: frozenset[str] = frozenset()
    never_lower: frozenset[str] = frozenset()

    @property
    def depends_on_case(self) -> bool:
        """Whether what is written depends on the case that is there."""
        return bool(self.create_only or self.never_lower)

    @property
    def fields(self) -> frozenset[str]:
        """The fields of a mapping that the document takes."""
        used = {source for _, source in (*self.form, *self.update)} - OWN_VALUES
        return frozenset(used.union(OF_EVERY_CASE))

    def faults(self, kinds: Mapping[str, DocumentTemplate]) -> list[str]:
        """What is wrong with the description, beside other kinds."""
        updated = {name for name, _ in self.update}
        named = [*self.form, *self.update, *([(self.wrapped_in, "")] if self.wrapped_in else [])]
        return [
            *(f"{name} is no name of an XML element" for name, _ in named if not XML_NAME.fullmatch(name)),
            *(
                f"{source} isn't one of {', '.join(sorted(OWN_VALUES))}"
                for _, source in named
                if source.startswith("$") and source not in OWN_VALUES
            ),
            *(
                f"{name} isn't in `update`"
                for name in sorted((self.create_only | self.never_lower) - updated)
            ),
            *([f"there is no document {self.parent}"] if self.parent and self.parent not in kinds else []),
        ]


@dataclass(frozen=True, slots=True)
class Sender:
    """As whom documents are written: a user of the project space."""

    user_id: str
    username: str
    device: str


@dataclass(frozen=True, slots=True)
class Documents:
    """All kinds of documents, by the object that mappings name, and who sends them."""

    kinds: Mapping[str, DocumentTemplate]
    sender: Sender

    @classmethod
    def load(cls, path: Path, sender: Sender) -> Documents:
        """The kinds that a YAML file describes. Raises DocumentsError with everything that is wrong."""
        try:
            described = yaml.safe_load(path.read_text("utf-8"))
            kinds = {name: DocumentTemplate.model_validate(one) for name, one in described.items()}
        except (yaml.YAMLError, ValidationError, AttributeError) as error:
            raise DocumentsError(f"{path}: {error}") from None
        faults = [f"{name}: {fault}" for name, kind in kinds.items() for fault in kind.faults(kinds)]
        if faults:
            raise DocumentsError(f"{path}: {'; '.join(faults)}")
        return cls(kinds, sender)

    def field_type(self, object: str, field: str) -> str | None:
        """The type of a field of a mapping: text, or the reference to the parent (see `Schema`)."""
        kind = self.kinds.get(object)
        if kind is None:
            return None
        if field == "Id":
            return "id"
        if field == lookup_field(PARENT):
            return "reference" if kind.parent else None
        return "string" if field == "case_id" or field in kind.fields else None

    def depth(self, object_name: str) -> int:
        """How many kinds stand above this one: parents are written before their children."""
        kind = self.kinds[object_name]
        return 0 if kind.parent is None else 1 + self.depth(kind.parent)

    def document(self, write: Write, now: datetime, case: Mapping[str, str] | None) -> bytes:
        """The XForm of a write. `case`: the properties of the case that is there, None where nobody knows of one.

        A field that the write hasn't gets no element; null gets an empty one. Of a case that we have written before
        and that nobody shows us, what phones fill or count stays as it is. Raises Unwritable.
        """
        return _Document(self, write, now, case).build()


def case_id_of(write: Write) -> str:
    """The id of the case that is written."""
    return as_text(write.key["case_id"])


def instance_id(record_id: str, case_id: str) -> UUID:
    """The form's id: the same for the same case of the same record, so that a repeat is no new form."""
    return uuid5(uuid5(NAMESPACE_OID, record_id), case_id)


class _Document:
    def __init__(
        self, documents: Documents, write: Write, now: datetime, case: Mapping[str, str] | None
    ) -> None:
        self.documents = documents
        self.kind = documents.kinds[write.object]
        self.write = write
        self.now = now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self.case = case

    def build(self) -> bytes:
        kind = self.kind
        root = Element(
            "data",
            {
                "xmlns": kind.xmlns,
                "xmlns:jrm": JAVAROSA_XMLNS,
                "name": kind.name,
                "uiVersion": "1",
                "version": kind.version,
            },
        )
        for name, source in kind.form:
            self._add(root, name, source)
        self._case(SubElement(root, kind.wrapped_in) if kind.wrapped_in else root)
        if kind.repeated:
            SubElement(root, "n1:case", {"xmlns:n1": CASE_XMLNS, **self._case_attributes()})
        self._meta(root, "n2" if kind.repeated else "n1")
        # A parser reads a bare carriage return as a line feed.
        written: bytes = tostring(root, "utf-8", xml_declaration=True)
        return written.replace(b"\r", b"&#13;")

    def _case(self, above: Element) -> None:
        block = SubElement(above, "n0:case", {"xmlns:n0": CASE_XMLNS, **self._case_attributes()})
        create = SubElement(block, "n0:create")
        self._add(create, "n0:case_name", "$case_name")
        self._add(create, "n0:owner_id", "owner_id")
        if "project" in self.write.fields:
            self._text(create, "n0:case_type", self._case_type(self.kind))
        update = SubElement(block, "n0:update")
        for name, source in self.kind.update:
            if not self._is_left_alone(name):
                self._add(update, f"n0:{name}", source)
        parent_id = self._value("$parent_id")
        if self.kind.parent is not None and parent_id is not None:
            parent = SubElement(SubElement(block, "n0:index"), "n0:parent")
            parent.set(
                "case_type", self._clean(self._case_type(self.documents.kinds[self.kind.parent]), PARENT)
            )
            parent.text = self._clean(parent_id, PARENT)

    def _case_attributes(self) -> dict[str, str]:
        return {
            "case_id": self._clean(case_id_of(self.write), "case_id"),
            "date_modified": self.now,
            "user_id": self.documents.sender.user_id,
        }

    def _case_type(self, kind: DocumentTemplate) -> str:
        return as_text(self.write.fields.get("project")) + kind.case_type

    def _is_left_alone(self, name: str) -> bool:
        """Whether a property of the case that is there stays as it is."""
        if name not in self.kind.create_only | self.kind.never_lower:
            return False
        if self.case is None:
            return self.write.written_before
        if name in self.kind.create_only:
            return True
        there, ours = number(self.case.get(name)), number(self.write.fields.get(name))
        return there is not None and (ours is None or there > ours)

    def _meta(self, root: Element, prefix: str) -> None:
        sender = self.documents.sender
        meta = SubElement(root, f"{prefix}:meta", {f"xmlns:{prefix}": META_XMLNS})
        for name, text in (
            ("deviceID", sender.device),
            ("timeStart", self.now),
            ("timeEnd", self.now),
            ("username", sender.username),
            ("userID", sender.user_id),
            ("jobID", self.write.record_id),
            ("instanceID", str(instance_id(self.write.record_id, case_id_of(self.write)))),
        ):
            self._text(meta, f"{prefix}:{name}", text)

    def _add(self, above: Element, name: str, source: str) -> None:
        text = self._value(source)
        if text is not None:
            self._text(above, name, text)

    def _value(self, source: str) -> str | None:
        """The text of a field or of what is the document's own; None where the write hasn't it."""
        write = self.write
        if source == "$case_id":
            return case_id_of(write)
        if source == "$now":
            return self.now
        if source == "$parent_id" and PARENT in write.references:
            return as_text(next(iter(write.references[PARENT].key.values())))
        name = {"$case_name": "case_name", "$parent_id": lookup_field(PARENT)}.get(source, source)
        return as_text(write.fields[name]) if name in write.fields else None

    def _text(self, above: Element, name: str, text: str) -> None:
        SubElement(above, name).text = self._clean(text, name.rpartition(":")[2])

    def _clean(self, text: str, name: str) -> str:
        if found := NOT_XML.search(text):
            raise Unwritable(
                f"{name} holds the character U+{ord(found[0]):04X}, which XML can't hold; take it out of the record"
            )
        return text
