"""The application of a node: every route, behind the guard.

Where things go: a part of the API is a module `api/<noun>.py` with a `routers` tuple, listed here; pages are
`proml.node.pages.pages(app)`, called last.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from proml import __version__
from proml.node.pages import pages
from proml.node.receiving import MAX_COMPRESSED
from proml.node.server.api import (
    artefacts,
    checking,
    consortium,
    journals,
    live,
    shared,
    signing_in,
    state,
    writing,
)
from proml.node.server.callers import Needs
from proml.node.server.guard import Guard, Rules
from proml.node.server.node import Node
from proml.node.server.problems import Problem, install
from proml.node.server.routes import PREFIX

ROUTERS: tuple[APIRouter, ...] = (
    *state.ROUTERS,
    *artefacts.ROUTERS,
    *consortium.ROUTERS,
    *checking.ROUTERS,
    *live.ROUTERS,
    *signing_in.ROUTERS,
    *writing.ROUTERS,
    *journals.ROUTERS,
    *shared.ROUTERS,
)
ABOUT = """\
What one organisation's node knows of the shared history, and how to add to it.

Ask with `Authorization: Bearer TOKEN` (`proml node token create`). A request that changes something needs an
`Idempotency-Key`. Errors are problem details (RFC 9457). A node may lie to whoever asks it: `proml verify` on
another machine does not ask it.
"""


def make_app(node: Node) -> FastAPI:
    """The application that answers for a node."""
    app = _api()
    app.state.node = node
    install(app)
    pages(app)
    # Last: a route that comes later would make the framework describe everything anew.
    _describe(app)
    app.add_middleware(Guard, rules=rules_of(node), metrics=node.metrics)
    return app


def openapi_document() -> dict[str, Any]:
    """The description of the API, the same for every node."""
    app = _api()
    _describe(app)
    return app.openapi()


def _api() -> FastAPI:
    app = FastAPI(
        title="ProML node",
        version=__version__,
        description=ABOUT,
        # The pages that show these load scripts of other hosts, which the content security policy forbids.
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
    )
    for router in ROUTERS:
        app.include_router(router)
    return app


def rules_of(node: Node) -> Rules:
    """What the guard of a node goes by."""
    bodies = {journals.FRAMES: (journals.MEDIA_TYPE, MAX_COMPRESSED)}
    return Rules(node.listening.hosts, node.listening.scheme, bodies)


def _describe(app: FastAPI) -> None:
    """Add to the OpenAPI document what routes do not return: the scope each needs, the shape of problems."""
    made = app.openapi()
    for router in ROUTERS:
        for route in router.routes:
            operations = made["paths"].get(getattr(route, "path", ""), {})
            for method in getattr(route, "methods", ()):
                if method.lower() in operations:
                    operations[method.lower()]["x-scope"] = scope_of(route) or "none"
    properties = {
        name: {"type": "integer" if name == "status" else "string"} for name in Problem.__dataclass_fields__
    }
    made.setdefault("components", {}).setdefault("schemas", {})["Problem"] = {
        "type": "object",
        "description": "What is wrong, and what to do about it (RFC 9457).",
        "properties": properties,
        "required": list(properties),
    }


def scope_of(route: BaseRoute) -> str | None:
    """The scope that a route asks for, None where anybody may ask."""
    dependant = getattr(route, "dependant", None)
    found = (
        [each.call.scope for each in dependant.dependencies if isinstance(each.call, Needs)]
        if dependant
        else []
    )
    return found[0] if found else None
