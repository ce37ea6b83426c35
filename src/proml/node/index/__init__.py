"""The index: a node's disposable database of what the ledger says, and the questions it answers.

    index = Index(url, ledger_file.terms, shipped(), ledger_file.name_of)
    with index.reading() as view:
        page = find(view, Wanted(kind="model", fields=(FieldTest("metrics.accuracy", ">=", 0.9),)))
        made_from = lineage(view, unhexed(page.rows[0].id), Reach(down=False))

Whatever is asked through one view fits together, and every row says how certain it is. `verify` never reads
this: an index can be wrong, or made wrong, and `proml node fsck` finds that by making it again.
"""

from proml.node.index.deciding import organisation, organisations, proposal, proposals
from proml.node.index.digesting import IndexDigest, index_digest
from proml.node.index.finding import FieldTest, Wanted, find
from proml.node.index.indexer import Indexer
from proml.node.index.inspecting import differences, inspect
from proml.node.index.looking import (
    anchors,
    approvals,
    artefact,
    displaced,
    document,
    history,
    lately,
    refusals,
    status,
    step_with_record,
)
from proml.node.index.matching import match
from proml.node.index.opening import Index, View
from proml.node.index.paging import Ask
from proml.node.index.tracing import Reach, lineage, tainted, what_taints, who_used
from proml.node.index.waiting import waiting_for

__all__ = [
    "Ask",
    "FieldTest",
    "Index",
    "IndexDigest",
    "Indexer",
    "Reach",
    "View",
    "Wanted",
    "anchors",
    "approvals",
    "artefact",
    "differences",
    "displaced",
    "document",
    "find",
    "history",
    "index_digest",
    "inspect",
    "lately",
    "lineage",
    "match",
    "organisation",
    "organisations",
    "proposal",
    "proposals",
    "refusals",
    "status",
    "step_with_record",
    "tainted",
    "waiting_for",
    "what_taints",
    "who_used",
]
