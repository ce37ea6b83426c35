"""The append-only local log: what was captured here stays here until the ledger has it.

    journal = Journal(folder)
    journal.append(b'{"type": ...}')             # in the file when this returns: survives kill -9
    for entry in read(folder, after=cursors):    # every process's files, in the order written
        ...

One file per writing process; no two processes ever write to the same file. What the modes promise:

* plain: `append` returns once the kernel has the frame. A kill of the process loses nothing; a power
  cut may lose what `sync` did not cover.
* durable: `append` returns once the frame is on the disk, many callers sharing one fdatasync.

The bytes are described in docs/journal-format.md and live in `proml.core.frame`.
"""

from proml.core.frame import Reach
from proml.journal.living import living
from proml.journal.reading import Damage, Entry, Scan, files, read, scan
from proml.journal.repair import repair
from proml.journal.segment import Position
from proml.journal.writing import Journal

__all__ = [
    "Damage",
    "Entry",
    "Journal",
    "Position",
    "Reach",
    "Scan",
    "files",
    "living",
    "read",
    "repair",
    "scan",
]
