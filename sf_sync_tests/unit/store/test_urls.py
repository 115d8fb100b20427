"""DatabaseUrl: what it reads, what each library reads of what it writes, and that it keeps the password."""

from __future__ import annotations

from typing import Literal

import psycopg.conninfo
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import make_url

from sf_sync.store.urls import DatabaseUrl

ODD = "p@ss:w/r?d#%&=+ é'\"\\"
ODD_ENCODED = "p%40ss%3Aw%2Fr%3Fd%23%25%26%3D%2B%20%C3%A9%27%22%5C"
DRIVERS: tuple[Literal["psycopg", "psycopg2"], ...] = ("psycopg", "psycopg2")
ADDED_BY_DIALECT = {"context", "client_encoding"}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="?@\0"), min_size=1)
hosts = st.one_of(
    st.none(),
    st.sampled_from(["localhost", "db.example.com", "127.0.0.1", "::1", "/var/run/postgresql", "/tmp/a b/ü"]),
)
urls = st.builds(
    DatabaseUrl,
    database=names,
    host=hosts,
    port=st.none() | st.integers(1, 65535),
    user=st.none() | texts,
    password=st.none() | texts,
    options=st.just(()) | st.builds(lambda value: (("application_name", value),), texts),
)


def expected(url: DatabaseUrl) -> dict[str, str | int | None]:
    parts = {
        "host": url.host,
        "port": url.port,
        "user": url.user,
        "password": url.password,
        "dbname": url.database,
    }
    return {name: str(value) for name, value in (parts | dict(url.options)).items() if value is not None}


@given(urls)
@example(DatabaseUrl("app", "localhost", 5432, "me", ODD))
def test_libpq_reads_back_what_was_written(url: DatabaseUrl) -> None:
    assert psycopg.conninfo.conninfo_to_dict(url.libpq) == expected(url)


@given(urls)
@example(DatabaseUrl("app", "localhost", 5432, "me", ODD))
def test_sqlalchemy_hands_its_driver_what_was_written(url: DatabaseUrl) -> None:
    for driver in DRIVERS:
        written = make_url(url.sqlalchemy(driver))
        assert written.password == url.password
        assert written.database == url.database
        _, arguments = written.get_dialect()().create_connect_args(written)
        seen = {name: str(value) for name, value in arguments.items() if name not in ADDED_BY_DIALECT}
        assert seen == expected(url)


@given(urls)
def test_parsing_what_was_written_gives_the_same_url(url: DatabaseUrl) -> None:
    assert DatabaseUrl.parse(url.libpq) == url


@given(urls)
def test_dbt_gets_the_plain_password(url: DatabaseUrl) -> None:
    profile = url.dbt_profile()
    assert profile["password"] == (url.password or "")
    assert profile["dbname"] == url.database


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2", "PostgreSQL"]
)
def test_every_scheme_of_postgresql_is_read(scheme: str) -> None:
    assert DatabaseUrl.parse(
        f"{scheme}://me:{ODD_ENCODED}@db.example.com:6543/app?sslmode=require"
    ) == DatabaseUrl("app", "db.example.com", 6543, "me", ODD, (("sslmode", "require"),))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("postgresql://localhost/app", DatabaseUrl("app", "localhost")),
        ("postgresql:///app", DatabaseUrl("app")),
        ("  postgresql:///app\n", DatabaseUrl("app")),
        ("postgresql://me@localhost/app", DatabaseUrl("app", "localhost", user="me")),
        ("postgresql://me:@localhost/app", DatabaseUrl("app", "localhost", user="me")),
        ("postgresql://[::1]:5433/app", DatabaseUrl("app", "::1", 5433)),
        ("postgresql://me@/app?host=/var/run/pg&port=5433", DatabaseUrl("app", "/var/run/pg", 5433, "me")),
        ("postgresql://me@%2Fvar%2Frun%2Fpg/app", DatabaseUrl("app", "/var/run/pg", user="me")),
        (
            "postgresql://localhost/?dbname=app&user=me&password=pw",
            DatabaseUrl("app", "localhost", None, "me", "pw"),
        ),
        (
            "postgresql://me:p@ss#w@localhost/app",
            DatabaseUrl("app", "localhost", user="me", password="p@ss#w"),
        ),
        ("postgresql://h/app?ssl=true", DatabaseUrl("app", "h", options=(("sslmode", "require"),))),
    ],
)
def test_forms_of_a_url(text: str, url: DatabaseUrl) -> None:
    assert DatabaseUrl.parse(text) == url


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not a PostgreSQL URL"),
        ("mysql://me:hunter2@localhost/app", "not a PostgreSQL URL"),
        ("host=localhost password=hunter2", "not a PostgreSQL URL"),
        ("postgresql+asyncpg://me:hunter2@localhost/app", "not a PostgreSQL URL"),
        ("postgresql://me:hunter2@localhost", "names no database"),
        ("postgresql://me:hunter2@localhost/", "names no database"),
        ("postgresql://me:hunter2@localhost:54x32/app", "port"),
        ("postgresql://me:hunter2@localhost:0/app", "port"),
        ("postgresql://me:hunter2@localhost:65536/app", "port"),
        ("postgresql://me:hunter2@localhost:٥/app", "port"),
        ("postgresql://me:hunter2@::1/app", "port"),
        ("postgresql://me:hunter2@a b/app", "host"),
        ("postgresql://me:hunter2@a:1,b:2/app", "several hosts"),
        ("postgresql://me:hunter2@/app?host=a,b", "several hosts"),
        ("postgresql://me:hunter2%@localhost/app", "two hex digits"),
        ("postgresql://me:hunter2%ff@localhost/app", "UTF-8"),
        ("postgresql://me:hunter2%00@localhost/app", "%00"),
        ("postgresql://me:hunter2/x@localhost/app", "write %40"),
        ("postgresql://me:hunter2?x@localhost/app", "write %40"),
        ("postgresql://me:hunter2@localhost/a%3Fb", "database name"),
    ],
)
def test_a_bad_url_is_refused_without_its_password(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        DatabaseUrl.parse(text)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(urls.filter(lambda url: url.password is not None))
def test_no_form_for_people_depends_on_the_password(url: DatabaseUrl) -> None:
    other = DatabaseUrl(url.database, url.host, url.port, url.user, "another", url.options)
    for shown, same in ((repr(url), repr(other)), (str(url), str(other)), (url.redacted, other.redacted)):
        assert shown == same


def test_options_that_hold_secrets_are_hidden() -> None:
    url = DatabaseUrl.parse("postgresql://h/app?sslkey=/k&sslpassword=hunter2&oauth_client_secret=hunter2")
    assert "hunter2" not in repr(url)
    assert "sslkey=/k" in url.redacted
    assert "hunter2" in url.libpq


def test_another_database_keeps_the_login_and_the_socket() -> None:
    url = DatabaseUrl.parse("postgresql://me:pw@/app?host=/run/pg&sslmode=disable").with_database("dagster")
    assert url.libpq == "postgresql://me:pw@/dagster?sslmode=disable&host=/run/pg"


def test_dbt_gets_tls_options_and_what_the_environment_says_of_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"PGHOST": "db", "PGPORT": "6543", "PGUSER": "me", "PGPASSWORD": "pw"}.items():
        monkeypatch.setenv(name, value)
    assert DatabaseUrl.parse("postgresql:///app?sslmode=verify-full&connect_timeout=5").dbt_profile() == {
        "type": "postgres",
        "host": "db",
        "port": 6543,
        "user": "me",
        "password": "pw",
        "dbname": "app",
        "sslmode": "verify-full",
    }
