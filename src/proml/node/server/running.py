"""Running a node: start everything, serve until told to stop, stop everything in the right order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from proml.errors import Busy
from proml.ledger.anvil import EmbeddedChain
from proml.node.participant import Participant
from proml.node.server.access import open_access
from proml.node.server.app import make_app
from proml.node.server.duty import Duty
from proml.node.server.listening import Listening
from proml.node.server.mqtt import mqtt_intake
from proml.node.server.node import Node, node_of
from proml.node.server.place import announce, claimed, node_folder
from proml.node.server.publishing import indexer, publisher

LOG = logging.getLogger("proml.node")
# Connections beyond these are told to come back; each costs memory.
MOST_AT_ONCE = 512
STOP_SECONDS = 10
KEEP_ALIVE_SECONDS = 15


def run_node(
    me: Participant, listening: Listening, ready: Callable[[str], None], broker: str | None = None
) -> None:
    """Run the node of a project until SIGTERM or Ctrl-C; `ready` is told its address once it answers.

    With a `broker` (`mqtt://host:port`) it takes journals from there too.

    Raises:
        Busy: when a node of this project runs already, or the port is in use.
        UsageProblem: when it may not listen there; see `Listening.check`.
        LedgerProblem, WrongLedger: when the ledger is away or is another one.
        KeyProblem: when the key cannot be opened.
        StorageProblem: when the disk is full or the project cannot be written.
    """
    folder = node_folder(me.config)
    with claimed(folder), open_access(folder) as access:
        listening.check(sum(token.is_valid(time.time()) for token in access.tokens()))
        with listening.bind() as listener, _chain_of(me):
            me.signer  # noqa: B018 -- asks for the passphrase, if there is one, before anything starts
            access.drop_unanswered()
            node = node_of(me, listening, access)
            url = listening.url(listener.getsockname()[1])
            announce(folder, url, node.started)
            more = [mqtt_intake(node, broker)] if broker else []
            with contextlib.closing(node.index), at_work(node, more):
                Serving(node, listener, lambda: ready(url)).run()


def duties_of(node: Node) -> list[Duty]:
    """What a node does by itself."""
    return [publisher(node.me, node.bulletin), indexer(node.me, node.bulletin)]


@contextmanager
def _chain_of(me: Participant) -> Iterator[None]:
    """Open the ledger; an embedded chain that was down is down again afterwards."""
    file = me.ledger_file
    chain = EmbeddedChain(Path(file.location)) if file.reach == "embedded" else None
    started = chain is not None and chain.status().pid is None
    me.ledger  # noqa: B018 -- connects and compares it with what is pinned
    try:
        yield
    finally:
        if chain and started:
            with contextlib.suppress(Busy):
                chain.down()


@contextmanager
def at_work(node: Node, more: Sequence[Duty] = ()) -> Iterator[None]:
    """Start what the node does by itself, and stop it in the end."""
    for duty in (*duties_of(node), *more):
        node.duties[duty.name] = duty
    node.metrics.watch(node.standings)
    for duty in node.duties.values():
        duty.start()
    try:
        yield
    finally:
        for duty in node.duties.values():
            duty.stop()
        for duty in node.duties.values():
            if not duty.ended(STOP_SECONDS):
                LOG.warning(
                    "left in the middle of something; the next start goes on", extra={"duty": duty.name}
                )


class Serving:
    """The web server of a node, on a socket that listens already."""

    def __init__(self, node: Node, listener: socket.socket, ready: Callable[[], None]) -> None:
        """`ready` is called once it answers."""
        self._node = node
        self._listener = listener
        config = uvicorn.Config(
            make_app(node),
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ssl_certfile=node.listening.certificate,
            ssl_keyfile=node.listening.private_key,
            limit_concurrency=MOST_AT_ONCE,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        self._server = _Server(config, ready)

    def run(self) -> None:
        """Answer until told to stop."""
        asyncio.run(self._run())

    def stop(self) -> None:
        """Answer what was asked, take nothing more, let listeners go; from any thread."""
        self._server.should_exit = True
        self._node.bulletin.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Only the main thread hears signals; a node on another is stopped by whoever started it.
            with contextlib.suppress(ValueError, RuntimeError):
                loop.add_signal_handler(number, self.stop)
        await self._server.serve([self._listener])


class _Server(uvicorn.Server):
    """Says when it answers, and leaves signals to us: its own way ends the process by the signal."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
