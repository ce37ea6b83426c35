"""Takes the pictures of a node's pages that the documentation shows, from the demo's own history.

    make pictures

Needs Chromium. Starts the node of the demo's developer on a free port, opens every page, and writes
`docs/pictures/page-*.png`. The pictures differ a little every time (ids, times), so nothing checks them;
take them anew when a page has changed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "build" / "demo" / "developer"
PICTURES = ROOT / "docs" / "pictures"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK: Any = {"width": 1180, "height": 860}
PHONE: Any = {"width": 390, "height": 844}


def main() -> int:
    """Take all pictures; exit code 1 with one sentence where something is missing."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return _fail("pictures are taken with Chromium, which is not installed")
    if not PROJECT.is_dir():
        return _fail(f"there is no {PROJECT.relative_to(ROOT)}: run `make demo` first")
    command = [sys.executable, "-m", "proml", "node", "up", "--port", "0", "--log", "error"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as node:
        try:
            assert node.stdout is not None
            found = re.search(r"http://\S+?(?=;|\s)", node.stdout.readline())
            if found is None:
                return _fail("the node did not start")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
                _take_all(browser, found[0])
                browser.close()
        finally:
            node.terminate()
    return 0


def _take_all(browser: Any, url: str) -> None:
    pages = _pages(url)
    desk = browser.new_context(viewport=DESK, color_scheme="light").new_page()
    for name, address in pages.items():
        _take(desk, url + address, name)
    phone = browser.new_context(viewport=PHONE, color_scheme="dark", device_scale_factor=2).new_page()
    for name in ("overview", "run", "lineage"):
        _take(phone, url + pages[name], f"{name}-phone")


def _take(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.wait_for_load_state("load")
    page.wait_for_timeout(600)  # the graph is drawn after the page
    path = PICTURES / f"page-{name}.png"
    page.screenshot(path=path)
    print(path.relative_to(ROOT))


def _pages(url: str) -> dict[str, str]:
    while not _asked(f"{url}/?format=json")["content"]["status"]["documents"]:
        time.sleep(0.2)  # the index is being made
    rows = _asked(f"{url}/artefacts?format=json")["content"]["page"]["rows"]

    def one(kind: str, state: str) -> str:
        return next(str(row["id"]) for row in rows if (row["kind"], row["state"]) == (kind, state))

    model, run = one("model", "deployed"), one("run", "finished")
    runs = [row["id"] for row in rows if row["kind"] == "run"][:3]
    return {
        "overview": "/",
        "artefacts": "/artefacts",
        "artefact": f"/artefacts/{model}",
        "run": f"/artefacts/{run}",
        "lineage": f"/artefacts/{model}/lineage",
        "runs": "/runs",
        "compare": "/runs/compare?" + "&".join(f"run={each}" for each in runs),
        "participants": "/participants",
        "proposals": "/proposals",
        "check": "/check",
        "verdict": f"/artefacts/{model}/verdict",
        "report": f"/artefacts/{model}/report",
        "sign-in": "/sign-in",
    }


def _asked(address: str) -> Any:
    with urllib.request.urlopen(address) as answer:  # noqa: S310 -- the node's own address
        return json.load(answer)


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
