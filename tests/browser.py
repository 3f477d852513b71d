"""Pages looked at in a real browser, without a network; tests/conftest.py leaves them out where there is none."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from axe_core_python.sync_playwright import Axe
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from localcloud.processes import repository

FOUND: Final = all(shutil.which(program) for program in ("chromium", "chromedriver"))
SIGHTS: Final = [(width, scheme) for width in (1400, 420) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """Chromium without a network."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for word in ("headless=new", "no-sandbox", "disable-gpu", "host-resolver-rules=MAP * ~NOTFOUND", "no-first-run"):
        options.add_argument(f"--{word}")
    driver = webdriver.Chrome(options, Service(str(shutil.which("chromedriver"))))
    yield driver
    driver.quit()


def shown(browser: webdriver.Chrome, path: Path, width: int, scheme: str) -> None:
    """Load a page at a width, in a colour scheme."""
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 700}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(path.as_uri())


def kept(browser: webdriver.Chrome, name: str) -> None:
    """Keep a picture of what is shown, for people: build/page-WIDTH-SCHEME.png."""
    folder = repository() / "build"
    folder.mkdir(exist_ok=True)
    picture = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    (folder / name).write_bytes(base64.b64decode(picture["data"]))


def looked_through(browser: webdriver.Chrome, width: int) -> list[Any]:
    """What is cut at this width, and what a checker of accessibility finds in the page that is shown."""
    needed = browser.execute_script("return document.documentElement.scrollWidth")
    browser.execute_script(Axe().axe_script)
    found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    violations = [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found["violations"]]
    return violations + ([f"{needed} pixels are needed"] if needed > width else [])
