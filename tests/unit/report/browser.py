"""A real Chromium for the tests of pages: Debian's, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium")
WIDTHS = {"phone": 390, "desktop": 1280}
_PATIENCE = 180_000
"""Milliseconds."""


@contextmanager
def opened(path: Path, width: int = WIDTHS["desktop"], scheme: str = "light") -> Iterator[Page]:
    """Open a page from disk; anything that it writes to the console or asks the network for fails the test."""
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=_PATIENCE)
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(_PATIENCE)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn=true]")
        yield page
        browser.close()
    assert said == []
