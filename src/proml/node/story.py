"""A run's story: what is known of it between its start and its end, and what its records say of that.

Stories are JSON objects in the outbox: name, artefact, start, metrics, used, produced, batches; later
end, reason, code, environment; and `finish`, the intent of its good end until the ledger has that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson

from proml.capture.draft import Reference, Subject, Used, decode
from proml.core.proof import MAX_BATCH_BYTES, MAX_OBSERVATIONS

# Half of what a batch may have: canonical JSON of numbers may be longer than what is counted here.
BATCH_BYTES = MAX_BATCH_BYTES // 2


def ending(story: dict[str, Any], outcome: str) -> dict[str, Any]:
    """What the record of a run's end says besides its inputs."""
    doing = {name: story[name] for name in story.keys() & {"start", "end", "code", "environment", "reason"}}
    produced = [claimed(entry) for entry in story["produced"]]
    return {
        "activity": {**doing, "outcome": outcome},
        "metrics": story["metrics"],
        "observations": story["batches"],
        "claims": {"produced": produced} if produced else {},
    }


def parts(contents: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Observations in batches that stay within what one batch may hold, by number and by bytes."""
    part: list[dict[str, Any]] = []
    size = 0
    for content in contents:
        weight = len(orjson.dumps(content))
        if part and (len(part) == MAX_OBSERVATIONS or size + weight > BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(content)
        size += weight
    if part:
        yield part


def input_of(entry: dict[str, Any]) -> tuple[Reference, str]:
    """What a run used, as a reference with the part it played."""
    used = decode(orjson.dumps(entry))
    assert isinstance(used, Used)
    return used.reference, used.part


def claimed(entry: dict[str, Any]) -> dict[str, Any]:
    """What a run made, as its record claims it."""
    subject = Subject(**entry["subject"])
    return {**subject.document(), "name": entry["name"] or subject.name, "kind": entry["kind"] or "file"}


def when(at: float) -> str:
    """RFC 3339 in UTC to the millisecond; a claim of the machine's clock."""
    seconds = time.gmtime(at)
    return time.strftime("%Y-%m-%dT%H:%M:%S", seconds) + f".{int(at % 1 * 1000):03d}Z"
