"""Erasing what a record says, everywhere on this machine: its document, its key, and what was made of it.

The commitment stays on the ledger, over salts that nobody has any more, so there is nothing to guess; every
other record and every history still verifies, this step with "record not here".
"""

from __future__ import annotations

from contextlib import closing

from proml.core.digest import hexed
from proml.errors import NotFound
from proml.journal import files, scan
from proml.journal.living import living
from proml.node.index import Indexer
from proml.node.outbox import open_outbox
from proml.node.participant import Participant
from proml.node.sharing import unshare


def erase(me: Participant, commitment: bytes) -> None:
    """Remove a record from storage, outbox, index and shares. The journal stays.

    Raises:
        NotFound: when the ledger has no such record.
        Busy: while this project publishes.
    """
    transition = me.chronicle().with_record(commitment)
    if transition is None:
        raise NotFound(f"the ledger has no record {hexed(commitment)}", "`proml show` names them")
    with open_outbox(me.config.outbox) as outbox:
        outbox.erase(transition.step.artefact, transition.sequence)
    me.storage.erase(commitment)
    unshare(me.config, [hexed(commitment)])
    with closing(Indexer(me.config.index_url, me.ledger, me.storage)) as indexer:
        indexer.forget(commitment)


def erase_journal(me: Participant) -> int:
    """Remove every journal file that is published to its end and that nobody writes; returns how many."""
    removed = 0
    alive = living(me.config.journal)
    with open_outbox(me.config.outbox) as outbox:
        reached = outbox.cursors()
        for file in files(me.config.journal):
            found = scan(file)
            if found.header is None or found.header.file_id in alive or found.damage:
                continue
            reach = reached.get(found.header.file_id)
            if reach is not None and reach.frames == found.frames and not outbox.drafts():
                file.unlink()
                removed += 1
    return removed
