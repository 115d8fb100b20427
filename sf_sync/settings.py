"""Environment → typed settings. The only module that reads the environment; the names are a promise to users."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

CONNECTION = "default"  # the SF_* settings describe the connection of this name

AuthFlow = Literal["client_credentials", "jwt", "refresh_token", "access_token"]

# What each way to sign in can't do without.
REQUIRED_BY_FLOW: dict[str, tuple[str, ...]] = {
    "client_credentials": ("SF_CLIENT_ID", "SF_CLIENT_SECRET"),
    "jwt": ("SF_CLIENT_ID", "SF_USERNAME", "SF_PRIVATE_KEY_FILE"),
    "refresh_token": ("SF_CLIENT_ID", "SF_REFRESH_TOKEN"),
    "access_token": ("SF_ACCESS_TOKEN",),
}


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what was expected."""


class Settings(BaseSettings):
    """Everything that a user can set, from the environment and from `.env` in the working folder.

    Raises SettingsError (by `load`) where a value can't be used. Secrets are SecretStr and never printed.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    dagster_database_url: SecretStr | None = Field(None, validation_alias="DAGSTER_DATABASE_URL")
    pg_bindir: Path | None = Field(None, validation_alias="PG_BINDIR")

    instance_url: str | None = Field(None, validation_alias="SF_INSTANCE_URL")
    auth: AuthFlow = Field("client_credentials", validation_alias="SF_AUTH")
    client_id: str | None = Field(None, validation_alias="SF_CLIENT_ID")
    client_secret: SecretStr | None = Field(None, validation_alias="SF_CLIENT_SECRET")
    username: str | None = Field(None, validation_alias="SF_USERNAME")
    private_key_file: Path | None = Field(None, validation_alias="SF_PRIVATE_KEY_FILE")
    refresh_token: SecretStr | None = Field(None, validation_alias="SF_REFRESH_TOKEN")
    access_token: SecretStr | None = Field(None, validation_alias="SF_ACCESS_TOKEN")
    api_version: str = Field("62.0", validation_alias="SF_API_VERSION")
    ca_bundle: Path | None = Field(None, validation_alias="SF_CA_BUNDLE")

    commcare_url: str = Field("https://www.commcarehq.org", validation_alias="CC_BASE_URL")
    commcare_domain: str | None = Field(None, validation_alias="CC_DOMAIN")
    commcare_username: str | None = Field(None, validation_alias="CC_USERNAME")
    commcare_api_key: SecretStr | None = Field(None, validation_alias="CC_API_KEY")
    commcare_at_once: int = Field(5, ge=1, le=30, validation_alias="CC_AT_ONCE")

    intake_keys: SecretStr | None = Field(None, validation_alias="SF_SYNC_INTAKE_KEYS")
    intake_keys_file: Path | None = Field(None, validation_alias="SF_SYNC_INTAKE_KEYS_FILE")
    operator_keys: SecretStr | None = Field(None, validation_alias="SF_SYNC_OPERATOR_KEYS")
    operator_keys_file: Path | None = Field(None, validation_alias="SF_SYNC_OPERATOR_KEYS_FILE")
    admin_keys: SecretStr | None = Field(None, validation_alias="SF_SYNC_ADMIN_KEYS")
    admin_keys_file: Path | None = Field(None, validation_alias="SF_SYNC_ADMIN_KEYS_FILE")

    state_dir: Path = Field(Path(".state"), validation_alias="SF_SYNC_STATE_DIR")
    first_day: date | None = Field(None, validation_alias="SF_SYNC_FIRST_DAY")
    objects: str | None = Field(None, validation_alias="SF_SYNC_OBJECTS")
    catalog: Path | None = Field(None, validation_alias="SF_SYNC_CATALOG")
    pima: bool = Field(False, validation_alias="SF_SYNC_PIMA")
    automation: bool = Field(False, validation_alias="SF_SYNC_AUTOMATION")
    follow_seconds: int = Field(300, ge=5, le=86_400, validation_alias="SF_SYNC_FOLLOW_SECONDS")
    # Longer than the org keeps a job's results, so that nothing that could be gone on with is ever too old.
    keep_days: int = Field(90, ge=14, le=36_500, validation_alias="SF_SYNC_KEEP_DAYS")
    keep_absent_days: int | None = Field(None, ge=30, le=36_500, validation_alias="SF_SYNC_KEEP_ABSENT_DAYS")
    reserve_percent: int = Field(20, ge=0, le=95, validation_alias="SF_SYNC_RESERVE")

    @field_validator("api_version")
    @classmethod
    def _api_version(cls, value: str) -> str:
        bare = value.removeprefix("v")
        major, _, minor = bare.partition(".")
        if not (major.isdigit() and (minor or "0").isdigit() and int(major) >= 59):
            raise ValueError(f"{value!r} is not an API version; expected 59.0 or later, such as 62.0")
        return f"{major}.{minor or '0'}"

    @field_validator("instance_url")
    @classmethod
    def _instance_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        return _address(value, "the org's address, such as https://example.my.salesforce.com")

    @field_validator("commcare_url")
    @classmethod
    def _commcare_url(cls, value: str) -> str:
        return _address(value, "CommCare's address, such as https://www.commcarehq.org")

    @field_validator("state_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @model_validator(mode="after")
    def _first_day_is_plausible(self) -> Self:
        if self.first_day is not None and self.first_day < date(1999, 1, 1):
            raise ValueError(
                f"SF_SYNC_FIRST_DAY={self.first_day} is before Salesforce existed; expected a day such as 2022-01-01"
            )
        if self.first_day is not None and self.first_day > datetime.now(UTC).date():
            raise ValueError(f"SF_SYNC_FIRST_DAY={self.first_day} is in the future (UTC)")
        return self

    @classmethod
    def load(cls) -> Settings:
        """The settings of this process. Raises SettingsError with one sentence per wrong variable."""
        try:
            return cls()
        except ValidationError as error:
            lines = [
                f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg'].removeprefix('Value error, ')}"
                for e in error.errors()
            ]
            raise SettingsError("; ".join(lines)) from None

    @cached_property
    def object_names(self) -> tuple[str, ...] | None:
        """Names in SF_SYNC_OBJECTS, or None where it isn't set (then all built-in objects are meant)."""
        if self.objects is None:
            return None
        return tuple(name.strip() for name in self.objects.split(",") if name.strip())

    def require_org(self) -> str:
        """The org's address. Raises SettingsError naming every variable that signing in still needs."""
        given = {
            "SF_CLIENT_ID": self.client_id,
            "SF_CLIENT_SECRET": self.client_secret,
            "SF_USERNAME": self.username,
            "SF_PRIVATE_KEY_FILE": self.private_key_file,
            "SF_REFRESH_TOKEN": self.refresh_token,
            "SF_ACCESS_TOKEN": self.access_token,
        }
        missing = [name for name in REQUIRED_BY_FLOW[self.auth] if given[name] is None]
        if self.instance_url is None:
            missing.insert(0, "SF_INSTANCE_URL")
        if missing or self.instance_url is None:
            raise SettingsError(
                f"not set: {', '.join(missing)} (needed to sign in by SF_AUTH={self.auth}); "
                "set them in the environment or in .env, or run `make demo` to use a local org"
            )
        return self.instance_url

    def require_commcare(self) -> tuple[str, str, str]:
        """Project space, user name and API key of CommCare. Raises SettingsError naming what isn't set."""
        missing = self.missing_for_commcare
        if missing or not (self.commcare_domain and self.commcare_username and self.commcare_api_key):
            raise SettingsError(
                f"not set: {', '.join(missing)} (needed to reach CommCare); set them in the environment or in .env"
            )
        return self.commcare_domain, self.commcare_username, self.commcare_api_key.get_secret_value()

    @property
    def missing_for_commcare(self) -> tuple[str, ...]:
        """The settings that reaching CommCare still needs."""
        given = {
            "CC_DOMAIN": self.commcare_domain,
            "CC_USERNAME": self.commcare_username,
            "CC_API_KEY": self.commcare_api_key,
        }
        return tuple(name for name, value in given.items() if not value)


def _address(value: str, expected: str) -> str:
    """Scheme and host of an address that a secret may be sent to. Raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username:
        raise ValueError(f"expected {expected}")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("http:// would send the secret in clear; use https:// (http is for loopback only)")
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
