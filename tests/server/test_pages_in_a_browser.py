"""Pages in a real browser: nothing runs that should not, everything can be reached, read and used."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from eth_account.messages import _hash_eip191_message, encode_typed_data
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from proml.core.digest import hexed, sha256
from proml.node.government import Government
from proml.node.server.signatures import text_digest
from proml.signing import LocalSigner
from tests.server.place import Place, until

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# Without these it looks for updates of its own, on other hosts.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PHONE: Any = {"width": 390, "height": 844}
DESK: Any = {"width": 1280, "height": 900}
PAGES = ("/", "/artefacts", "/runs", "/participants", "/proposals", "/check")

if CHROMIUM is None and not os.environ.get("PROML_REQUIRE_PROGRAMS"):
    pytest.skip("no Chromium on this machine", allow_module_level=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield made
        made.close()


class Watched:
    """A page of the browser, and everything it complained about."""

    def __init__(self, page: Page, place: Place) -> None:
        self.page = page
        self.place = place
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: self._asked(request.url))

    def open(self, address: str) -> Page:
        self.page.goto(self.place.url + address)
        self.page.wait_for_load_state("load")
        return self.page

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.place.url, "data:", "blob:")):
            self.foreign.append(url)


@contextmanager
def watched(context: BrowserContext, place: Place) -> Iterator[Watched]:
    """A page that must neither complain nor ask another host."""
    page = context.new_page()
    seen = Watched(page, place)
    yield seen
    page.close()
    assert seen.complaints == []
    assert seen.foreign == []


def everything(place: Place) -> list[str]:
    """Addresses of every page, with those of one artefact of each kind."""
    found: dict[str, str] = {}
    for row in place.get("/artefacts?format=json").json()["content"]["page"]["rows"]:
        found.setdefault(row["kind"], row["id"])
    runs = f"/runs/compare?run={found['run']}"
    model = [f"/artefacts/{found['model']}{part}" for part in ("/lineage", "/verdict", "/report")]
    return [*PAGES, runs, *(f"/artefacts/{each}" for each in found.values()), *model]


@pytest.mark.attack
@pytest.mark.parametrize(("mode", "size"), [("light", DESK), ("dark", PHONE)], ids=["desk", "phone"])
def test_attack_50_no_name_runs_and_everybody_can_read_and_operate_every_page(
    browser: Browser, told: Place, mode: Any, size: Any
):
    context = browser.new_context(viewport=size, color_scheme=mode)
    axe = Axe()
    for address in everything(told):
        with watched(context, told) as seen:
            page = seen.open(address)
            assert page.title()
            assert page.evaluate("document.querySelectorAll('script:not([src])').length") == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], address
            found = axe.run(page, options={"runOnly": RULES})
            assert found.violations_count == 0, (address, found.generate_report())
    context.close()


def test_the_keyboard_alone_finds_an_artefact_and_comes_to_its_lineage(browser: Browser, told: Place):
    context = browser.new_context(viewport=DESK)
    with watched(context, told) as seen:
        page = seen.open("/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        tab_to(page, "Artefacts")
        page.keyboard.press("Enter")
        page.wait_for_url("**/artefacts")
        page.locator("#q").focus()
        page.keyboard.type("net")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=net*")
        tab_to(page, "model net")
        page.keyboard.press("Enter")
        page.wait_for_url("**/artefacts/0x*")
        tab_to(page, "Lineage")
        page.keyboard.press("Enter")
        page.wait_for_url("**/lineage")
        assert "library 1.0" in page.inner_text("main")
    context.close()


def tab_to(page: Page, words: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == words:
            return
    raise AssertionError(f"no Tab leads to {words!r}")


def test_the_graph_shows_the_lineage_and_grows_when_an_artefact_is_chosen(browser: Browser, told: Place):
    rows = told.get("/artefacts?format=json&kind=model").json()["content"]["page"]["rows"]
    context = browser.new_context(viewport=DESK)
    with watched(context, told) as seen:
        page = seen.open(f"/artefacts/{rows[0]['id']}/lineage?steps=1")
        page.wait_for_selector("#graph:not([hidden]) canvas")
        frame = page.locator("#graph").bounding_box()
        assert frame is not None
        # The model and its run, side by side: the run on the left has the library for a neighbour.
        page.mouse.click(frame["x"] + frame["width"] / 2 - 119, frame["y"] + frame["height"] / 2)
        page.locator("#graph-said", has_text="more artefact").wait_for()
    context.close()


@pytest.mark.parametrize("size", [7, 20 * 1024 * 1024])
def test_a_file_is_hashed_in_the_browser_and_never_sent(
    browser: Browser, told: Place, tmp_path: Path, size: int
):
    file = tmp_path / "model.bin"
    content = b"weights" if size == 7 else os.urandom(size)
    file.write_bytes(content)
    sent: list[int] = []
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.on("request", lambda request: sent.append(len(request.post_data_buffer or b"")))
    page.goto(f"{told.url}/check")
    page.set_input_files("#file", file)
    page.wait_for_url("**digest=*", timeout=30_000)
    shown = page.inner_text("main")
    assert hexed(sha256(content)) in page.content()
    assert ("every step legal" in shown) == (size == 7)
    assert ("no history knows it" in shown) == (size != 7)
    assert sum(sent) == 0
    context.close()


def test_an_open_page_tells_that_the_history_moved_on(browser: Browser, told: Place):
    context = browser.new_context(viewport=DESK)
    with watched(context, told) as seen:
        page = seen.open("/proposals")
        assert page.locator("#live").is_hidden()
        told.me.register(None, "dependency", "another library")
        page.wait_for_selector("#live:not([hidden])", timeout=20_000)
    context.close()


class Wallet:
    """A wallet as browsers have one (EIP-1193): it shows what it signs, and signs with a real key."""

    def __init__(self, key: LocalSigner) -> None:
        self.key = key
        self.shown: list[str] = []

    def install(self, page: Page) -> None:
        page.expose_function("wallet", self._answer)
        page.add_init_script("window.ethereum = { request: (asked) => window.wallet(asked) };")

    def _answer(self, asked: dict[str, Any]) -> Any:
        match asked["method"]:
            case "eth_requestAccounts":
                return [hexed(self.key.address)]
            case "personal_sign":
                self.shown.append(asked["params"][0])
                return hexed(self.key.sign_digest(text_digest(asked["params"][0])))
            case "eth_signTypedData_v4":
                message = encode_typed_data(full_message=json.loads(asked["params"][1]))
                self.shown.append(json.loads(asked["params"][1])["message"]["text"])
                return hexed(self.key.sign_digest(_hash_eip191_message(message)))
        raise AssertionError(asked)


def test_a_member_signs_in_makes_a_step_and_decides(browser: Browser, told: Place):
    Government(told.me).propose_threshold(2)
    (row,) = listed(told, "model")
    wallet = Wallet(told.signer)
    context = browser.new_context(viewport=DESK)
    with watched(context, told) as seen:
        wallet.install(seen.page)
        page = seen.open("/sign-in")
        page.get_by_role("button", name="Sign in with a wallet").click()
        page.get_by_role("link", name="Signed in").wait_for()
        page = seen.open(f"/artefacts/{row['id']}")
        page.get_by_role("button", name="drop", exact=True).click()
        page.locator("#acted", has_text="drop is noted").wait_for()
        until(lambda: listed(told, "model")[0]["state"] == "dropped")
        until(lambda: told.get("/proposals?format=json").json()["content"]["proposals"])
        page = seen.open("/proposals")
        page.get_by_role("button", name="Execute it").click()
        page.locator("#acted", has_text="Done: execute proposal 1").wait_for()
        page = seen.open("/sign-in")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("link", name="Sign in", exact=True).wait_for()
    assert "execute proposal 1" in wallet.shown[-1]
    context.close()


def test_without_a_wallet_the_page_says_what_to_do(browser: Browser, told: Place):
    context = browser.new_context(viewport=DESK)
    with watched(context, told) as seen:
        page = seen.open("/sign-in")
        page.get_by_role("button", name="Sign in with a wallet").click()
        page.locator("#said", has_text="there is no wallet").wait_for()
    context.close()


def listed(place: Place, kind: str) -> list[dict[str, Any]]:
    return list(place.get(f"/artefacts?format=json&kind={kind}").json()["content"]["page"]["rows"])
