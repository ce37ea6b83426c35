"""A typed client of a node's REST API; needs the extra `node`, whose data classes it answers with.

    node = NodeClient("http://127.0.0.1:8600")
    for row in node.artefacts(kind="model"):
        print(row.name, row.state, row.changed.certainty)

What a node says is its word: `proml verify` does not ask one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Self, TypeVar

import httpx2
import orjson
from pydantic import TypeAdapter, ValidationError

from proml import errors
from proml.errors import NodeProblem, ProMLError
from proml.node.index.rows import (
    ArtefactRow,
    DocumentRow,
    LineageRows,
    OrganisationRow,
    Page,
    ProposalRow,
    StepRow,
)
from proml.node.server.api.artefacts import ArtefactState
from proml.node.server.api.checking import Judged
from proml.node.server.api.state import NodeState
from proml.node.server.noting import Noted, StepRequest

API = "/api/v1"
MAX_ANSWER_BYTES = 64 * 1024 * 1024
Answer = TypeVar("Answer")


class NodeClient:
    """Asks one node; may be used from several threads. Close it, or use it in a `with` block.

    Args:
        url: the node's address, `https://host:port`; `http` for one on this machine.
        token: shown with every request; see `proml node token create`.
        timeout: seconds to wait for each piece of an answer.

    Every method raises NodeProblem when the node is away, answers nonsense or refuses, and NotFound,
    UsageProblem, StepRefused and the like where the node says so.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 30.0) -> None:
        headers = {"accept-encoding": "identity"} | ({"authorization": f"Bearer {token}"} if token else {})
        self._url = url.rstrip("/")
        self._http = httpx2.Client(
            base_url=self._url, headers=headers, timeout=timeout, trust_env=False, follow_redirects=False
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def state(self) -> NodeState:
        """How the node is."""
        return self._get(NodeState, "/state")

    def artefacts(self, **wanted: Any) -> Iterator[ArtefactRow]:
        """Every artefact that meets what is wanted, page by page; names as in `GET /artefacts`."""
        return self._pages(Page[ArtefactRow], "/artefacts", wanted)

    def artefact(self, identifier: str) -> ArtefactState:
        """One artefact by its id."""
        return self._get(ArtefactState, f"/artefacts/{identifier}")

    def history(self, identifier: str) -> Iterator[StepRow]:
        """Its steps, from the registration on."""
        return self._pages(Page[StepRow], f"/artefacts/{identifier}/history", {})

    def lineage(self, identifier: str, **reach: Any) -> LineageRows:
        """What it was made from, and what was made from it."""
        return self._get(LineageRows, f"/artefacts/{identifier}/lineage", reach)

    def record(self, commitment: str) -> DocumentRow | None:
        """What the node holds of a record, None for nothing."""
        found = self._get(dict[str, Any], f"/records/{commitment}")["document"]
        return _read(DocumentRow, found) if found else None

    def organisations(self) -> list[OrganisationRow]:
        """The members, and those that were."""
        return self._get(list[OrganisationRow], "/organisations")

    def proposals(self) -> list[ProposalRow]:
        """All proposals, newest first."""
        return self._get(list[ProposalRow], "/proposals")

    def verdict(self, identifier: str) -> Judged:
        """The node's verdict about an artefact: its word, see the module's text."""
        return self._get(Judged, f"/artefacts/{identifier}/verdict")

    def step(self, asked: StepRequest, key: str | None = None) -> Noted:
        """Ask for a step; `key` makes asking again harmless, a fresh one is made if there is none."""
        return self.post(Noted, "/steps", asdict(asked), key)

    def post(self, kind: type[Answer], path: str, content: dict[str, Any], key: str | None = None) -> Answer:
        """POST a JSON object to a path of the API, under an idempotency key."""
        headers = {"content-type": "application/json", "idempotency-key": key or secrets.token_hex(16)}
        body = orjson.dumps({name: value for name, value in content.items() if value is not None})
        return _read(kind, self.ask("POST", path, headers=headers, content=body))

    def show(self, token: str) -> None:
        """Show this token from now on."""
        self._http.headers["authorization"] = f"Bearer {token}"

    def shared(self, digest: str, most: int) -> Iterator[bytes]:
        """The bytes that the node shares under a digest, in pieces, at most so many. Check their digest."""
        size = 0
        try:
            with self._http.stream("GET", f"{API}/shared/{digest}") as response:
                if response.status_code != 200:
                    raise _problem(
                        self._url, response.status_code, _parsed(response.read()[:MAX_ANSWER_BYTES])
                    )
                for piece in response.iter_raw():
                    size += len(piece)
                    if size > most:
                        raise NodeProblem(f"{self._url} gives more than the {most} bytes allowed")
                    yield piece
        except httpx2.HTTPError as error:
            raise NodeProblem(f"the node at {self._url} broke off: {error}", "ask again") from None

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Any request to a path of the API; the answer's JSON, or what went wrong."""
        content = b""
        try:
            with self._http.stream(method, API + path, **more) as response:
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > MAX_ANSWER_BYTES:
                        raise NodeProblem(f"{self._url} answers with more than {MAX_ANSWER_BYTES} bytes")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NodeProblem(
                f"the node at {self._url} cannot be reached: {error}", "is it up, and is this its address?"
            ) from None
        answer = _parsed(content)
        if response.status_code >= 300 or (content and answer is None):
            raise _problem(self._url, response.status_code, answer)
        return answer

    def _get(self, kind: type[Answer], path: str, wanted: dict[str, Any] | None = None) -> Answer:
        asked = {name: value for name, value in (wanted or {}).items() if value is not None}
        return _read(kind, self.ask("GET", path, params=asked))

    def _pages(self, kind: Any, path: str, wanted: dict[str, Any]) -> Iterator[Any]:
        after: str | None = None
        while True:
            page = self._get(kind, path, {**wanted, "after": after})
            yield from page.rows
            after = page.next
            if after is None:
                return


def _read(kind: type[Answer], content: Any) -> Answer:
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        raise NodeProblem(
            f"the node answers with something else than was asked for: {error.errors()[0]['msg']}",
            "it may be of another version",
        ) from None


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        return None


def _problem(url: str, status: int, answer: Any) -> ProMLError:
    """The error behind a problem document: the same class, where it is one of ours."""
    if not isinstance(answer, dict) or not isinstance(answer.get("detail"), str):
        return NodeProblem(f"{url} answers with status {status} and no reason", "is it a ProML node?")
    name = str(answer.get("type", "")).removeprefix("urn:proml:").title().replace("-", "")
    kind = getattr(errors, name, NodeProblem)
    if kind not in (errors.NotFound, errors.UsageProblem, errors.RecordInvalid, errors.Busy):
        kind = NodeProblem
    made: ProMLError = kind(answer["detail"], str(answer.get("hint", "")))
    return made
