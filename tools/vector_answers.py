"""ProML's own answers to the checks that docs/format.md lists under "Test vectors"."""

from collections.abc import Callable, Mapping
from typing import Any

from proml.core.artefact import artefact_id
from proml.core.consortium import Actor
from proml.core.digest import ZERO, expand, hexed, sha256, unhexed, word
from proml.core.document import canonical, parse
from proml.core.event import Acted, Anchored, Input, next_anchor_head, next_head
from proml.core.lifecycle_file import read_lifecycle
from proml.core.manifest import read_manifest
from proml.core.merkle import root, root_from_path
from proml.core.proof import open_batch, read_proof
from proml.core.record import FIELDS, open_sealed, read_disclosure, subject_commitment, subject_salt
from proml.errors import RecordInvalid

Case = dict[str, Any]


def _content(asked: Mapping[str, Any]) -> bytes:
    return _bytes(asked["bytes"]) if "bytes" in asked else str(asked["text"]).encode()


def _bytes(text: str) -> bytes:
    return unhexed(text, len(text) // 2 - 1)


def _agree(holds: bool) -> None:
    if not holds:
        raise RecordInvalid("leads to another hash")


def _merkle_path(asked: Mapping[str, Any]) -> Case:
    siblings = [unhexed(sibling) for sibling in asked["path"]]
    reached = root_from_path(unhexed(asked["leaf"]), asked["index"], asked["count"], siblings)
    _agree(hexed(reached) == asked["root"])
    return {}


def _sealed_record(asked: Mapping[str, Any]) -> Case:
    sealed = open_sealed(_content(asked))
    _agree(hexed(sealed.commitment) == asked["commitment"])
    return {
        "commitment": hexed(sealed.commitment),
        "fields": [name for name in FIELDS if name in sealed.record],
    }


def _disclosure(asked: Mapping[str, Any]) -> Case:
    proven = read_disclosure(parse(_content(asked), "a disclosure"), unhexed(asked["commitment"]))
    return {"shown": dict(proven.shown), "absent": sorted(proven.absent)}


def _batch(asked: Mapping[str, Any]) -> Case:
    batch = open_batch(_content(asked))
    return {
        "digest": hexed(sha256(_content(asked))),
        "root": hexed(batch.root),
        "count": len(batch.observations),
    }


def _proof(asked: Mapping[str, Any]) -> Case:
    proof = read_proof(parse(_content(asked), "a proof"))
    _agree(proof.holds() and (hexed(proof.root), proof.count) == (asked["root"], asked["count"]))
    return {"index": proof.index, "observation": dict(proof.observation)}


def _manifest(asked: Mapping[str, Any]) -> Case:
    manifest = read_manifest(_content(asked))
    return {"digest": hexed(manifest.sha256), "size": manifest.size, "files": len(manifest.files)}


def _artefact_id(asked: Mapping[str, Any]) -> Case:
    contract, creator = unhexed(asked["contract"], 20), unhexed(asked["creator"], 20)
    return {"id": hexed(artefact_id(asked["chain_id"], contract, creator, unhexed(asked["salt"])))}


def _heads(asked: Mapping[str, Any]) -> Case:
    head = artefact = unhexed(asked["artefact"])
    heads = []
    for sequence, step in enumerate(asked["steps"], start=1):
        actor = Actor(step["organisation"], unhexed(step["key"], 20))
        inputs = tuple(Input(unhexed(source), at) for source, at in step["inputs"])
        # A registration hashes like an act at sequence 1; the state is no part of the head.
        event = Acted(
            artefact,
            unhexed(step["subject"]),
            actor,
            sequence,
            step["action"],
            1,
            unhexed(step["record"]),
            inputs,
        )
        head = next_head(head, event)
        heads.append(hexed(head))
    return {"heads": heads}


def _anchor_heads(asked: Mapping[str, Any]) -> Case:
    head, heads = ZERO, []
    for number, anchor in enumerate(asked["anchors"], start=1):
        actor = Actor(anchor["organisation"], unhexed(anchor["key"], 20))
        head = next_anchor_head(head, Anchored(actor, unhexed(anchor["root"]), number, anchor["count"]))
        heads.append(hexed(head))
    return {"heads": heads}


def _lifecycle(asked: Mapping[str, Any]) -> Case:
    table = read_lifecycle(_content(asked)).table
    return {
        "id": hexed(table.id),
        "document": hexed(table.document),
        "properties": hexed(word(table.properties)),
        "rules": [hexed(word(rule.word)) for rule in table.rules],
    }


CHECKS: Mapping[str, Callable[[Mapping[str, Any]], Case]] = {
    "text form": lambda asked: {"hex": unhexed(asked["text"], asked["length"]).hex()},
    "canonical": lambda asked: {"canonical": canonical(parse(_content(asked), "it")).decode()},
    "derive": lambda asked: {
        "derived": hexed(expand(unhexed(asked["key"]), asked["purpose"], _bytes(asked["suffix"])))
    },
    "merkle root": lambda asked: {"root": hexed(root([unhexed(leaf) for leaf in asked["leaves"]]))},
    "merkle path": _merkle_path,
    "sealed record": _sealed_record,
    "subject": lambda asked: {
        "salt": hexed(subject_salt(unhexed(asked["key"]))),
        "private": hexed(subject_commitment(unhexed(asked["key"]), unhexed(asked["sha256"]))),
    },
    "disclosure": _disclosure,
    "batch": _batch,
    "proof": _proof,
    "manifest": _manifest,
    "artefact id": _artefact_id,
    "heads": _heads,
    "anchor heads": _anchor_heads,
    "lifecycle": _lifecycle,
}


def answer(check: str, asked: Mapping[str, Any]) -> Case:
    """What a case gives; raises ProMLError where it must not be taken."""
    return CHECKS[check](asked)
