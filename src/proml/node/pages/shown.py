"""What a page shows, and how it is answered: as HTML, or as its JSON twin for programs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup
from starlette.exceptions import HTTPException

from proml.errors import ProMLError
from proml.export.canvas import Drawing
from proml.export.markup import own
from proml.export.palette import with_fallbacks
from proml.export.templating import environment, page_rules
from proml.node.index import View, status
from proml.node.server.callers import Caller, caller_of, node_of
from proml.node.server.node import Node
from proml.node.server.problems import problem_of
from proml.node.server.routes import Answering

STATIC = files("proml.node.pages") / "static"


@dataclass(frozen=True, slots=True)
class Shown:
    """What one page shows.

    Attributes:
        template: file name below `templates/`.
        title: of the page; may hold text of records.
        content: a frozen data class of plain values: what the template shows, and the JSON twin in whole.
        section: the place in the navigation that it belongs to.
        drawings: by the name under which the template places them.
        status: of the HTTP answer.
    """

    template: str
    title: str
    content: Any
    section: str = ""
    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    status: int = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around every page.

    Attributes:
        block, time: how far the index reads; `time` is 0 before the first block.
        behind: blocks that the index has still to read; None before the indexer ran at all.
        problems: sentences about what is not well.
        scopes: what whoever looks at it may do here.
        signed_in: whether that one signed in with a key.
    """

    organisation: str
    chain_id: int
    contract: str
    block: int
    time: int
    behind: int | None
    problems: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    signed_in: bool = False


# Around a page that says what is wrong: then nothing is asked of an index that may be what is wrong.
_NO_FRAME = Frame("", 0, "", 0, 0, None)


def answer(request: Request, view: View, shown: Shown) -> Response:
    """The page as whoever asks wants it: JSON with `?format=json` or by `Accept`, else HTML."""
    frame = frame_of(request, view)
    if wants_json(request):
        body = {"title": shown.title, "block": frame.block, "content": shown.content}
        return Response(
            orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS),
            shown.status,
            {"vary": "Accept"},
            "application/json",
        )
    return _page(request, frame, shown)


def _page(request: Request, frame: Frame, shown: Shown) -> HTMLResponse:
    template = _templates().get_template(shown.template)
    page = template.render(
        title=shown.title,
        section=shown.section,
        frame=frame,
        content=shown.content,
        twin=with_query(request, format="json"),
        version=version(),
        mark=_mark(),
        drawn={name: drawing.figure(f"drawing-{name}") for name, drawing in shown.drawings.items()},
    )
    return HTMLResponse(page, shown.status, {"vary": "Accept"})


def frame_of(request: Request, view: View) -> Frame:
    """What stands around a page: whose node this is, and how it is."""
    node = node_of(request)
    told = status(view)
    duties = [
        f"The {standing.name} cannot go on: {standing.problem}"
        for standing in node.standings()
        if standing.problem and standing.name != "indexer"
    ]
    caller = _caller(request)
    index = [f"The index cannot go on: {told.problem}"] if told.problem else []
    return Frame(
        organisation=_own_name(node, view),
        chain_id=view.head.chain_id,
        contract=view.head.contract,
        block=view.head.number,
        time=view.head.time,
        behind=told.behind if told.checked is not None else None,
        problems=tuple(index + duties),
        scopes=tuple(sorted(caller.scopes)) if caller else (),
        signed_in=caller is not None and caller.address is not None,
    )


class PageRoute(APIRoute):
    """Shows people what is wrong as a page; programs get the problem details that the API gives."""

    def get_route_handler(self) -> Answering:
        """What answers, with errors as pages."""
        answered = super().get_route_handler()

        async def as_page(request: Request) -> Response:
            try:
                return await answered(request)
            except (ProMLError, HTTPException, RequestValidationError) as error:
                if wants_json(request):
                    raise
                problem = problem_of(error)
                return _page(
                    request, _NO_FRAME, Shown("problem.html", problem.title, problem, status=problem.status)
                )

        return as_page


def with_query(request: Request, **changes: str | None) -> str:
    """This page's address with some of its query changed; None takes a parameter away."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changes]
    added = [(name, value) for name, value in changes.items() if value is not None]
    query = urlencode(kept + added)
    return f"{request.url.path}?{query}" if query else request.url.path


def _caller(request: Request) -> Caller | None:
    try:
        return caller_of(request)
    except (HTTPException, ProMLError):
        return None


def _own_name(node: Node, view: View) -> str:
    number = node.own(view)
    return view.names.name_of(number) if number else "an outsider"


@cache
def version() -> str:
    """Sixteen hex digits over everything static, part of its addresses: a browser never shows an old one."""
    digest = hashlib.sha256(stylesheet())
    for name in sorted(static_names()):
        digest.update(name.encode() + STATIC.joinpath(name).read_bytes())
    return digest.hexdigest()[:16]


@cache
def static_names() -> frozenset[str]:
    """Every file that may be asked for, by its path below `static/`."""
    return frozenset(_below(STATIC, ""))


@cache
def stylesheet() -> bytes:
    """The style sheet: the report's, and what only pages need."""
    site = STATIC.joinpath("site.css").read_text(encoding="ascii")
    return (str(page_rules()) + with_fallbacks(site)).encode()


def _below(folder: Any, prefix: str) -> list[str]:
    found: list[str] = []
    for each in folder.iterdir():
        found += _below(each, f"{prefix}{each.name}/") if each.is_dir() else [prefix + each.name]
    return found


def wants_json(request: Request) -> bool:
    """Whether a program asks, and not a browser."""
    if request.query_params.get("format") == "json":
        return True
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


@cache
def _mark() -> Markup:
    outline = STATIC.joinpath("mark.svg").read_text(encoding="ascii").partition("</style>")[2]
    return own(f'<svg class="pm-sign" viewBox="0 0 16 16" aria-hidden="true">{outline}')


@cache
def _templates() -> Environment:
    # `parts.html` of the report shows verdicts and steps here too.
    loader = ChoiceLoader([PackageLoader("proml.node.pages"), PackageLoader("proml.export")])
    return environment(loader)
