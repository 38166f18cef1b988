"""Takes pictures of pages with a Chromium that has no window."""

import base64
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_S = 90


@contextmanager
def opened() -> Iterator[Any]:
    """The browser, with a profile of its own that goes with it."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        browser = webdriver.Chrome(options=options, service=service)
        try:
            yield browser
        finally:
            browser.quit()


def shoot(
    browser: Any,
    address: str,
    path: Path,
    *,
    width: int,
    height: int,
    scheme: str = "light",
    until: str = "",
    hide: str = "",
) -> None:
    """Take a picture of what the window shows once `until` stands on the page.

    Args:
        browser: what `opened` gave.
        address: of the page.
        path: of the PNG.
        width: of the window, in pixels.
        height: of the window, in pixels.
        scheme: `light` or `dark`.
        until: a text to wait for.
        hide: a label of a button that closes what is in the way.
    """
    sizes = {"width": width, "height": height, "deviceScaleFactor": 1.5, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(address)
    deadline = time.monotonic() + PATIENCE_S
    while until not in browser.find_element("tag name", "body").text:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{address}: {until!r} did not come up")
        time.sleep(0.2)
    time.sleep(2)
    if hide:
        for button in browser.find_elements("css selector", f"[aria-label='{hide}']"):
            browser.execute_script("arguments[0].click()", button)
        time.sleep(1)
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    path.write_bytes(base64.b64decode(taken["data"]))
