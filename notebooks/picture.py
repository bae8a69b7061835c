"""Make notebooks/report.png, the picture in the README: the top of the page of a real walk-forward."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from admf_ray.launch import main

HERE = Path(__file__).parent

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root, sync_playwright() as playwright:
        main(["+experiment=walkforward", f"run_root={root}", "run_name=pictured"])
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 1380})
        page.goto((Path(root) / "pictured" / "report.html").as_uri())
        page.wait_for_selector("html[data-drawn=true]")
        page.screenshot(path=HERE / "report.png")
        browser.close()
