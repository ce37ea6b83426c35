"""What a node does by itself: publish what is recorded, and read along with the ledger."""

from __future__ import annotations

import logging
import threading

from proml.errors import ProMLError
from proml.node.index import Indexer
from proml.node.index.indexer import Advanced
from proml.node.outbox import Intent
from proml.node.participant import Participant
from proml.node.server.duty import Duty, Report
from proml.node.server.live import Bulletin
from proml.node.watching import publish_until

LOG = logging.getLogger("proml.node")
INDEX_SECONDS = 0.5


def publisher(me: Participant, bulletin: Bulletin) -> Duty:
    """Publishes what is written to the journal, and posts what was settled."""

    def told(intent: Intent) -> None:
        said = {"item": intent.label, "outcome": intent.state, "reason": intent.reason}
        LOG.info("settled", extra=said)
        bulletin.post("published", {**said, "artefact": "0x" + intent.artefact.hex()})

    def work(stop: threading.Event, report: Report) -> None:
        publish_until(me, stop, told, report, lambda: report(None))

    return Duty("publisher", work)


def indexer(me: Participant, bulletin: Bulletin) -> Duty:
    """Keeps the index at the ledger's newest block, and posts when it moved."""

    def work(stop: threading.Event, report: Report) -> None:
        reader = Indexer(me.config.index_url, me.ledger, me.storage)

        def told(news: Advanced | Exception) -> None:
            if isinstance(news, ProMLError):
                report(news)
                return
            report(None)
            if isinstance(news, Advanced) and (news.events or news.taken_back):
                bulletin.post("indexed", {"block": news.head, "taken_back": news.taken_back})

        try:
            reader.run(stop, INDEX_SECONDS, told)
        finally:
            reader.close()

    return Duty("indexer", work)
