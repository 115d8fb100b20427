"""A project space: its forms and cases, kept in memory."""

from __future__ import annotations

import copy
import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sf_sync.sandbox.clock import Clock

from . import cases as case_blocks
from . import stamps
from .cases import Case, CaseRefused

Document = dict[str, Any]
TICK = timedelta(microseconds=1)
_META_TEXTS = (
    "appVersion",
    "commcare_version",
    "deviceID",
    "instanceID",
    "timeEnd",
    "timeStart",
    "userID",
    "username",
)


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a submission. `problem` is CommCare's sentence; None where all went well."""

    form_id: str
    outcome: Literal["new", "edited", "duplicate", "error"]
    problem: str | None = None


class ProjectSpace:
    """Forms by id, cases by id, and what was replaced or refused. Every method may be called from any thread."""

    def __init__(self, domain: str, address: Callable[[], str], clock: Clock | None = None) -> None:
        """Empty. `address` gives the base URL for attachments."""
        self.domain = domain
        self.clock = clock or Clock()
        self.lock = threading.RLock()
        self.cases: dict[str, Case] = {}
        self.forms: dict[str, Document] = {}
        self.deprecated: list[Document] = []
        self.refused: dict[str, Document] = {}
        self.duplicates: list[str] = []
        self.listeners: list[Callable[[Document], None]] = []
        self._address = address
        self._contents: dict[str, bytes] = {}
        self._of_case: dict[str, list[str]] = {}
        self._last_index = datetime.min.replace(tzinfo=UTC)

    def receive(
        self, form: dict[str, Any], body: bytes, app_id: str | None = None, from_phone: bool = True
    ) -> Received:
        """Take a submission whose `form` was read from `body`.

        The same content under the same instanceID is a duplicate, other content replaces the form before.
        """
        meta = form.get("meta")
        given = meta.get("instanceID") if isinstance(meta, dict) else None
        document: Document = {
            "app_id": app_id,
            "build_id": None,
            "form": form,
            "is_phone_submission": from_phone,
        }
        return self.take(str(given or uuid.uuid4()), document, body)

    def take(self, form_id: str, document: Document, content: bytes) -> Received:
        """Keep a form document under an id; what only the server knows is filled in."""
        digest = hashlib.sha256(content).digest()
        with self.lock:
            kept = self.forms.get(form_id) or self.refused.get(form_id)
            if kept is not None and self._contents[form_id] == digest:
                if form_id in self.forms:
                    self.duplicates.append(form_id)
                    return Received(form_id, "duplicate", f"Form is a duplicate of another! ({form_id})")
                kept = None
            now = self._next_moment()
            made = self._document(form_id, copy.deepcopy(document), kept, now, len(content))
            self._contents[form_id] = digest
            try:
                self._change_cases(form_id, made, kept, now)
            except CaseRefused as refused:
                made["problem"] = str(refused)
                self.refused[form_id] = made
                return Received(form_id, "error", str(refused))
            self.refused.pop(form_id, None)
            if kept is not None and form_id in self.forms:
                self.deprecated.append(kept)
            self.forms[form_id] = made
        for listener in list(self.listeners):
            listener(copy.deepcopy(made))
        return Received(form_id, "new" if kept is None else "edited")

    def archive(self, form_id: str) -> None:
        """Archive a form, as a person does on CommCare's page; its case changes are taken back."""
        with self.lock:
            now = self._next_moment()
            changed = {**self.forms[form_id], "archived": True}
            changed["server_modified_on"] = changed["indexed_on"] = stamps.write(now)
            self.forms[form_id] = changed
            self._rebuild({block["@case_id"] for block in case_blocks.blocks(changed["form"])}, now)

    def _change_cases(self, form_id: str, made: Document, before: Document | None, now: datetime) -> None:
        touched = {str(block["@case_id"]) for block in case_blocks.blocks(made["form"])}
        if before is None or form_id not in self.forms:
            self.cases |= case_blocks.applied(self.cases, form_id, made["form"], now)
        else:
            case_blocks.applied(self.cases, form_id, made["form"], now)
            touched |= {str(block["@case_id"]) for block in case_blocks.blocks(before["form"])}
            self.forms[form_id] = made
        for case_id in touched:
            ids = self._of_case.setdefault(case_id, [])
            if form_id not in ids:
                ids.append(form_id)
        if before is not None and made is self.forms.get(form_id):
            self._rebuild(touched, now)

    def _rebuild(self, case_ids: set[str], now: datetime) -> None:
        """Make cases anew from the forms that still count, in the order in which they came."""
        for case_id in case_ids:
            self.cases.pop(case_id, None)
        ids = {form_id for case_id in case_ids for form_id in self._of_case.get(case_id, [])}
        for form_id in (kept for kept in self.forms if kept in ids):
            document = self.forms[form_id]
            if document["archived"]:
                continue
            own = [block for block in case_blocks.blocks(document["form"]) if block["@case_id"] in case_ids]
            try:
                self.cases |= case_blocks.applied(self.cases, form_id, {"case": own}, now)
            except CaseRefused:
                continue

    def _next_moment(self) -> datetime:
        """Now, later than every moment before: `indexed_on` always increases."""
        self._last_index = max(self.clock.now(), self._last_index + TICK)
        return self._last_index

    def _document(
        self, form_id: str, given: Document, before: Document | None, now: datetime, length: int
    ) -> Document:
        form = given["form"]
        meta = form.get("meta") if isinstance(form.get("meta"), dict) else None
        if meta is not None:
            meta.setdefault("instanceID", form_id)
        base = f"{self._address()}/a/{self.domain}/api/form/attachment/{form_id}"
        files = {
            **(given.get("attachments") or {}),
            "form.xml": {"content_type": "text/xml", "length": length},
        }
        return {
            "app_id": given.get("app_id"),
            "archived": bool(given.get("archived", False)),
            "attachments": {name: {**file, "url": f"{base}/{name}"} for name, file in files.items()},
            "build_id": given.get("build_id"),
            "domain": self.domain,
            "edited_by_user_id": None if before is None else str((meta or {}).get("userID") or "unknown"),
            "edited_on": None if before is None else stamps.write(now),
            "form": form,
            "id": form_id,
            "indexed_on": stamps.write(now),
            "initial_processing_complete": True,
            "is_phone_submission": bool(given.get("is_phone_submission", True)),
            "metadata": given["metadata"] if "metadata" in given else _metadata(meta),
            "problem": None,
            "received_on": before["received_on"] if before else stamps.write(now),
            "resource_uri": f"/a/{self.domain}/api/form/v1/{form_id}/",
            "server_modified_on": stamps.write(now),
            "submit_ip": given.get("submit_ip", "127.0.0.1"),
            "type": form.get("#type", "data"),
            "uiversion": form.get("@uiVersion", "1"),
            "version": form.get("@version", "1"),
        }


def content_of(document: Document) -> bytes:
    """What stands for the XML of a form that was given as JSON."""
    return json.dumps(document["form"], sort_keys=True).encode()


def _metadata(meta: dict[str, Any] | None) -> dict[str, Any] | None:
    if meta is None:
        return None
    location = meta.get("location")
    return {
        **{name: meta.get(name) for name in _META_TEXTS},
        "app_build_version": meta.get("app_build_version"),
        "deprecatedID": meta.get("deprecatedID"),
        "doc_type": "Metadata",
        "geo_point": meta.get("geo_point"),
        "location": location.get("#text") if isinstance(location, dict) else location,
    }
