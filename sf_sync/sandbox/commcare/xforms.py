"""A submitted XForm as the JSON that CommCare makes of it."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from . import stamps


class UnreadableForm(Exception):
    """The body is not an XML document that can be taken."""


def parse(body: bytes) -> dict[str, Any]:
    """The `form` object of a document: attributes as `@name`, other namespaces as `@xmlns`, repeated tags as lists."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise UnreadableForm("Invalid XML: document type declarations are not allowed")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - entities can't be declared, see above
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnreadableForm(f"Invalid XML: {error}") from None
    _, tag = _split(root.tag)
    value = _value(root, "")
    return {"#type": tag, **(value if isinstance(value, dict) else {})}


def _value(element: ElementTree.Element, outer: str) -> dict[str, Any] | str:
    namespace, _ = _split(element.tag)
    made: dict[str, Any] = {f"@{_split(name)[1]}": text for name, text in element.attrib.items()}
    if namespace != outer:
        made["@xmlns"] = namespace
    text = (element.text or "").strip()
    if not made and not len(element):
        return stamps.normalised(text)
    for child in element:
        if not isinstance(child.tag, str):
            continue
        name, value = _split(child.tag)[1], _value(child, namespace)
        if name not in made:
            made[name] = value
        elif isinstance(made[name], list):
            made[name].append(value)
        else:
            made[name] = [made[name], value]
    if text:
        made["#text"] = stamps.normalised(text)
    return {
        name: stamps.normalised(value) if isinstance(value, str) else value for name, value in made.items()
    }


def _split(tag: str) -> tuple[str, str]:
    """Namespace and local name."""
    if tag.startswith("{"):
        namespace, _, name = tag[1:].partition("}")
        return namespace, name
    return "", tag
