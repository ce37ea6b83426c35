"""Where a node listens, and where it refuses to."""

import socket
from pathlib import Path

import pytest

from proml.errors import Busy, UsageProblem
from proml.node.server.listening import Listening
from proml.node.server.place import announce, announced, claimed, is_running


def test_a_port_in_use_is_said_to_be():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Busy, match=f"port {port} is in use"):
            Listening(port=port).bind()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7"])
def test_elsewhere_than_on_loopback_tls_is_asked_for_first(address: str):
    with pytest.raises(UsageProblem, match="without TLS"):
        Listening(address, names=("node.example.org",)).check(tokens=1)


def test_then_a_name_and_a_token(certificate: Path):
    with pytest.raises(UsageProblem, match="needs the name"):
        Listening("0.0.0.0", certificate=certificate).check(tokens=1)
    named = Listening("0.0.0.0", names=("node.example.org",), certificate=certificate)
    with pytest.raises(UsageProblem, match="before there is a token"):
        named.check(tokens=0)
    named.check(tokens=1)
    assert named.url(443) == "https://node.example.org:443"
    assert not named.is_private


def test_a_certificate_that_is_none_is_named(tmp_path: Path):
    (tmp_path / "node.pem").write_text("not a certificate")
    for path in (tmp_path / "node.pem", tmp_path / "missing.pem"):
        with pytest.raises(UsageProblem, match=path.name):
            Listening(certificate=path).check(tokens=0)


def test_an_address_that_is_a_name_or_of_another_machine_is_refused():
    with pytest.raises(UsageProblem, match="not an IP address"):
        Listening("node.example.org").check(tokens=1)
    with pytest.raises(UsageProblem, match="cannot listen"):
        Listening("192.0.2.7", port=0).bind()


def test_a_second_node_of_one_project_refuses_to_start(tmp_path: Path):
    with claimed(tmp_path):
        announce(tmp_path, "http://127.0.0.1:1", 0.0)
        with pytest.raises(Busy, match=r"http://127\.0\.0\.1:1"), claimed(tmp_path):
            pass
        assert is_running(tmp_path)
    assert announced(tmp_path) is None
    assert not is_running(tmp_path)
    with claimed(tmp_path):
        pass
