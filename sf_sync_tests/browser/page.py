"""The Dagster UI in a real browser: what a person sees and clicks, by the words on the screen."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

PROGRAMS = ("chromium", "chromedriver")
PACKAGES = ("chromium", "chromium-driver")
SIZE = (1400, 900)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-breakpad",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
POLL_S = 0.1
PATIENCE_S = 20
STILL_S = 0.5
REACTS_S = 4


def missing_programs() -> list[str]:
    """Which of the browser's programs aren't there; as root on a build machine they are installed first."""
    if not all(map(shutil.which, PROGRAMS)) and os.environ.get("CI") == "true" and os.geteuid() == 0:
        apt = ["apt-get", "-o", "Acquire::Retries=2", "-qq"]
        subprocess.run([*apt, "update"], check=False, timeout=120)
        install = [*apt, "install", "-y", "--no-install-recommends", *PACKAGES]
        subprocess.run(
            install, check=False, timeout=300, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        )
    return [name for name in PROGRAMS if shutil.which(name) is None]


@contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """A browser with an empty profile in that folder."""
    options = Options()
    options.binary_location = shutil.which(PROGRAMS[0]) or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    browser = Chrome(options=options, service=Service(shutil.which(PROGRAMS[1])))
    try:
        screen = {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        yield browser
    finally:
        browser.quit()


@dataclass(frozen=True, slots=True)
class Page:
    """A browser on the Dagster UI. Methods wait, and raise AssertionError where what they wait for doesn't come."""

    browser: Chrome
    address: str
    pictures: Path

    def open(self, path: str) -> None:
        """Go to a path, or to an address of the UI."""
        self.browser.get(path if path.startswith("http") else self.address + path)

    @property
    def text(self) -> str:
        """All that can be read."""
        return str(self.browser.execute_script("return document.body.innerText"))

    def see(self, *words: str, within_s: float = PATIENCE_S) -> None:
        """Wait until all these words are there."""

        def missing() -> list[str]:
            text = self.text
            return [one for one in words if one not in text]

        self._until(
            lambda: not missing(), lambda: f"not seen: {missing()} in:\n{self.text[-1500:]}", within_s
        )

    def gone(self, words: str, within_s: float = PATIENCE_S) -> None:
        """Wait until these words aren't there any more."""
        self._until(lambda: words not in self.text, lambda: f"{words!r} stays", within_s)

    def click(self, xpath: str, within_s: float = PATIENCE_S) -> None:
        """Click the first visible element of an XPath."""

        def try_it() -> bool:
            try:
                self._visible(xpath)[0].click()
            except (WebDriverException, IndexError):
                return False
            return True

        self._until(try_it, lambda: f"can't click {xpath} in:\n{self.text[-1500:]}", within_s)

    def button(self, starts: str, within: str = "") -> None:
        """Click a button by how its label starts."""
        self.click(f"{within}//button[starts-with(normalize-space(.), '{starts}')]")

    def open_dialog(self, starts: str) -> None:
        """Click a button, by how its label starts, until its dialog opens."""
        label = f"//button[starts-with(normalize-space(.), '{starts}')]"
        self._click_until(label, lambda: self._visible("//*[@role='dialog']"))

    def dialog_button(self, starts: str) -> None:
        """Click a button of the open dialog."""
        self.button(starts, within="//*[@role='dialog']")

    def tab(self, name: str) -> None:
        """Click a tab of the page."""
        self.click(f"//*[@role='tab' or self::a][normalize-space(.)='{name}']")

    def find(self, xpath: str) -> WebElement:
        """The first visible element of an XPath."""
        self._until(lambda: self._visible(xpath), lambda: f"no {xpath} in:\n{self.text[-1500:]}", PATIENCE_S)
        return self._visible(xpath)[0]

    def switch(self, path: str, *, on: bool) -> None:
        """Click the switch that stands behind the link to a sensor or schedule, until it shows what is wanted."""
        label = f"(//a[contains(@href, '{path}')]/following::label[contains(@class, 'formatSwitch')])[1]"

        def is_on() -> bool:
            return self.browser.find_element(By.XPATH, f"{label}/input").is_selected()

        self._until(lambda: is_on() is not on, lambda: f"{path} is already {on}", PATIENCE_S)
        self._click_until(label, lambda: is_on() is on)

    def scroll_to(self, heading: str) -> None:
        """Bring a heading to the top."""
        found = self.find(f"//*[normalize-space(text())='{heading}']")
        self.browser.execute_script("arguments[0].scrollIntoView()", found)

    def picture(self, name: str) -> None:
        """Save what is seen, once it has come to rest."""
        before, since = self.text, time.monotonic()
        deadline = since + 5
        while time.monotonic() - since < STILL_S and time.monotonic() < deadline:
            time.sleep(POLL_S)
            if (now := self.text) != before:
                before, since = now, time.monotonic()
        self.browser.save_screenshot(str(self.pictures / f"{name}.png"))

    def _click_until(self, xpath: str, look: Callable[[], object]) -> None:
        """A page that is still being drawn loses clicks, so one without effect is made again."""
        for last in (False, False, True):
            self.click(xpath)
            try:
                self._until(
                    look, lambda: f"nothing comes of clicking {xpath} in:\n{self.text[-1500:]}", REACTS_S
                )
            except AssertionError:
                if last:
                    raise
            else:
                return

    def _visible(self, xpath: str) -> list[WebElement]:
        return [one for one in self.browser.find_elements(By.XPATH, xpath) if one.is_displayed()]

    def _until(self, look: Callable[[], object], said: Callable[[], str], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while True:
            try:
                if look():
                    return
            except WebDriverException:
                pass  # the page was drawn anew meanwhile
            if time.monotonic() > deadline:
                self.browser.save_screenshot(str(self.pictures / "failed.png"))
                raise AssertionError(said())
            time.sleep(POLL_S)
