"""Are the settings complete, and can the others be looked at with what there is of them?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sf_sync.doctor.finding import Finding, failed, ok, warning
from sf_sync.settings import REQUIRED_BY_FLOW, Settings, SettingsError

LOOKED_AT = "settings"


@dataclass(frozen=True, slots=True)
class SettingsLooked:
    """The settings, with defaults for the wrong ones, and whether an org can be asked with them."""

    settings: Settings
    findings: tuple[Finding, ...]
    names_org: bool


def look(given: Settings | None = None) -> SettingsLooked:
    """The settings of this process and what is wrong with them. Never raises."""
    settings, findings = (given, []) if given is not None else _load()
    try:
        address = settings.require_org()
    except SettingsError as error:
        what, _, _ = str(error).partition(";")
        if not (_is_wrong(findings, "SF_INSTANCE_URL") and what.startswith("not set: SF_INSTANCE_URL (")):
            findings.append(failed(LOOKED_AT, what, "set them in the environment or in .env"))
        return SettingsLooked(settings, tuple(findings), names_org=False)
    needed = ", ".join(("SF_INSTANCE_URL", *REQUIRED_BY_FLOW[settings.auth]))
    findings.append(ok(LOOKED_AT, f"{needed} are set; the org is {address}, signed in to by {settings.auth}"))
    if settings.first_day is None:
        findings.append(
            warning(
                "first day",
                "SF_SYNC_FIRST_DAY is not set; Dagster materializes no day until it is, `sf-sync sync` works",
                "set SF_SYNC_FIRST_DAY to the day from which on you want history",
            )
        )
    return SettingsLooked(settings, tuple(findings), names_org=not _is_wrong(findings, "SF_INSTANCE_URL"))


def _load() -> tuple[Settings, list[Finding]]:
    """Settings in which each wrong variable has its default, and a finding for each."""
    findings: list[Finding] = []
    instead: dict[str, Any] = {}
    while True:
        try:
            return Settings(**instead), findings
        except ValidationError as error:
            wrong = {_variable(e["loc"]): e["msg"].removeprefix("Value error, ") for e in error.errors()}
        for name, message in wrong.items():
            said = message if name in message else f"{name}: {message}"
            findings.append(failed(LOOKED_AT, said, f"correct {name} in the environment or in .env"))
            instead[name] = DEFAULTS[name]


def _variable(location: tuple[int | str, ...]) -> str:
    """The variable that an error is about; the rule about all settings is one about the first day."""
    return str(location[0]) if location else "SF_SYNC_FIRST_DAY"


def _is_wrong(findings: list[Finding], name: str) -> bool:
    return any(finding.mark == "failed" and name in finding.found for finding in findings)


DEFAULTS = {str(field.validation_alias): field.default for field in Settings.model_fields.values()}
