"""The fifth attack: tracks covered by editing journal, storage and outbox, with ProML's own tools.

The developer would rather have had one good candidate only. Each file is put back afterwards, so that what
follows in the story finds them as they were.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from attack import FOUND, Attack, invalid_checks
from organisations import Organisation
from stage import Stage, Surprise
from story import FOREST, NETWORK

from proml.core.record import KEY_BYTES, open_sealed, seal
from proml.core.verdict import OBSERVATIONS, RECORDS, Conclusion
from proml.export.report_view import AttackOutcome
from proml.journal import Journal, files, read
from proml.journal.segment import SUFFIX
from proml.node.comparing import JOURNAL, OUTBOX, Discrepancy, compare
from proml.verify import ById

NAME = "Tracks covered"
# The candidate to forget, and the one to praise.
LOSER, WINNER = f"{FOREST} run", f"{NETWORK} run"
BETTER = 0.999


def tracks_covered(stage: Stage) -> list[Attack]:
    """The three files a participant has of its own, each edited, found out, and put back."""
    developer = stage.consortium.developer
    if found := compare(developer.participant):
        raise Surprise(f"before anything is edited: {found[0].text}")
    attacks = [_journal_edited(stage), _storage_edited(stage), _outbox_edited(stage)]
    if found := compare(developer.participant):
        raise Surprise(f"after everything is put back: {found[0].text}")
    return attacks


def _journal_edited(stage: Stage) -> Attack:
    """First in place, then written anew so that the hash chain of the file holds."""
    developer = stage.consortium.developer
    file = _journal_file(developer.participant.config.journal)
    with put_back(file):
        content = file.read_bytes()
        place = content.rindex(b'"accuracy":0.') + len(b'"accuracy":0.')
        file.write_bytes(content[:place] + b"9" + content[place + 1 :])
        careless, *_ = _found(developer, JOURNAL)
    with put_back(file):
        made_anew = _written_anew(file, developer.folder / "rewritten")
        file.unlink()
        rewritten = made_anew.rename(file.with_name(made_anew.name))
        try:
            careful, *_ = _found(developer, JOURNAL)
        finally:
            rewritten.unlink()
    stage.table.good(f"edited in place: {_without_folders(careless.text)}")
    stage.table.good(f"made anew: {stage.with_names(careful.text)}")
    return _tracks(
        stage,
        "journal edited",
        "raised the dropped forest's accuracy in its journal, the second time with a sound hash chain.",
        "the journal's hash chain; then the anchor of what was really logged",
        f"{_without_folders(careless.text)}; and made anew: {stage.with_names(careful.text)}",
    )


def _journal_file(folder: Path) -> Path:
    """The journal file of the process that trained the forest; nobody writes to it any more."""
    (file,) = [each for each in files(folder) if json.dumps(LOSER).encode() in each.read_bytes()]
    return file


def _written_anew(file: Path, folder: Path) -> Path:
    """The journal file with better figures, written by ProML's own journal: every checksum is right."""
    original = folder / "original"
    original.mkdir(parents=True)
    (original / file.name).write_bytes(file.read_bytes())
    with Journal(folder / "better") as journal:
        for entry in read(original):
            draft = json.loads(entry.payload)
            if draft["draft"] == "Observed":
                draft["metrics"]["accuracy"] = BETTER
            journal.append(json.dumps(draft).encode())
    (made,) = files(folder / "better")
    return made


