"""A node to ask over real HTTP: uvicorn on a free port, over the ledger in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2

from proml.config import load
from proml.core.call import Founder
from proml.core.consortium import ROLES, role_mask
from proml.core.proposal import Governance
from proml.ledger.memory import MemoryLedger
from proml.lifecycles import shipped
from proml.node.founding import start_project
from proml.node.index import Indexer
from proml.node.participant import Participant
from proml.node.server.access import Access, open_access
from proml.node.server.listening import Listening
from proml.node.server.node import Node, node_of
from proml.node.server.place import node_folder
from proml.node.server.running import Serving, at_work
from proml.signing import LocalSigner, open_key, throwaway_key
from proml.trust import LedgerFile, new_profile, write_ledger_file

LOOPBACK = Listening(port=0)


class Place:
    """One organisation's project on a ledger in memory, and its node. `other` is another member's key."""

    def __init__(self, root: Path, other: LocalSigner | None = None) -> None:
        start_project(root, "Acme")
        self.me = Participant(load(root, {}))
        self.other = other or throwaway_key()
        profiles = {1: new_profile("Acme"), 2: new_profile("Lab")}
        # The person's own key: the node's signer signs for the ledger and nothing else.
        self.signer = open_key(self.me.config.key_file)
        keys = (self.signer, self.other)
        founders = [
            Founder(key.address, role_mask(ROLES), profiles[n].commitment) for n, key in enumerate(keys, 1)
        ]
        self.memory = MemoryLedger(founders, Governance(1), [lifecycle.table for lifecycle in shipped()])
        file = LedgerFile(self.memory.terms, "rpc", "http://127.0.0.1:1", profiles)
        write_ledger_file(self.me.config.ledger_file, file)
        self.me.__dict__["ledger"] = self.memory  # in place of what the file would lead to
        self.url = ""
        self.node: Node

    @contextmanager
    def up(self, listening: Listening = LOOPBACK, duties: bool = False) -> Iterator[None]:
        """The node answers inside the block; its duties only run where asked for."""
        self.catch_up()
        with open_access(node_folder(self.me.config)) as access, listening.bind() as listener:
            self.node = node_of(self.me, listening, access)
            port = listener.getsockname()[1]
            self.url = replace(listening, names=()).url(port)
            answering = threading.Event()
            serving = Serving(self.node, listener, answering.set)
            thread = threading.Thread(target=serving.run, daemon=True)
            with at_work(self.node) if duties else _nothing():
                thread.start()
                assert answering.wait(20)
                try:
                    yield
                finally:
                    serving.stop()
                    thread.join(20)
                    assert not thread.is_alive()
                    self.node.index.close()

    def catch_up(self) -> None:
        """Read everything into the index."""
        indexer = Indexer(self.me.config.index_url, self.memory, self.me.storage)
        indexer.advance()
        indexer.close()

    def push(self) -> None:
        """Publish what is recorded, and read along."""
        assert all(intent.state == "done" for intent in self.me.push().settled)
        self.catch_up()

    @property
    def access(self) -> Access:
        return self.node.access

    def token(self, *scopes: str) -> dict[str, str]:
        """Headers of a caller with a fresh token of these scopes."""
        return {"authorization": f"Bearer {self.access.create_token('test', scopes, 60)[1]}"}

    def get(self, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> httpx2.Response:
        return self.request("GET", path, headers, **more)

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """As asked; TLS is spoken with a certificate that nobody vouches for."""
        more = {"timeout": 20, "trust_env": False, "verify": False} | more
        return httpx2.request(method, self.url + path, headers=headers or {}, **more)

    def stream(self, path: str) -> AbstractContextManager[httpx2.Response]:
        return httpx2.stream("GET", self.url + path, timeout=20, trust_env=False)

    def post(
        self, path: str, content: Any = None, headers: Mapping[str, str] | None = None, key: str | None = "k"
    ) -> httpx2.Response:
        """POST JSON; `key` None sends no idempotency key."""
        sent = {**({"idempotency-key": key} if key else {}), **(headers or {})}
        return self.request("POST", path, sent, json={} if content is None else content)

    def up_with_tls(self, certificate: Path) -> AbstractContextManager[None]:
        return self.up(Listening(port=0, certificate=certificate))


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def until(what: Callable[[], Any], seconds: float = 20) -> Any:
    """What `what` answers as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
    return found
