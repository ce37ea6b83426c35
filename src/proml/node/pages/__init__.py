"""The node's HTML pages."""

from __future__ import annotations

from fastapi import FastAPI


def pages(app: FastAPI) -> None:
    """Add every page to the application; `app.state.node` is the node."""
    del app
