"""The outbox: what was taken from the journal, what became of it, and every transaction ever signed.

One SQLite file per project (`outbox_file.py`): on return of a method its change is on the disk, inside
`together` with the end of the block.

An *intent* is one item for the ledger: a step or an anchor. Its states:

    waiting -> sent -> done       in a final block, accepted
                    -> refused    in a final block, refused with a reason
    waiting -> invalid            cannot be sealed or sent at all; the reason says why

Unknown is never treated as failed: a sent intent stays `sent` until a final receipt decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proml.core.frame import Reach
from proml.node.outbox_file import open_file
from proml.node.transactions import Transactions

# Two commands at once are nothing unusual, and most are done within a second.
PATIENCE_SECONDS = 30.0

WAITING, SENT, DONE, REFUSED, INVALID = "waiting", "sent", "done", "refused", "invalid"


@dataclass(frozen=True, slots=True)
class Intent:
    """One item for the ledger.

    Attributes:
        id: its number here; the order of sending.
        what: `step`, `anchor`, `call`, or `entry`: something in the journal that became none of these.
        label: for people, for example `approve dataset digits`.
        artefact: 32-byte id; for an anchor its root.
        call: the JSON form of the step or anchor (`node/sealing.py`).
        state: see the module's text.
        created: Unix time in seconds.
        tx: hash of the transaction that carries it, None while it waits.
        item: its position there.
        reason: why it was refused or is invalid.
    """

    id: int
    what: str
    label: str
    artefact: bytes
    call: Mapping[str, Any]
    state: str
    created: float
    tx: bytes | None = None
    item: int | None = None
    reason: str | None = None


class Outbox(Transactions):
    """The open database of one project. Use `open_outbox`."""

    # --- journal ----------------------------------------------------------------------------

    def cursors(self) -> dict[bytes, Reach]:
        """How far each journal file was taken in, by its 16-byte file id."""
        rows = self._rows("SELECT file, frames, size, chain FROM cursor")
        return {file: Reach(frames, size, chain) for file, frames, size, chain in rows}

    def set_cursor(self, file: bytes, reach: Reach) -> None:
        """Remember how far a journal file was taken in."""
        self._do("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)", (file, *reach))

    def add_drafts(self, drafts: Sequence[tuple[str | None, str | None, bytes, bytes]]) -> None:
        """Keep drafts: run, kind, payload, and the journal file each came from, which is kept of runs."""
        self._do_each(
            "INSERT INTO draft (run, kind, payload) VALUES (?, ?, ?)",
            [(run, kind, payload) for run, kind, payload, _ in drafts],
        )
        writers = dict.fromkeys((run, file) for run, _, _, file in drafts if run is not None)
        self._do_each("INSERT OR IGNORE INTO writer VALUES (?, ?)", list(writers))

    def drafts(
        self, kinds: Sequence[str] = (), run: str | None = None, limit: int = -1
    ) -> list[tuple[int, bytes]]:
        """Drafts that were not sealed yet, of these kinds (all by default), of a run: (number, payload)."""
        marks = ",".join("?" * len(kinds))
        where = " AND ".join(
            ["1", *([f"kind IN ({marks})"] if kinds else []), *(["run = ?"] if run is not None else [])]
        )
        values = [*kinds, *([run] if run is not None else []), limit]
        return self._rows(f"SELECT id, payload FROM draft WHERE {where} ORDER BY id LIMIT ?", values)  # noqa: S608 -- question marks

    def strange_drafts(self, kinds: Sequence[str]) -> list[tuple[int, bytes]]:
        """Drafts of none of the known kinds."""
        marks = ",".join("?" * len(kinds))
        where = f"kind IS NULL OR kind NOT IN ({marks})"
        return self._rows(f"SELECT id, payload FROM draft WHERE {where} ORDER BY id", kinds)  # noqa: S608 -- question marks

    def count_drafts(self) -> int:
        """How many drafts were not sealed yet."""
        return int(self._rows("SELECT count(*) FROM draft")[0][0])

    def runs_with(self, kinds: Sequence[str]) -> list[str]:
        """Salts of the runs that have drafts of these kinds, in the order of the first of each."""
        marks = ",".join("?" * len(kinds))
        which = f"kind IN ({marks}) AND run IS NOT NULL"
        rows = self._rows(f"SELECT run FROM draft WHERE {which} GROUP BY run ORDER BY min(id)", kinds)  # noqa: S608 -- question marks
        return [run for (run,) in rows]

    def remove_drafts(self, numbers: Sequence[int]) -> None:
        """Forget drafts that were sealed."""
        self._do_each("DELETE FROM draft WHERE id = ?", [(number,) for number in numbers])

    def writers(self, run: str) -> set[bytes]:
        """The journal files that hold something of a run."""
        return {file for (file,) in self._rows("SELECT file FROM writer WHERE run = ?", (run,))}

    # --- runs -------------------------------------------------------------------------------

    def save_run(self, salt: str, state: str, story: Mapping[str, Any]) -> None:
        """Keep what is known of a run; `state` is `open` or `closed`."""
        self._do("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", (salt, state, json.dumps(story)))

    def open_runs(self) -> list[str]:
        """Salts of the runs whose end has not been told."""
        return [salt for (salt,) in self._rows("SELECT salt FROM run WHERE state = 'open'")]

    def run(self, salt: str) -> dict[str, Any] | None:
        """The story of a run, None when it is not known."""
        rows = self._rows("SELECT story FROM run WHERE salt = ?", (salt,))
        return json.loads(rows[0][0]) if rows else None

    def has_story(self, artefact: str) -> bool:
        """Whether the story of the run with this id (text form) is known here."""
        return bool(self._rows("SELECT 1 FROM run WHERE json_extract(story, '$.artefact') = ?", (artefact,)))

    def unfinished(self) -> list[str]:
        """Salts of runs that ended well here, and whose end the ledger does not have yet."""
        rows = self._rows("SELECT salt FROM run WHERE json_extract(story, '$.finish') IS NOT NULL")
        return [salt for (salt,) in rows]

    # --- intents ----------------------------------------------------------------------------

    def add_intent(
        self, what: str, label: str, artefact: bytes, call: Mapping[str, Any], created: float
    ) -> int:
        """Queue an item; returns its number."""
        number = self._do(
            "INSERT INTO intent (what, label, artefact, call, created) VALUES (?, ?, ?, ?, ?)",
            (what, label, artefact, json.dumps(call), created),
        )
        assert number is not None
        return number

    def intents(self, state: str | None = None, tx: bytes | None = None, limit: int = -1) -> list[Intent]:
        """Intents in a state, or of a transaction, in order of sending."""
        if tx is not None:
            return self._intents("tx = ?", tx, limit)
        return self._intents("1 OR ?", "") if state is None else self._intents("state = ?", state, limit)

    def _intents(self, where: str, value: str | int | bytes, limit: int = -1) -> list[Intent]:
        columns = "id, what, label, artefact, call, state, created, tx, item, reason"
        rows = self._rows(
            f"SELECT {columns} FROM intent WHERE {where} ORDER BY id LIMIT ?",  # noqa: S608 -- constants only
            (value, limit),
        )
        return [
            Intent(number, what, label, artefact, json.loads(call), now, created, carrier, item, reason)
            for number, what, label, artefact, call, now, created, carrier, item, reason in rows
        ]

    def intent(self, number: int) -> Intent:
        """One intent by its number."""
        (found,) = self._intents("id = ?", number)
        return found

    def settle_intent(self, number: int, state: str, reason: str | None = None) -> None:
        """Write an intent's end."""
        self._do("UPDATE intent SET state = ?, reason = ? WHERE id = ?", (state, reason, number))

    def settle_all(self, ends: Sequence[tuple[int, str, str | None]]) -> None:
        """Write the ends of many: number, state, reason."""
        self._do_each(
            "UPDATE intent SET state = ?, reason = ? WHERE id = ?",
            [(state, reason, number) for number, state, reason in ends],
        )

    def wait_again(self, numbers: Sequence[int]) -> None:
        """Queue intents again that their transaction could not carry out."""
        self._do_each(
            "UPDATE intent SET state = 'waiting', tx = NULL, item = NULL WHERE id = ?",
            [(number,) for number in numbers],
        )

    def taken_over(self) -> dict[bytes, list[tuple[int, str | None, str | None]]]:
        """Steps that reconciling found on the ledger: sequence, action and claimed time, by artefact."""
        found: dict[bytes, list[tuple[int, str | None, str | None]]] = {}
        which = "what = 'step' AND json_extract(call, '$.found') IS NOT NULL"
        for artefact, call in self._rows(f"SELECT artefact, call FROM intent WHERE {which}"):  # noqa: S608 -- a constant
            document = json.loads(call)
            found.setdefault(artefact, []).append((document["sequence"], *document["found"]))
        return found

    def waits_before(self, artefact: bytes, number: int) -> bool:
        """Whether something of an artefact waits or is under way that comes before an intent."""
        before = "SELECT 1 FROM intent WHERE state IN ('waiting', 'sent') AND artefact = ? AND id < ? LIMIT 1"
        return bool(self._rows(before, (artefact, number)))

    def count(self, state: str) -> int:
        """How many intents are in a state."""
        return int(self._rows("SELECT count(*) FROM intent WHERE state = ?", (state,))[0][0])

    # --- the key ----------------------------------------------------------------------------

    def sealing_key(self) -> bytes | None:
        """The key (20-byte address) that the intents which wait were sealed for, None before the first."""
        rows = self._rows("SELECT key FROM sealing")
        return rows[0][0] if rows else None

    def set_sealing_key(self, key: bytes) -> None:
        """Remember what the intents to come are sealed for."""
        with self.together():
            self._do("DELETE FROM sealing")
            self._do("INSERT INTO sealing VALUES (?)", (key,))

    # --- subjects ---------------------------------------------------------------------------

    def erase(self, artefact: bytes, sequence: int) -> None:
        """Forget what a step of an artefact said: the story of a run, and which bytes the step had.

        The file is written anew, so that nothing of it is left in its free pages.
        """
        with self.together():
            self.remove_known(artefact, sequence)
            self._db.execute(
                "DELETE FROM run WHERE state = 'closed' AND json_extract(story, '$.artefact') = ?",
                ("0x" + artefact.hex(),),
            )
        self._db.execute("VACUUM")

    def add_known(self, subject: bytes, artefact: bytes, sequence: int) -> None:
        """Remember that an artefact had these bytes (32-byte digest) at a sequence."""
        self._do("INSERT OR IGNORE INTO known VALUES (?, ?, ?)", (subject, artefact, sequence))

    def remove_known(self, artefact: bytes, sequence: int) -> None:
        """Forget what bytes an artefact was to have at a sequence: the step was refused."""
        self._do("DELETE FROM known WHERE artefact = ? AND sequence = ?", (artefact, sequence))

    def known(self, subject: bytes) -> list[tuple[bytes, int]]:
        """Artefacts that had these bytes, with the sequences; oldest knowledge first."""
        return self._rows("SELECT artefact, sequence FROM known WHERE subject = ? ORDER BY rowid", (subject,))


@contextmanager
def open_outbox(path: Path, patience: float = PATIENCE_SECONDS) -> Iterator[Outbox]:
    """Open the outbox of a project, making it if need be, for as long as the block lasts.

    Args:
        path: its file.
        patience: seconds to wait while another process has it open.

    Raises:
        Busy: another process has it open, and still had it after the patience.
        StorageProblem: the file is damaged, of another version, or cannot be written.
    """
    with open_file(path, f"another process is publishing from {path.parent.parent}", patience) as connection:
        yield Outbox(connection)
