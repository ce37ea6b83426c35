"""Pages: what a participant's people look at in a browser, made on the node, without a build step.

Every page is made from frozen data classes of the index and has a JSON twin that shows the same. Nothing is
loaded from another host, nothing of a record is ever markup, and nothing that matters is to be believed
because a page says it: each says how to check it elsewhere.
"""

from __future__ import annotations

from fastapi import FastAPI

from proml.node.pages import artefacts, checking, lineages, members, overview, reports, runs, sessions, static

ROUTERS = (
    static.ROUTER,
    overview.ROUTER,
    artefacts.ROUTER,
    lineages.ROUTER,
    runs.ROUTER,
    members.ROUTER,
    checking.ROUTER,
    reports.ROUTER,
    sessions.ROUTER,
)


def pages(app: FastAPI) -> None:
    """Add every page to the application."""
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
