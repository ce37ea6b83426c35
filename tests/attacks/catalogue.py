"""The staged attacks: what the attacker tries, what must come of it, and what is left as evidence.

The numbers are those of the list of threats that ProML is measured against. docs/attacks.md is made of this
list (`python tools/generate_attacks.py`); each entry has a test, `test_attack_NN_…`, in this folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How an attack ends."""

    REFUSED = "refused"  # it does not happen
    FOUND = "found"  # it happens, and a check names it
    SHOWN = "shown"  # it is no crime by itself; everybody sees it


@dataclass(frozen=True, slots=True)
class Attack:
    """One staged attack.

    Attributes:
        number: stays the same for ever.
        kind: Spoofing, Tampering, Repudiation, Denial of service or Elevation of privilege.
        tries: what the attacker does.
        verdict: how it ends.
        by: what stops or shows it.
        evidence: what is left, for somebody who was not there.
    """

    number: int
    kind: str
    tries: str
    verdict: Verdict
    by: str
    evidence: str


REFUSED, FOUND, SHOWN = Verdict.REFUSED, Verdict.FOUND, Verdict.SHOWN
TAMPERING, SPOOFING, REPUDIATION = "Tampering", "Spoofing", "Repudiation"
DENIAL, ELEVATION = "Denial of service", "Elevation of privilege"

