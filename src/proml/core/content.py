"""Content digests: what a file says, apart from how its container happens to spell it.

The same tensors saved twice give other bytes: order of members, padding, times, compression. A content digest
is the same for both. It is the SHA-256 of the canonical JSON of

    {"form":"safetensors","items":[...],"type":"proml/content","version":1}

where the form says what the items are (docs/format.md, "Content digest"). It never takes the place of the
digest of the bytes: equal content in other bytes is told as just that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proml.core.digest import sha256
from proml.core.document import canonical
from proml.errors import RecordInvalid

CONTENT_TYPE = "proml/content"
VERSION = 1
MAX_ITEMS = 1_000_000


@dataclass(frozen=True, slots=True)
class Content:
    """What a file says: the form it was read as, and 32 bytes, the same for whatever says the same."""

    form: str
    digest: bytes


def content(form: str, items: Sequence[Mapping[str, Any]]) -> Content:
    """The content digest of items.

    Raises:
        RecordInvalid: when they have no canonical form, or are more than a million.
    """
    if len(items) > MAX_ITEMS:
        raise RecordInvalid(f"{len(items)} parts, more than the {MAX_ITEMS} allowed")
    document = {
        "type": CONTENT_TYPE,
        "version": VERSION,
        "form": form,
        "items": [dict(item) for item in items],
    }
    return Content(form, sha256(canonical(document)))
