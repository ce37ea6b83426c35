"""Serves what pages are drawn with: the style sheet, our few scripts, and the libraries kept beside them."""

from __future__ import annotations

import mimetypes
from http import HTTPStatus

from fastapi import APIRouter, Response

from proml.errors import NotFound
from proml.node.pages.shown import STATIC, static_names, stylesheet, version

ROUTER = APIRouter()
# Its address changes with its content.
FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


@ROUTER.get("/static/{of}/{name:path}")
def static_file(of: str, name: str) -> Response:
    """A static file. Only listed names are ever opened, so no path leads anywhere else."""
    if of != version() or name not in static_names():
        raise NotFound("there is no such file; load the page again")
    if name == "site.css":
        return Response(stylesheet(), HTTPStatus.OK, FOR_EVER, "text/css")
    kind = mimetypes.guess_type(name)[0] or "text/plain"
    return Response(STATIC.joinpath(name).read_bytes(), HTTPStatus.OK, FOR_EVER, kind)
