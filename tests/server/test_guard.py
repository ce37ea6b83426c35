"""What the guard lets through: hosts, origins, content types, sizes; and what every answer carries."""

import socket
from contextlib import suppress

import pytest

from tests.server.place import Place

STATE = "/api/v1/state"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "169.254.169.254", "127.0.0.1.evil:80", ""]
)
def test_a_name_that_was_bound_to_this_machine_by_a_stranger_is_refused(place: Place, host: str):
    answer = place.get(STATE, {"host": host})
    assert answer.status_code in (400, 403)
    assert "organisation" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:8600"])
def test_this_machine_is_known_by_its_own_names(place: Place, host: str):
    assert place.get(STATE, {"host": host}).status_code == 200


@pytest.mark.attack
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(place: Place, headers: dict[str, str]):
    answer = place.post("/api/v1/anything", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:proml:origin-refused")


def test_a_page_of_another_site_reads_nothing_but_may_link_here(place: Place):
    cross = {"sec-fetch-site": "cross-site"}
    assert place.get(STATE, {**cross, "sec-fetch-mode": "cors"}).status_code == 403
    assert place.get(STATE, {**cross, "sec-fetch-mode": "no-cors"}).status_code == 403
    assert place.get(STATE, {**cross, "sec-fetch-mode": "navigate"}).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_body_that_a_form_could_send_is_refused(place: Place, kind: str):
    assert place.post("/api/v1/anything", headers={"content-type": kind}).status_code == 415


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 50 + b"1" + b"}" * 50, b'{"a":1,"a":2}', b'{"a":NaN}', b"{", b"\xff", b"[]"],
)
def test_a_body_that_is_no_plain_json_object_is_refused_before_anything_reads_it(place: Place, body: bytes):
    answer = _sent(place, f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n", body)
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_beyond_the_limit_is_refused_whether_it_says_so_or_not(place: Place, stated: bool):
    body = b" " * (1024 * 1024 + 1)
    length = f"Content-Length: {len(body)}\r\n" if stated else "Transfer-Encoding: chunked\r\n"
    framed = body if stated else f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    assert b"HTTP/1.1 413 " in _sent(place, "Content-Type: application/json\r\n" + length, framed)


def test_a_query_that_no_database_could_take_is_refused(place: Place):
    assert place.get(STATE + "?a=%00").status_code == 400
    assert place.get(STATE + "?a=" + "b" * 9_000).status_code == 414


def test_every_answer_forbids_scripts_of_others_and_frames(place: Place):
    for path in (STATE, "/nothing", "/healthz"):
        headers = place.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


@pytest.mark.attack
@pytest.mark.parametrize(
    "path",
    [
        "/..%2f..%2fetc%2fpasswd",
        "/%252e%252e/%252e%252e/etc/passwd",
        "/api/v1/../../.proml/keys/default.json",
    ],
)
def test_a_path_out_of_the_tree_names_nothing(place: Place, path: str):
    assert place.get(path).status_code == 404


def _sent(place: Place, headers: str, body: bytes) -> bytes:
    """What comes back for bytes that no client library would send."""
    port = int(place.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"POST /api/v1/anything HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before the body's end
            connection.sendall(body)
        try:
            return connection.recv(65536)
        except ConnectionResetError:
            return b""
