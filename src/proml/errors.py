"""Every error ProML raises on purpose, each with a message for programs and a hint for people.

Tree::

    ProMLError
     ├─ UsageProblem          what was asked for makes no sense as written
     │   ├─ ConfigInvalid     a setting or project file is wrong
     │   ├─ ProjectMissing    no project here, and the command needs one
     │   ├─ RecordInvalid     a record breaks the format
     │   └─ LifecycleInvalid  a lifecycle table breaks its rules
     ├─ NotFound              no artefact, file, record or participant answers to that name
     ├─ FileRefused           a file or folder cannot be fingerprinted safely
     ├─ JournalProblem        a journal is damaged, too new, or cannot be written
     ├─ KeyProblem            a key cannot be read, unlocked or used
     ├─ StorageProblem        stored bytes are missing or are not the bytes named
     ├─ IndexProblem          a node's index is missing, altered, of another version, or its database is away
     ├─ LedgerProblem         the ledger cannot be reached or answers nonsense
     │   └─ WrongLedger       it answers, but it is not the ledger this project trusts
     ├─ NodeProblem           a node is away, refuses, or answers nonsense
     ├─ StepRefused           the contracts refused a step, with their reason
     └─ Busy                  another process holds what this one needs

A command turns each into one sentence, a hint and the class's exit code; nothing else in ProML may
be raised at a user for a mistake of theirs.
"""


class ProMLError(Exception):
    """Base of every deliberate error.

    Args:
        message: one sentence saying what is wrong, naming the thing by its id or path.
        hint: what to do about it, or an empty string when there is nothing useful to add.
    """

    exit_code = 70

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageProblem(ProMLError):
    """The request itself is wrong."""

    exit_code = 2


class ConfigInvalid(UsageProblem):
    """A setting, project file or ledger file holds something it may not hold."""


class ProjectMissing(UsageProblem):
    """There is no ProML project in this folder or above it."""

    def __init__(self, start: str) -> None:
        super().__init__(
            f"no ProML project in {start} or any folder above it",
            "run `proml init` in the folder of your training scripts",
        )


class RecordInvalid(UsageProblem):
    """A record, evidence file or proof breaks the format of docs/format.md."""


class LifecycleInvalid(UsageProblem):
    """A lifecycle table is ambiguous, unreachable, or names what does not exist."""


class NotFound(ProMLError):
    """Nothing answers to the given name, path or digest."""

    exit_code = 4


class FileRefused(ProMLError):
    """A file or folder that cannot be read safely and identically on every platform."""

    exit_code = 2

    def __init__(self, path: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{path!r} cannot be fingerprinted: {reason}", hint)
        self.path = path
        self.reason = reason


class JournalProblem(ProMLError):
    """A journal file is damaged, of a newer version, or cannot be written."""

    exit_code = 7


class KeyProblem(ProMLError):
    """A key file is unreadable, its passphrase is wrong, or the key may not do this."""

    exit_code = 8


class StorageProblem(ProMLError):
    """Bytes named by a digest are missing, cannot be written, or are other bytes."""

    exit_code = 9


class IndexProblem(ProMLError):
    """A node's index is missing, was altered, is of another version or ledger, or its database is away."""

    exit_code = 9


class LedgerProblem(ProMLError):
    """The ledger cannot be reached, cannot be started, or gave an answer that breaks its format."""

    exit_code = 5


class WrongLedger(LedgerProblem):
    """The chain answers but is not the one whose id, genesis or code this project pins."""


class NodeProblem(ProMLError):
    """A node cannot be reached, refuses a request, or answers with something that was not asked for."""

    exit_code = 12


class StepRefused(ProMLError):
    """The contracts refused something; nothing changed on the ledger.

    Args:
        what: what was to be done, as one says it after `to`.
        reason: why not.
        hint: what to do about it.
    """

    exit_code = 6

    def __init__(self, what: str, reason: str, hint: str = "") -> None:
        super().__init__(f"the ledger refused to {what}: {reason}", hint)
        self.what = what
        self.reason = reason


class Busy(ProMLError):
    """Another process holds a lock that may have only one holder."""

    exit_code = 10
