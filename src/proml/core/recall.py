"""Recalls: why, what they reach, and who has to acknowledge that.

A recall taints every descendant (lineage.py). Whoever is custodian of a tainted artefact has to
acknowledge it, once for each recall and artefact: by an anchor whose root says exactly that,

    root = SHA-256(0x03 || "proml/1/acknowledgement" || head of the recalled artefact || tainted artefact)

where the head is that after the recall. All of it stands on the ledger, so every member computes the root
that has to be there, and finds who anchored it, in which block, with which key (docs/decisions/0007).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from proml.core.chronicle import Chronicle
from proml.core.digest import sha256
from proml.core.event import Placed
from proml.core.lineage import MAX_ARTEFACTS, tainted_by, taints

# Why something is recalled; codes never change their meaning. The record has a free text beside it.
REASONS: Mapping[str, str] = {
    "consent_withdrawn": "those the data are about, or their owner, withdrew consent",
    "licence_ended": "it may not be used any more under its licence",
    "wrong_data": "its content or its labels are wrong",
    "poisoned": "it was manipulated on purpose",
    "leak": "it holds what it must not hold, such as test data or personal data",
    "vulnerable": "it has a security hole",
    "defective": "it does not do what it is for",
    "made_wrongly": "a required step was not done as its record says",
    "other": "as the text says",
}
_PREFIX = b"\x03proml/1/acknowledgement"


@dataclass(frozen=True, slots=True)
class Due:
    """That an organisation has to acknowledge what a recall did to an artefact in its custody.

    Attributes:
        source: the recalled artefact.
        artefact: the tainted one.
        organisation: number of the present custodian of the tainted one, or of who stands in for it.
        root: what it has to anchor, 32 bytes.
        given: where it did; None while it has not.
    """

    source: bytes
    artefact: bytes
    organisation: int
    root: bytes
    given: Placed | None


def acknowledgement(head: bytes, artefact: bytes) -> bytes:
    """The root that acknowledges a recall.

    Args:
        head: of the recalled artefact after its recall, 32 bytes: it covers which recall it was.
        artefact: id of the tainted artefact, 32 bytes.
    """
    return sha256(_PREFIX + head + artefact)


def dues(chronicle: Chronicle, artefact: bytes, most: int = MAX_ARTEFACTS) -> list[Due]:
    """What the custodian of an artefact has to acknowledge, or did; by the nearest `most` recalls."""
    found = (due(chronicle, taint.source, artefact) for taint in taints(chronicle, artefact, most))
    return [each for each in found if each is not None]


def dues_after(chronicle: Chronicle, recalled: bytes) -> list[Due]:
    """What a recall obliges custodians to, one for each descendant; nothing where nothing was recalled."""
    found = (due(chronicle, recalled, artefact) for artefact in tainted_by(chronicle, recalled))
    return [each for each in found if each is not None]


def due(chronicle: Chronicle, source: bytes, artefact: bytes) -> Due | None:
    """What the recall of `source` obliges the custodian of its descendant `artefact` to.

    None where `source` is not recalled, or `artefact` is, too: there is no stronger answer.
    """
    recall = chronicle.recall_of(source)
    if recall is None or chronicle.is_recalled(artefact):
        return None
    kept = chronicle.shared.artefacts[artefact].custodian
    custodian = chronicle.shared.successors.get(kept, kept)
    root = acknowledgement(recall.head, artefact)
    return Due(source, artefact, custodian, root, chronicle.anchor(root, custodian))
