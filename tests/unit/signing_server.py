"""A signer behind HTTP that really signs, as Web3Signer does for keys of the first kind, and its moods."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from coincurve import PrivateKey

from proml.core.digest import keccak256


class SigningServer:
    """Has private keys and signs what it is asked.

    Attributes:
        mood: what it does otherwise than it should: `refuse`, `other` (another key), `garbage`, `endless`,
            `redirect`, or empty.
        asked: the paths of all requests.
    """

    def __init__(self, *secrets: bytes) -> None:
        self.keys = {"0x" + _public(secret).hex(): PrivateKey(secret) for secret in secrets}
        self.mood = ""
        self.asked: list[str] = []
        self.url = ""

    @property
    def addresses(self) -> list[bytes]:
        return [keccak256(bytes.fromhex(key[2:]))[12:] for key in self.keys]

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        self.asked.append(path)
        if self.mood == "refuse":
            return 500, b"no"
        if path == "/api/v1/eth1/publicKeys":
            return 200, json.dumps(list(self.keys)).encode()
        key = self.keys.get(path.removeprefix("/api/v1/eth1/sign/"))
        if key is None:
            return 404, b"no such key"
        if self.mood == "garbage":
            return 200, b"\xff not a signature"
        if self.mood == "endless":
            return 200, b"0" * 1_000_000
        if self.mood == "other":
            key = PrivateKey(b"\x77" * 32)
        message = bytes.fromhex(json.loads(body)["data"][2:])
        signed = key.sign_recoverable(keccak256(message), hasher=None)
        return 200, b"0x" + signed[:64].hex().encode() + bytes([signed[64] + 27]).hex().encode()


def _public(secret: bytes) -> bytes:
    return PrivateKey(secret).public_key.format(compressed=False)[1:]


@contextmanager
def signing_server(*secrets: bytes) -> Iterator[SigningServer]:
    made = SigningServer(*secrets)

    class Requests(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["content-length"])))

        def _answer(self, body: bytes) -> None:
            status, content = made.answer(self.path, body)
            if made.mood == "redirect":
                status = 302
            self.send_response(status)
            if status == 302:
                self.send_header("location", made.url + self.path)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
