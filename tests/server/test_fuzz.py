"""Requests made out of the API's own description: nothing they say makes the node fail or hang."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from proml.node.server.access import ALL_SCOPES
from proml.node.server.api.journals import MEDIA_TYPE
from proml.node.server.app import openapi_document
from tests.server.conftest import MEMORY
from tests.server.place import Place

# A short form here; `make fuzz-api` asks for as many as are wanted.
EXAMPLES = int(os.environ.get("PROML_API_EXAMPLES", "4"))
SECONDS = 20.0
schemathesis.serializer.alias(MEDIA_TYPE, "application/octet-stream")
schema = schemathesis.openapi.from_dict(openapi_document())


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[tuple[Place, dict[str, str]]]:
    """A node that has something to tell, and a token for everything."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        place = Place(Path(folder))
        table = Path(folder) / "digits.csv"
        table.write_text("1,2\n")
        place.me.register(table, "dataset", name="digits")
        place.push()
        with place.up():
            yield place, {**place.token(*ALL_SCOPES)}


@schema.exclude(path_regex="/live$").parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 100,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)
def test_whatever_is_asked_is_answered_as_described(
    case: schemathesis.Case, fuzzed: tuple[Place, dict[str, str]]
):
    place, token = fuzzed
    case.headers = {**(case.headers or {}), **token, "idempotency-key": os.urandom(8).hex()}
    response = case.call(base_url=place.url, timeout=SECONDS)
    assert response.status_code < 500, response.text
    case.validate_response(
        response, checks=[status_code_conformance, content_type_conformance, response_schema_conformance]
    )
