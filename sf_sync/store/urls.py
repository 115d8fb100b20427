"""The address of a PostgreSQL database: one parser, and the form that each library wants."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote, unquote

from psycopg.pq import Conninfo

EXPECTED = "expected postgresql://user:password@host:5432/database"
ESCAPES = "in a user name or password write %40 for @, %2F for /, %3A for :, %3F for ? and %25 for %"

_SCHEME = re.compile(r"(?:postgres|postgresql(?:\+psycopg|\+psycopg2)?)://", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]*))(?::(?P<port>.*))?")
_HOST_NAME = re.compile(r"[\w.:-]*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

# In the query of a URL, these mean what the parts before it mean.
_PARTS = ("host", "port", "user", "password", "dbname")
_DBT_OPTIONS = ("sslmode", "sslcert", "sslkey", "sslrootcert", "application_name")


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseUrl:
    """A PostgreSQL database and how to reach it. Shows its password only in the forms for libraries.

    `host` is a name, an address, or the folder of a Unix socket; None is libpq's default.
    """

    database: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> DatabaseUrl:
        """Read a URL as libpq does, of any scheme that libpq and SQLAlchemy use.

        Raises ValueError; the message never repeats a part of the URL that could hold the password.
        """
        text = text.strip()
        scheme = _SCHEME.match(text)
        if scheme is None:
            raise ValueError(f"not a PostgreSQL URL; {EXPECTED}")
        rest, _, query = text[scheme.end() :].partition("?")
        authority, _, database = rest.partition("/")
        userinfo, _, address = authority.rpartition("@")
        if "@" in database:
            raise ValueError(f"an '@' stands after the host; {ESCAPES}")
        given = dict(zip(("user", "password"), _pair(userinfo, ":"), strict=True))
        given |= _address(address)
        given["dbname"] = _decoded(database, "database name")
        options: dict[str, str] = {}
        for item in filter(None, query.split("&")):
            key, value = _pair(item, "=")
            if (key, value) == ("ssl", "true"):  # JDBC's way, which libpq takes and SQLAlchemy doesn't
                key, value = "sslmode", "require"
            (given if key in _PARTS else options)[key] = value
        return cls._of(given, options)

    @classmethod
    def _of(cls, given: dict[str, str], options: dict[str, str]) -> DatabaseUrl:
        host, port, database = given.get("host", ""), given.get("port", ""), given["dbname"]
        if "," in host or "," in port:
            raise ValueError(f"the URL names several hosts; name one: {EXPECTED}")
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError(f"the port is not a number from 1 to 65535; {ESCAPES}")
        if not (_is_socket(host) or _HOST_NAME.fullmatch(host)):
            raise ValueError(
                f"the host can't be read; {EXPECTED}, or ?host=/folder for a Unix socket; {ESCAPES}"
            )
        if not database:
            raise ValueError(f"the URL names no database; {EXPECTED}")
        if "?" in database or "@" in database:
            raise ValueError("SQLAlchemy can't write a database name with '?' or '@'; rename the database")
        return cls(
            database=database,
            host=host or None,
            port=int(port) if port else None,
            user=given.get("user") or None,
            password=given.get("password") or None,
            options=tuple(options.items()),
        )

    @property
    def libpq(self) -> str:
        """For psycopg 3, psql and every other libpq program."""
        return self._render("postgresql", self.password, database=quote(self.database, safe=""))

    def sqlalchemy(self, driver: Literal["psycopg", "psycopg2"]) -> str:
        """For SQLAlchemy, with the driver named: what it takes by default changed between its versions."""
        # SQLAlchemy takes the database name as it stands, without percent-decoding.
        return self._render(f"postgresql+{driver}", self.password, database=self.database)

    def dbt_profile(self) -> dict[str, Any]:
        """The connection part of a dbt-postgres output; schema and threads are the profile's own.

        dbt wants every part, so libpq is asked for what the URL leaves out.
        """
        defaults = {
            option.keyword.decode(): (option.val or b"").decode() for option in Conninfo.get_defaults()
        }
        options = dict(self.options)
        return {
            "type": "postgres",
            "host": self.host or defaults["host"],
            "port": self.port or int(defaults["port"]),
            "user": self.user or defaults["user"],
            "password": self.password or defaults["password"],
            "dbname": self.database,
            **{name: options[name] for name in _DBT_OPTIONS if name in options},
        }

    def with_database(self, name: str) -> DatabaseUrl:
        """The same server and login, another database."""
        return replace(self, database=name)

    @property
    def redacted(self) -> str:
        """For people and logs: no password, and no option that may hold a secret."""
        secret = "***" if self.password else None
        return self._render("postgresql", secret, database=quote(self.database, safe=""), redact=True)

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.redacted!r})"

    def __str__(self) -> str:
        return self.redacted

    def _render(self, scheme: str, password: str | None, *, database: str, redact: bool = False) -> str:
        login = quote(self.user or "", safe="")
        if password:
            login += ":" + (password if redact else quote(password, safe=""))
        query = {name: "***" if redact and _is_secret(name) else value for name, value in self.options}
        host, port = self.host or "", f":{self.port}" if self.port else ""
        if _is_socket(host):  # a socket, which no library takes in the host's place
            query |= {"host": host} | ({"port": str(self.port)} if self.port else {})
            host = port = ""
        if ":" in host:
            host = f"[{host}]"
        tail = "&".join(f"{quote(name, safe='')}={quote(value, safe='/*')}" for name, value in query.items())
        return f"{scheme}://{login}{'@' if login else ''}{host}{port}/{database}{'?' if tail else ''}{tail}"


def _pair(text: str, separator: str) -> tuple[str, str]:
    left, _, right = text.partition(separator)
    return _decoded(left, "user name or option"), _decoded(right, "password or option")


def _address(text: str) -> dict[str, str]:
    if "," in text:
        raise ValueError(f"the URL names several hosts; name one: {EXPECTED}")
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None:
        raise ValueError(f"the host can't be read; {EXPECTED}, with an IPv6 address in brackets")
    return {"host": match["ipv6"] or _decoded(match["name"] or "", "host"), "port": match["port"] or ""}


def _decoded(text: str, what: str) -> str:
    if _BROKEN_ESCAPE.search(text):
        raise ValueError(f"a '%' in the {what} is not followed by two hex digits; write %25 for %")
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"the {what} is not UTF-8 after percent-decoding") from None
    if "\0" in plain:
        raise ValueError(f"the {what} holds %00, which PostgreSQL can't take")
    return plain


def _is_socket(host: str) -> bool:
    return host.startswith(("/", "@"))  # a folder, or a name in Linux's abstract namespace


def _is_secret(option: str) -> bool:
    return any(word in option.lower() for word in ("password", "secret", "token"))
