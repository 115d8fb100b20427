"""Settings are typed, secret where they must be, and wrong ones are named."""

from __future__ import annotations

import pytest

from sf_sync.settings import Settings, SettingsError


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


def test_an_empty_environment_is_fine_until_the_org_is_needed() -> None:
    settings = Settings.load()
    with pytest.raises(SettingsError, match="not set: SF_INSTANCE_URL, SF_CLIENT_ID, SF_CLIENT_SECRET"):
        settings.require_org()


@pytest.mark.parametrize(
    ("flow", "missing"),
    [
        ("jwt", "SF_CLIENT_ID, SF_USERNAME, SF_PRIVATE_KEY_FILE"),
        ("refresh_token", "SF_CLIENT_ID, SF_REFRESH_TOKEN"),
        ("access_token", "SF_ACCESS_TOKEN"),
    ],
)
def test_each_way_to_sign_in_names_what_it_lacks(
    setting: pytest.MonkeyPatch, flow: str, missing: str
) -> None:
    setting.setenv("SF_INSTANCE_URL", "https://example.my.salesforce.com")
    setting.setenv("SF_AUTH", flow)
    with pytest.raises(SettingsError, match=f"not set: {missing} "):
        Settings.load().require_org()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost:1", "http://[::1]:9", "https://a.b.c/"]
)
def test_http_is_taken_for_loopback_only(setting: pytest.MonkeyPatch, url: str) -> None:
    setting.setenv("SF_INSTANCE_URL", url)
    assert Settings.load().instance_url == url.rstrip("/")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SF_INSTANCE_URL", "http://example.my.salesforce.com", "would send the secret in clear"),
        ("SF_INSTANCE_URL", "example.my.salesforce.com", "expected the org's address"),
        ("SF_INSTANCE_URL", "https://user:pw@example.com", "expected the org's address"),
        ("CC_BASE_URL", "http://commcare.example.org", "would send the secret in clear"),
        ("CC_BASE_URL", "commcare.example.org", "expected CommCare's address"),
        ("CC_AT_ONCE", "0", "CC_AT_ONCE"),
        ("SF_API_VERSION", "new", "not an API version"),
        ("SF_API_VERSION", "41.0", "59.0 or later"),
        ("SF_AUTH", "password", "'client_credentials', 'jwt'"),
        ("SF_SYNC_FIRST_DAY", "soon", "SF_SYNC_FIRST_DAY"),
        ("SF_SYNC_FIRST_DAY", "1815-12-10", "before Salesforce existed"),
        ("SF_SYNC_FIRST_DAY", "2999-01-01", "in the future"),
    ],
)
def test_a_wrong_value_is_named(setting: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    setting.setenv(name, value)
    with pytest.raises(SettingsError, match=name if says == name else f"(?s){says}"):
        Settings.load()


@pytest.mark.parametrize(
    "name",
    [
        "DATABASE_URL",
        "DAGSTER_DATABASE_URL",
        "SF_CLIENT_SECRET",
        "SF_REFRESH_TOKEN",
        "SF_ACCESS_TOKEN",
        "CC_API_KEY",
    ],
)
def test_secrets_are_never_printed(setting: pytest.MonkeyPatch, name: str) -> None:
    setting.setenv(name, "postgresql://u:hunter2@h/d")
    settings = Settings.load()
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings.model_dump())


def test_an_empty_variable_is_an_unset_one(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("SF_SYNC_FIRST_DAY", "")
    assert Settings.load().first_day is None


def test_what_commcare_still_needs_is_named(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("CC_DOMAIN", "pima")
    settings = Settings.load()

    assert settings.missing_for_commcare == ("CC_USERNAME", "CC_API_KEY")
    with pytest.raises(SettingsError, match="not set: CC_USERNAME, CC_API_KEY"):
        settings.require_commcare()


def test_commcare_is_the_public_one_unless_another_is_named(setting: pytest.MonkeyPatch) -> None:
    assert Settings.load().commcare_url == "https://www.commcarehq.org"
    setting.setenv("CC_BASE_URL", "https://eu.example.org/a/ignored")
    assert Settings.load().commcare_url == "https://eu.example.org"
