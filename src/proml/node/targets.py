"""Targets: which artefact people mean by a file, a digest, an id, its first digits, or a name."""

from __future__ import annotations

import os
from pathlib import Path

from proml.capture.run import subject_of
from proml.core.chronicle import Chronicle
from proml.core.digest import hexed, unhexed
from proml.errors import NotFound, UsageProblem
from proml.node.participant import Participant

SHORTEST_PREFIX = 6


def artefact_meant(me: Participant, chronicle: Chronicle, text: str) -> bytes:
    """The 32-byte id of the artefact that `text` means.

    In this order: a file or folder that exists, an id or digest, the first digits of an id, a name in the
    records that are here. Several artefacts of one name mean the one registered last; of one content the
    one registered first, so that a copy does not take a history over.

    Raises:
        NotFound: when nothing on the ledger answers to it.
        UsageProblem: when the first digits fit several artefacts.
        FileRefused: when the file cannot be fingerprinted.
    """
    if os.path.lexists(text):
        return with_digest(me, chronicle, unhexed(subject_of(Path(text), me.progress).sha256), text)
    digits = text.removeprefix("0x").lower()
    if len(digits) == 64 and _is_hex(digits):
        return _by_digest(me, chronicle, bytes.fromhex(digits), text)
    if len(digits) >= SHORTEST_PREFIX and _is_hex(digits):
        found = [artefact for artefact in chronicle.histories if artefact.hex().startswith(digits)]
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(hexed(artefact)[:18] for artefact in found[:3])
            raise UsageProblem(f"{text!r} fits {len(found)} artefacts", f"give more digits: {shown} …")
    return _by_name(me, chronicle, text)


def with_digest(me: Participant, chronicle: Chronicle, digest: bytes, called: str) -> bytes:
    """The artefact that first had these bytes: by its public subject, or by a record that is here.

    Raises:
        NotFound: when nobody's history knows the digest.
    """
    found = [transition.step.artefact for transition in chronicle.with_subject(digest)]
    found += me.private_subjects(chronicle).get(digest, [])
    if not found:
        raise NotFound(
            f"no history on the ledger knows {called} ({hexed(digest)})",
            "it was never registered, its bytes changed, or its owner keeps its digest private: "
            "ask the owner for an evidence file and run `proml receive`",
        )
    return min(found, key=lambda artefact: _age(chronicle, artefact))


def _by_digest(me: Participant, chronicle: Chronicle, digest: bytes, text: str) -> bytes:
    if digest in chronicle.histories:
        return digest
    transition = chronicle.with_record(digest)
    return transition.step.artefact if transition else with_digest(me, chronicle, digest, text)


def _by_name(me: Participant, chronicle: Chronicle, name: str) -> bytes:
    found = [artefact for artefact, known in me.names(chronicle).items() if known == name]
    if not found:
        raise NotFound(
            f"nothing here is called {name!r}, and there is no such file",
            "`proml log` lists what the ledger has; names come from records, which may be elsewhere",
        )
    return max(found, key=lambda artefact: _age(chronicle, artefact))


def _age(chronicle: Chronicle, artefact: bytes) -> tuple[int, int]:
    placed = chronicle.histories[artefact][0].placed
    return placed.block.number, placed.index


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text + "0" * (len(text) % 2))
    except ValueError:
        return False
    return True
