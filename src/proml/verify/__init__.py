"""Verification: numbered checks of an artefact against ledger and storage; never the index.

    grounds = read_ledger(ledger, profiles)
    verdict = verify(grounds, [storage], shipped(), ByDigest(sha256_of_the_file))
    verdict.conclusion, [check.reason for check in verdict.checks]

Without a node the same checks are made of an evidence file, as far as it proves what it tells:

    content = make_evidence(grounds, [storage], shipped(), artefact, Showing(prover=ledger.prove)).content
    verdict = check_evidence(content, Pins(terms, block_hash, profiles), shipped())

docs/trust.md says what each check proves and what it does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from proml.core.lifecycle import Lifecycle
from proml.core.verdict import Verdict
from proml.interfaces import Storage
from proml.verify.evidence import Evidence, read_evidence
from proml.verify.grounds import Grounds, LedgerGrounds, read_ledger
from proml.verify.judging import judge
from proml.verify.making import Showing, enough, make_evidence
from proml.verify.offline import Pins, check_evidence
from proml.verify.records import StoredRecords
from proml.verify.targets import ByDigest, ById, ByRecord, Target

__all__ = [
    "ByDigest",
    "ById",
    "ByRecord",
    "Evidence",
    "Grounds",
    "LedgerGrounds",
    "Pins",
    "Showing",
    "Target",
    "check_evidence",
    "enough",
    "make_evidence",
    "read_evidence",
    "read_ledger",
    "verify",
]


def verify(
    grounds: Grounds, storages: Sequence[Storage], lifecycles: Sequence[Lifecycle], target: Target
) -> Verdict:
    """Verify one artefact against a ledger.

    Args:
        grounds: the ledger as `read_ledger` found it.
        storages: where records and observations may be, asked in this order.
        lifecycles: those whose files are known, for example `proml.lifecycles.shipped()`.
        target: `ById`, `ByDigest` or `ByRecord`.

    Raises:
        NotFound: when nothing on the ledger answers to the target.
        LedgerProblem: when the ledger cannot be asked, or was reorganised meanwhile.
    """
    return judge(grounds, StoredRecords(storages), lifecycles, target)
