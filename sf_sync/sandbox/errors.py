"""Errors as the REST API words them (protocol §2.5)."""

from __future__ import annotations

import json

APPEND_FIELD = (
    "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)
APPEND_ENTITY = (
    "If you are attempting to use a custom object, be sure to append the '__c' after the entity name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)
EXCERPT_BEFORE = 40
EXCERPT_AFTER = 30


class ApiError(Exception):
    """One refusal: HTTP status, error code, message, and the fields concerned where the API names them."""

    def __init__(self, status: int, code: str, message: str, fields: tuple[str, ...] | None = None) -> None:
        """Keep the parts; `body` renders them."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def body(self) -> bytes:
        """The JSON array that goes over the wire."""
        row: dict[str, object] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            row["fields"] = list(self.fields)
        return json.dumps([row], ensure_ascii=False).encode()


def not_found() -> ApiError:
    """No such resource."""
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist")


def framed(code: str, soql: str, at: int, text: str) -> ApiError:
    """A query error: excerpt, caret, position, then the reason."""
    line = soql.count("\n", 0, at) + 1
    start_of_line = soql.rfind("\n", 0, at) + 1
    start = max(start_of_line, at - EXCERPT_BEFORE)
    excerpt = soql[start : at + EXCERPT_AFTER].split("\n", 1)[0]
    caret = " " * (at - start) + "^"
    column = at - start_of_line + 1
    return ApiError(400, code, f"\n{excerpt}\n{caret}\nERROR at Row:{line}:Column:{column}\n{text}")


def malformed(soql: str, at: int, text: str) -> ApiError:
    """The query can't be parsed."""
    return framed("MALFORMED_QUERY", soql, at, text)


def no_such_column(soql: str, at: int, column: str, entity: str) -> ApiError:
    """The query names a field that the user can't see."""
    return framed(
        "INVALID_FIELD", soql, at, f"No such column '{column}' on entity '{entity}'. {APPEND_FIELD}"
    )


def no_such_object(soql: str, at: int, entity: str) -> ApiError:
    """The query names an object that the user can't see."""
    return framed("INVALID_TYPE", soql, at, f"sObject type '{entity}' is not supported. {APPEND_ENTITY}")


class OAuthError(Exception):
    """A refusal of the token endpoint: an object on the wire, not the REST array (protocol §1.1)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        """Keep the parts."""
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


class SoapFault(Exception):
    """A refusal of the SOAP login call (protocol §1.3)."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the parts."""
        super().__init__(message)
        self.code = code
        self.message = message
