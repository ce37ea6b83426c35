"""The typed client against a real node, and what it makes of a node that is none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proml.capture.draft import Subject
from proml.core.digest import hexed, sha256
from proml.errors import NodeProblem, NotFound, UsageProblem
from proml.node.client import NodeClient
from proml.node.index.rows import Certainty
from proml.node.server.noting import StepRequest
from tests.server.place import Place


@contextmanager
def answering(content: bytes) -> Iterator[str]:
    """A server that answers one request with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(content)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)


def dataset(number: int) -> StepRequest:
    made = Subject(f"d{number}.csv", 1, hexed(sha256(bytes([number]))))
    return StepRequest("collect", kind="dataset", name=f"d{number}", subject=made)


def test_what_was_asked_for_comes_back_as_our_own_classes(place: Place):
    token = place.token("read", "record")["authorization"].partition(" ")[2]
    with NodeClient(place.url, token) as client:
        assert client.state().organisation == "Acme"
        made = [client.step(dataset(n), key=f"c{n}") for n in range(3)]
        assert client.step(dataset(0), key="c0") == made[0]
        place.push()
        rows = list(client.artefacts(kind="dataset", most=2))
        assert {row.id for row in rows} == {each.artefact for each in made}
        assert all(row.changed.certainty is Certainty.FINAL for row in rows)
        (step,) = client.history(rows[0].id)
        assert client.artefact(rows[0].id).artefact == rows[0]
        assert client.lineage(rows[0].id).complete
        held = client.record(step.record)
        assert held is not None
        assert held.fields["name"] == rows[0].name
        assert client.organisations()[0].name == "Acme"
        assert client.verdict(rows[0].id).verdict["conclusion"] == "valid"


def test_what_the_node_refuses_is_the_same_error_here(place: Place):
    with NodeClient(place.url) as client:
        with pytest.raises(NotFound):
            client.artefact(hexed(sha256(b"nothing")))
        with pytest.raises(UsageProblem, match="no kind"):
            list(client.artefacts(kind="nothing"))
        with pytest.raises(NodeProblem, match="token or a sign-in"):
            client.step(StepRequest("collect", kind="dataset"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{]",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-x\r\n",
    ],
)
def test_a_node_that_answers_nonsense_is_named(content: bytes):
    with answering(content) as url, NodeClient(url, timeout=2) as client, pytest.raises(NodeProblem):
        client.state()


def test_a_node_that_is_away_is_named():
    with NodeClient("http://127.0.0.1:1") as client, pytest.raises(NodeProblem, match="cannot be reached"):
        client.state()
