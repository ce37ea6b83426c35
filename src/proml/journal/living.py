"""Which journal files belong to a process that may still write."""

import os
from pathlib import Path

from proml.core.frame import HEADER_BYTES, Header, decode_header
from proml.errors import JournalProblem, NotFound
from proml.journal.elsewhere import is_marked
from proml.journal.reading import files, in_use, opened


def living(folder: Path) -> set[bytes]:
    """The 16-byte ids of the files whose writer is still there; of the others none will be added to.

    A writer goes from file to file and keeps the newest locked, so the earlier ones live on in it. Ask
    *before* reading the files: what a process writes last before it ends is then not missed.

    Where the file system cannot tell, a file counts as living.
    """
    return {name for name, alive in writers(folder).items() if alive}


def writers(folder: Path) -> dict[bytes, bool]:
    """Every file there is, by its id, and whether it is living."""
    headers: dict[bytes, Header] = {}
    locked = set()
    for file in files(folder):
        try:
            with opened(file, os.O_RDONLY) as fd:
                header = decode_header(os.pread(fd, HEADER_BYTES, 0))
                if isinstance(header, str):
                    continue
                headers[header.file_id] = header
                if in_use(fd) or is_marked(file):
                    locked.add(header.file_id)
        except (NotFound, JournalProblem):
            continue  # removed since the folder was listed, or not to be opened
    living_writers = {_first_file(name, headers) for name in locked}
    return {name: _first_file(name, headers) in living_writers for name in headers}


def _first_file(name: bytes, headers: dict[bytes, Header]) -> bytes:
    """The id of the first file of the same writer, by which the writer is known."""
    seen = set()
    while name in headers and name not in seen:
        seen.add(name)
        earlier = headers[name].previous
        if earlier is None:
            return name
        name = earlier.file_id
    return name
