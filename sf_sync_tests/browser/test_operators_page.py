"""An operator with a browser signs in, sees what failed and why, replays it and sees it completed; also on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from sf_sync.sandbox.server import LocalOrg
from sf_sync.store.database import Database
from sf_sync_tests.browser import page
from sf_sync_tests.browser.conftest import FOLDER
from sf_sync_tests.browser.dagster_dev import eventually
from sf_sync_tests.browser.operating import OPERATOR, RULE, Operating, operating
from sf_sync_tests.browser.page import Page

DESKTOP = (1280, 900)
PHONE = (360, 780)
TALLEST = 3_000
SOON_S = 60


@pytest.fixture
def programme(database: Database) -> Iterator[Operating]:
    """A fortnight of a programme has happened, and its worker goes on."""
    with LocalOrg(pima=True) as org, operating(org, database) as running:
        yield running


@pytest.fixture
def ui(programme: Operating, tmp_path: Path) -> Iterator[Page]:
    """The page in a browser; skipped where there is none."""
    if missing := page.missing_programs():
        pytest.skip(f"no {' and no '.join(missing)}: apt-get install {' '.join(page.PACKAGES)}")
    pictures = Path(FOLDER).absolute() if FOLDER else tmp_path / "screenshots"
    pictures.mkdir(parents=True, exist_ok=True)
    with page.chromium(tmp_path / "chromium") as browser:
        yield Page(browser, programme.url, pictures)


@pytest.mark.proof
@pytest.mark.timeout(240)
def test_an_operator_replays_what_failed(programme: Operating, ui: Page) -> None:
    _resize(ui, DESKTOP)
    _sign_in(ui)
    _look_at_the_overview(ui)
    _find_the_failed_one(programme, ui)
    _read_why(ui)
    _on_a_phone(programme, ui)
    _in_the_dark(ui)
    _replay(programme, ui)
    _sign_out(ui)
    assert [one for one in _log(ui) if one["level"] == "SEVERE"] == []


def _sign_in(ui: Page) -> None:
    ui.open("/")
    ui.see("Sign in", "Name", "Secret")
    ui.browser.find_element(By.NAME, "name").send_keys(OPERATOR.name)
    # By the keyboard alone: the secret is the next field, Enter sends the form.
    ui.browser.switch_to.active_element.send_keys(Keys.TAB)
    ui.browser.switch_to.active_element.send_keys(OPERATOR.secret, Keys.ENTER)
    ui.see("Overview", OPERATOR.name)


def _look_at_the_overview(ui: Page) -> None:
    ui.see("What arrived, and what became of it", "Farmer Registration", "Why something failed", "What waits")
    ui.see("A validation rule of the org refused it.", "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    assert not _goes_sideways(ui)
    _picture(ui, "operator-overview")


def _find_the_failed_one(programme: Operating, ui: Page) -> None:
    ui.click("//a[normalize-space(.)='A validation rule of the org refused it.']")
    ui.see("Records", RULE, "These are all.")
    assert ui.browser.find_elements(By.CSS_SELECTOR, f"a[href='/records/{programme.refused}']")
    _picture(ui, "operator-records")
    ui.click(f"//a[@href='/records/{programme.refused}']")


def _read_why(ui: Page) -> None:
    ui.see("A validation rule of the org refused it.", RULE, "upsert Participant__c", "As it arrived")
    assert "Arabica" not in str(ui.browser.page_source)
    assert not _goes_sideways(ui)
    _picture(ui, "operator-record")


def _on_a_phone(programme: Operating, ui: Page) -> None:
    _resize(ui, PHONE)
    for path, name in (
        ("/", "operator-overview-phone"),
        ("/records?status=failed,dead", "operator-records-phone"),
        (f"/records/{programme.refused}", "operator-record-phone"),
    ):
        ui.open(path)
        assert not _goes_sideways(ui), path
        _open_everything(ui)
        assert not _goes_sideways(ui), f"{path} with everything opened"
        ui.open(path)
        _picture(ui, name)


def _in_the_dark(ui: Page) -> None:
    _resize(ui, DESKTOP)
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    ui.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    ui.open("/")
    ui.see("Overview")
    _picture(ui, "operator-overview-dark")
    ui.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def _replay(programme: Operating, ui: Page) -> None:
    ui.open("/records?status=dead")
    ui.click(f"//tr[.//a[@href='/records/{programme.refused}']]//input")
    ui.button("Replay or hold the ticked")
    ui.see("Replay 1 record?")
    ui.button("Replay with today")
    ui.see("1 record is replayed with today's mapping.")
    eventually("the record completed", lambda: programme.status(programme.refused) == "completed", SOON_S)
    ui.open(f"/records/{programme.refused}")
    ui.see("Delivered", "Everything was written.")
    _picture(ui, "operator-replayed")


def _sign_out(ui: Page) -> None:
    ui.button("Sign out")
    ui.see("You stay signed in for 12 hours")
    ui.open("/records")
    ui.see("Sign in")


def _picture(ui: Page, name: str) -> None:
    """The whole page, as far down as it goes."""
    width, height, down = ui.browser.execute_script(
        "return [innerWidth, innerHeight, document.documentElement.scrollHeight]"
    )
    _resize(ui, (width, min(down, TALLEST)))
    ui.picture(name)
    _resize(ui, (width, height))


def _log(ui: Page) -> list[dict[str, Any]]:
    return list(ui.browser.get_log("browser"))  # type: ignore[no-untyped-call]


def _resize(ui: Page, size: tuple[int, int]) -> None:
    screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 500}
    ui.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def _open_everything(ui: Page) -> None:
    ui.browser.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true })")


def _goes_sideways(ui: Page) -> bool:
    return bool(
        ui.browser.execute_script(
            "return [document.documentElement, ...document.querySelectorAll('.card, .tree, .plot, tbody')]"
            ".some(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'visible')"
            " || document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
    )
