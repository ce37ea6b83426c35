"""The audit report of an artefact, as one HTML file and, where a browser program is installed, as PDF."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request, Response

from proml.core.digest import unhexed
from proml.errors import Busy, NotFound
from proml.export.report import policy, render
from proml.node.pages.shown import PageRoute
from proml.node.reporting import report_of
from proml.node.server.callers import Reader, node_of
from proml.verify import ById, verify

ROUTER = APIRouter(route_class=PageRoute)
# Any of these prints a page; it is given a file without scripts and no network.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "microsoft-edge")
PRINT_SECONDS = 60
_printing = threading.Lock()


@ROUTER.get("/artefacts/{identifier}/report")
def report_page(request: Request, identifier: str, _: Reader) -> Response:
    """The report as one self-contained HTML file."""
    page = _report(request, identifier)
    # Its style sheet stands in the page, named by its digest; nothing else may be loaded.
    headers = {"content-security-policy": policy()}
    return Response(page, HTTPStatus.OK, headers, "text/html; charset=utf-8")


@ROUTER.get("/artefacts/{identifier}/report.pdf")
def report_pdf(request: Request, identifier: str, _: Reader) -> Response:
    """The report as PDF.

    Raises:
        NotFound: where no browser program is installed.
        Busy: while another report is printed.
    """
    content = printed(_report(request, identifier))
    headers = {"content-disposition": f'attachment; filename="{identifier[2:10]}.pdf"'}
    return Response(content, HTTPStatus.OK, headers, "application/pdf")


def printed(page: str) -> bytes:
    """A page without scripts as PDF, printed by a browser program of this machine.

    Raises:
        NotFound: where none is installed, or it fails.
        Busy: while it is at another page: it takes much memory.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise NotFound(
            "printing a PDF needs Chromium or Chrome on the node's machine",
            "open the report as a page and print it from your browser; it has a print layout",
        )
    if not _printing.acquire(timeout=5):
        raise Busy("another report is being printed", "try again in a moment")
    try:
        with tempfile.TemporaryDirectory(prefix="proml-report-") as folder:
            return _print(browser, page, Path(folder))
    finally:
        _printing.release()


def _print(browser: str, page: str, folder: Path) -> bytes:
    source, target = folder / "report.html", folder / "report.pdf"
    source.write_text(page, encoding="utf-8")
    command = [
        browser,
        "--headless",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--no-pdf-header-footer",
        f"--user-data-dir={folder / 'profile'}",
        f"--print-to-pdf={target}",
        source.as_uri(),
    ]
    if os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # it refuses to run as root with one; the page has no script
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=PRINT_SECONDS)
        return target.read_bytes()
    except (subprocess.SubprocessError, OSError) as error:
        raise NotFound(
            f"the report could not be printed: {type(error).__name__} of {Path(browser).name}",
            "open the report as a page and print it from your browser",
        ) from error


def _report(request: Request, identifier: str) -> str:
    node = node_of(request)
    target = ById(unhexed(identifier))
    with node.grounds() as grounds:
        verdict = verify(grounds, [node.me.storage], node.me.lifecycles, target)
        return render(report_of(node.me, grounds.chronicle, verdict))
