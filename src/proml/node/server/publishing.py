"""The duty that publishes: whatever is written to the journal is on its way to the ledger within a second."""

from __future__ import annotations

import logging

from proml.errors import Busy
from proml.journal import files
from proml.journal.living import living
from proml.node.outbox import Intent
from proml.node.participant import Participant
from proml.node.server.live import Bulletin

LOG = logging.getLogger("proml.node")
LOOK_SECONDS = 0.5
Looks = tuple[tuple[str, int], ...]


class Publishing:
    """One turn publishes what there is, if the journal changed or something waits."""

    def __init__(self, me: Participant, bulletin: Bulletin) -> None:
        """Publish for `me`, and post what was settled."""
        self._me = me
        self._bulletin = bulletin
        self._seen: tuple[Looks, frozenset[bytes]] | None = None

    def turn(self) -> float:
        """Publish; see `Participant.push` for what it raises. Returns the seconds to wait."""
        folder = self._me.config.journal
        # Looked at before publishing: what comes meanwhile is seen by the next turn.
        now = (tuple((file.name, file.stat().st_size) for file in files(folder)), frozenset(living(folder)))
        if now == self._seen:
            return LOOK_SECONDS
        try:
            published = self._me.push(self._tell)
        except Busy:
            return LOOK_SECONDS  # `proml push` is at it
        for problem in published.damage:
            LOG.warning(problem.message, extra={"hint": problem.hint})
        self._seen = now
        return LOOK_SECONDS

    def _tell(self, intent: Intent) -> None:
        said = {"item": intent.label, "outcome": intent.state, "reason": intent.reason}
        LOG.info("settled", extra=said)
        self._bulletin.post("published", {**said, "artefact": "0x" + intent.artefact.hex()})