ATTACKS = (
    Attack(
        1,
        TAMPERING,
        "A data owner alters a file of a dataset after it was approved, and serves that.",
        FOUND,
        "`proml verify`, check 1: the bytes are not those that were approved.",
        "The step that names the real bytes, with key and block; the manifests name the file that differs.",
    ),
    Attack(
        2,
        TAMPERING,
        "One label among a million rows is flipped.",
        FOUND,
        "`proml verify`, check 1.",
        "Digest on the ledger against digest in hand. Which row it is, only a comparison with a good copy "
        "tells: ProML keeps one digest per file, none per row.",
    ),
    Attack(
        4,
        TAMPERING,
        "Somebody at the operator's swaps the model on its way into service.",
        REFUSED,
        "`proml gate` fails, so that the deployment stops before anything is loaded.",
        "The verdict, which names the step in which the operator itself signed the real bytes.",
    ),
    Attack(
        6,
        TAMPERING,
        "Weights are changed, and size and modification time of the file are put back.",
        FOUND,
        "`proml verify`, check 1: verification reads the bytes and believes no cache.",
        "Digest on the ledger against digest in hand.",
    ),
    Attack(
        15,
        SPOOFING,
        "Somebody sees a registration on its way and registers the same salt, record and bytes first.",
        SHOWN,
        "Ids contain the key that registers: there are two artefacts, and nobody took anybody's.",
        "Both registrations; the copy is of another organisation under another id.",
    ),
    Attack(
        16,
        SPOOFING,
        "A stolen key signs, before and after its owner notices.",
        FOUND,
        "What it signed before the theft stays valid; between theft and revocation check 5 calls it suspect; "
        "afterwards the contracts refuse it.",
        "KeyRevoked with the block from which on the key is suspect.",
    ),
    Attack(
        17,
        SPOOFING,
        "An approval given for one version is put under another, or under the next step; a relay sends a "
        "signed one for something else, or drops one from a signed step.",
        REFUSED,
        "An approval is bound to artefact, action, sequence and subject, and a signed step to the approvals "
        "it rests on: reasons APPROVAL_INVALID, SIGNATURE_INVALID.",
        "Refused event with the attacker's key; the head of the artefact stands where it stood.",
    ),
    Attack(
        18,
        SPOOFING,
        "A consent or a signed step is sent twice, late, to a second deployment, or on a fork of the chain.",
        REFUSED,
        "Statements are bound to chain id and contract, computed when called, to one sequence and a "
        "deadline: reasons CONSENT_INVALID, SIGNATURE_INVALID, EXISTS, DEADLINE_PASSED.",
        "The failed transactions; nothing happened on either.",
    ),
    Attack(
        19,
        SPOOFING,
        "A valid signature is sent in another form: high s, v as 0 or 1, 64 bytes.",
        REFUSED,
        "One encoding only: reasons CONSENT_INVALID, SIGNATURE_MALFORMED; other lengths cannot be sent.",
        "The failed transaction.",
    ),
    Attack(
        20,
        SPOOFING,
        "A contract wallet that says yes to every signature is to become a key.",
        REFUSED,
        "Only keys that sign by themselves can join; the contracts never ask another contract.",
        "The failed transaction; no STATICCALL but the one to the signature precompile is in the code.",
    ),
    Attack(
        21,
        SPOOFING,
        "A look-alike of the contracts emits the same events, about artefacts of the real ones.",
        REFUSED,
        "Readers take events of the pinned address alone.",
        "Everybody's history is the same before and after, byte for byte.",
    ),
    Attack(
        25,
        REPUDIATION,
        "A developer denies having trained a model.",
        FOUND,
        "An evidence file verifies on a machine without node, account or network.",
        "The file itself: signed steps, state proof, block hash.",
    ),
    Attack(
        26,
        REPUDIATION,
        "A verifier declares, once its approval is embarrassing, that its key had been stolen before.",
        SHOWN,
        "Check 5 says suspect, with both blocks: when it was signed, and when the theft was first claimed.",
        "KeyRevoked stands in a later block than the approval and than what others did relying on it.",
    ),
    Attack(
        27,
        REPUDIATION,
        "A test is recorded today and dated back to March.",
        SHOWN,
        "The time that counts is the block's; the record's own date is a claim.",
        "Claimed date and block time beside each other in the history.",
    ),
    Attack(
        28,
        REPUDIATION,
        "Many evaluations are committed in secret, and the one that turned out well is revealed.",
        SHOWN,
        "Every commitment is a step of its own: whoever reads the ledger counts them.",
        "One of five is disclosed; four others of the same organisation stand beside it.",
    ),
    Attack(
        29,
        REPUDIATION,
        "A model is deployed without test and approval.",
        REFUSED,
        "The lifecycle knows no such transition, whoever calls: reason NO_TRANSITION.",
        "Refused event with the operator's key.",
    ),
    Attack(
        30,
        REPUDIATION,
        "Failed trainings are hidden, and the best of several is shown.",
        SHOWN,
        "A run is registered when it starts and closed as failed when it breaks off.",
        "The failed and abandoned runs of the organisation on the ledger.",
    ),
    Attack(
        31,
        REPUDIATION,
        "A record is erased, on a request or under the pretext of one, and the gap explained away.",
        SHOWN,
        "The step stays, with its commitment: verification counts it and says `not enough evidence`.",
        "The commitment of the missing record, who made the step and when. A mark that says who erased it, "
        "and with whose consent, does not exist yet.",
    ),
    Attack(
        38,
        DENIAL,
        "A member floods the chain with full batches of nonsense.",
        SHOWN,
        "A batch has at most 64 steps; what others pay for theirs does not change. How much a member may "
        "send, the chain's own rules must say: the contracts have no quota.",
        "Refused events with the attacker's key, one for each.",
    ),
    Attack(
        39,
        DENIAL,
        "Arguments of enormous length are sent: 65 steps, 33 inputs, nine approvals.",
        REFUSED,
        "Every list has a cap in its type; gas is flat over histories (tests/contracts/test_gas.py).",
        "The failed transaction; nothing changed.",
    ),
    Attack(
        40,
        DENIAL,
        "One member revokes the keys of others, removes them, and piles up proposals.",
        REFUSED,
        "Reasons NOT_YOUR_KEY, VOTES_MISSING, VOTED_ALREADY and PROPOSAL_OPEN: one open proposal each.",
        "The failed transactions, and one proposal that nobody votes for.",
    ),
    Attack(
        52,
        ELEVATION,
        "A key that may only record approves, votes and adds keys; one that may only govern records.",
        REFUSED,
        "Each call asks for its scope: reason SCOPE_MISSING, for every wrong pair. (Tokens of the API have "
        "scopes of their own, and tests of their own: tests/server.)",
        "The failed transactions.",
    ),
    Attack(
        53,
        ELEVATION,
        "Whoever deployed the contracts, and a member that was removed, use what is left of their rights.",
        REFUSED,
        "The deployer never had any: reason UNKNOWN_KEY. Of a removed member every call is refused: "
        "ORGANISATION_REMOVED.",
        "The failed transactions, one for every call there is.",
    ),
    Attack(
        54,
        ELEVATION,
        "Two proposals, each harmless, are prepared so that the second passes under the threshold of the "
        "first.",
        REFUSED,
        "A change of the threshold ends everything proposed before: reason PROPOSAL_LAPSED.",
        "ThresholdSet, and the failed transaction after it.",
    ),
    Attack(
        56,
        ELEVATION,
        "An invisible character in a comment of a contract makes the compiler read another constant.",
        REFUSED,
        "`make check`: printable ASCII and line feeds only, and the sources must compile to what is shipped.",
        "File, line and byte.",
    ),
    Attack(
        58,
        TAMPERING,
        "A node is set back to an old backup, so that it does again what it did, or forgets a revocation.",
        REFUSED,
        "At the next push the outbox is compared with the chain; it refuses until `--reconcile`. Revocations "
        "are read from the ledger and in no backup.",
        "How many items the ledger has that the outbox does not know; afterwards nothing happened twice.",
    ),
)
