"""Keras 3 archives (`.keras`): configuration, weights and assets. Nothing in them is built or run.

Part of the content are config.json as a JSON value, and the bytes of the weights and assets; not
metadata.json (which holds the time of saving), nor the order, times and compression of the members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proml.capture.archive import MAGIC as ZIP
from proml.capture.archive import members
from proml.capture.window import Window
from proml.core.digest import hexed, sha256
from proml.core.document import canonical, parse
from proml.errors import RecordInvalid

FORM = "keras"
CONFIGURATION = "config.json"
METADATA = "metadata.json"
CONFIGURATION_BYTES = 16 << 20


def recognises(head: bytes, name: str) -> bool:
    """By the suffix of the archive."""
    return name.endswith(".keras") and head.startswith(ZIP)


def items(window: Window) -> Iterator[Mapping[str, Any]]:
    """One per member, by name."""
    found = members(window)
    found.pop(METADATA, None)
    if CONFIGURATION not in found:
        raise window.refused(f"it has no {CONFIGURATION}, so it is no Keras model")
    for name in sorted(found, key=lambda name: name.encode()):
        if name == CONFIGURATION:
            raw = found[name].content(CONFIGURATION_BYTES)
            try:
                written = canonical(parse(raw, f"its {CONFIGURATION}", CONFIGURATION_BYTES))
            except RecordInvalid as error:
                raise window.refused(f"its {CONFIGURATION}: {error.message}") from error
            yield {"name": name, "sha256": hexed(sha256(written))}
        else:
            yield {"name": name, "blake3": hexed(found[name].blake3())}
