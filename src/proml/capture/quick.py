"""Which files are hashed in the call that names them: those that cost less than another thread would."""

from __future__ import annotations

import os
from pathlib import Path

AT_ONCE_BYTES = 8 * 1024 * 1024
"""Up to here a file is hashed in a few milliseconds."""
PARSED_AT_ONCE_BYTES = 128 * 1024
"""The same for files that are parsed for their content digest."""
_PARSED = (".csv", ".tsv", ".npz", ".onnx", ".keras", ".pt", ".pth")
# For these a library has to be loaded.
_NEVER = (".parquet", ".arrow", ".feather")


def is_quick(what: str | os.PathLike[str]) -> bool:
    """Whether a file is hashed in a few milliseconds, or is none at all, which is found out at once."""
    try:
        path = Path(what)
        name = path.name.lower()
        most = PARSED_AT_ONCE_BYTES if name.endswith(_PARSED) else AT_ONCE_BYTES
        return path.is_file() and not name.endswith(_NEVER) and path.stat().st_size <= most
    except (OSError, TypeError, ValueError):
        return True