def _storage_edited(stage: Stage) -> Attack:
    """The record of the run sealed anew with better figures, and its observations raised."""
    developer = stage.consortium.developer
    storage = developer.participant.storage
    finish = developer.participant.chronicle().histories[stage.id_of(WINNER)][-1].step.record
    sealed = open_sealed(storage.get(finish))
    batch = sealed.record["observations"][0]["batch"]
    kept = _kept_in(developer.participant.config.storage, storage.get(finish))
    observed = _kept_in(
        developer.participant.config.storage, storage.get(bytes.fromhex(batch.removeprefix("0x")))
    )
    with put_back(kept), put_back(observed):
        _overwrite(
            kept, seal(dict(sealed.record) | {"metrics": {"accuracy": BETTER}}, bytes(KEY_BYTES)).content
        )
        altered = stage.ask(developer, ById(stage.id_of(WINNER)))
        kept.write_bytes(sealed.content)
        _overwrite(observed, observed.read_bytes().replace(b'"accuracy":0.', b'"accuracy":0.9'))
        raised = stage.ask(developer, ById(stage.id_of(WINNER)))
    stage.must_be(Conclusion.INVALID, altered, "The network's run, from the developer's edited storage")
    stage.must_be(Conclusion.INVALID, raised, "The same run, its observations raised")
    record, observations = altered.check(RECORDS).findings[0], raised.check(OBSERVATIONS).findings[0]
    stage.table.good(f"record: {stage.with_names(record.text)}")
    stage.table.good(f"observations: {stage.with_names(observations.text)}")
    return _tracks(
        stage,
        "storage edited",
        "sealed the record of the network's run anew with better figures, and raised what was logged in it.",
        "verification, checks 2 and 9: records match, observations anchored",
        f"{stage.with_names(record.text)}; {stage.with_names(observations.text)}",
        tuple(sorted({*invalid_checks(altered), *invalid_checks(raised)})),
    )


def _kept_in(folder: Path, content: bytes) -> Path:
    """The file in which a storage keeps these bytes."""
    (file,) = [each for each in folder.rglob("*") if each.is_file() and each.read_bytes() == content]
    return file


def _outbox_edited(stage: Stage) -> Attack:
    """Everything about the forest and its run deleted from the project's own database."""
    developer = stage.consortium.developer
    before = stage.ask(developer, ById(stage.id_of(FOREST)))
    outbox = developer.participant.config.outbox
    with put_back(outbox):
        with closing(sqlite3.connect(outbox)) as opened, opened:
            for name in (FOREST, LOSER):
                opened.execute("DELETE FROM intent WHERE artefact = ?", (stage.id_of(name),))
                opened.execute("DELETE FROM known WHERE artefact = ?", (stage.id_of(name),))
        found = _found(developer, OUTBOX)
        after = stage.ask(developer, ById(stage.id_of(FOREST)))
    if after != before:
        raise Surprise("the outbox changed what a verification says")
    steps = "; ".join(stage.with_names(each.text) for each in found)
    stage.table.good(f"{len(found)} steps of the ledger are not known to the outbox; no verdict rests on it")
    return _tracks(
        stage,
        "outbox edited",
        f"deleted everything about {FOREST} and its run from its own database.",
        "comparison with the ledger; verification never reads an outbox",
        f"{steps}; {FOREST} still stands on the ledger as {after.stand.state}",
    )


def _found(who: Organisation, where: str) -> list[Discrepancy]:
    """What the comparison with the ledger finds in one place, and nothing in the others."""
    found = compare(who.participant)
    if not found or any(each.where != where for each in found):
        raise Surprise(f"in the {where}: {[each.text for each in found]}")
    return found


def _tracks(
    stage: Stage, what: str, tried: str, by: str, evidence: str, checks: tuple[int, ...] = ()
) -> Attack:
    name = stage.consortium.developer.name
    return Attack(
        AttackOutcome(f"{NAME}: {what}", f"{name} {tried}", FOUND, by, name, evidence), checks=checks
    )


@contextmanager
def put_back(file: Path) -> Iterator[None]:
    """Give a file its bytes back in the end, whatever happened to it."""
    content, mode = file.read_bytes(), file.stat().st_mode
    try:
        yield
    finally:
        # What a storage finds to be wrong it sets aside.
        for aside in file.parent.glob(f"{file.name}*"):
            aside.unlink()
        file.write_bytes(content)
        file.chmod(mode)


def _overwrite(file: Path, content: bytes) -> None:
    """Write over a file that its owner may have made read-only."""
    file.chmod(0o600)
    file.write_bytes(content)


def _without_folders(text: str) -> str:
    """A sentence about a journal file without the way to it and its long name."""
    return " ".join("the journal" if word.endswith(SUFFIX) else word for word in text.split(" "))
