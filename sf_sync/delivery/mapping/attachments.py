"""Links to the files of a form (rule R5)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from sf_sync.delivery.mapping.arguments import bounded_text, text_of
from sf_sync.delivery.mapping.scope import Scope
from sf_sync.delivery.mapping.values import UNSTORABLE

PHOTO_CONSTANT = "attachment_url"


def photo(scope: Scope, args: Sequence[object], texts: Sequence[str]) -> object:
    """`photo(path)`: the link to the file that is named at the path."""
    name = text_of(scope, args[0])
    if name is None or UNSTORABLE.search(name):
        return None
    attachments = scope.document.get("attachments")
    if not isinstance(attachments, dict) or name not in attachments:
        scope.warn(f"{texts[0]} names a file that the record's attachments don't list")
        return None
    listed = attachments[name]
    url = text_of(scope, listed.get("url")) if isinstance(listed, dict) else None
    return url if url is not None and not _of_another_form(scope, url) else _attachment_url(scope, name)


def _attachment_url(scope: Scope, name: str) -> str | None:
    folder = _attachment_folder(scope)
    return bounded_text(folder.replace("{name}", quote(name, safe=""))) if folder is not None else None


def _of_another_form(scope: Scope, url: str) -> bool:
    """Whether a link leads to files that the server keeps, but not to this form's: forms get copied."""
    folder = _attachment_folder(scope)
    if folder is None:
        return False
    own = folder.partition("{name}")[0]
    return url.startswith(own.rstrip("/").rpartition("/")[0] + "/") and not url.startswith(own)


def _attachment_folder(scope: Scope) -> str | None:
    """The constant `attachment_url` with this form's domain and instance; `{name}` is left in it."""
    form = scope.document.get("form")
    meta = form.get("meta") if isinstance(form, dict) else None
    url = str(scope.constants[PHOTO_CONSTANT])
    for part, value in (
        ("{domain}", scope.document.get("domain")),
        ("{instance}", meta.get("instanceID") if isinstance(meta, dict) else None),
    ):
        text = text_of(scope, value)
        if text is None or UNSTORABLE.search(text):
            return None
        url = url.replace(part, quote(text, safe=""))
    return url
