"""Commands that share: disclose, disclosed, share, fetch, erase."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from proml.capture.run import subject_of
from proml.cli.terminal import ask_passphrase, busy, emit_json, safe, say, table, write_whole
from proml.core.chronicle import Transition
from proml.core.digest import hexed, unhexed
from proml.core.document import parse
from proml.core.record import FIELDS, disclose, open_sealed, read_disclosure
from proml.errors import NotFound, RecordInvalid, UsageProblem
from proml.node import sealing_for
from proml.node.client import NodeClient
from proml.node.erasing import erase, erase_journal
from proml.node.government import Government
from proml.node.index import Indexer
from proml.node.participant import Participant
from proml.node.sharing import Share, fetch_file, fetch_record, share, sign_in, unshare
from proml.node.targets import artefact_meant
from proml.signing import open_key

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="A file, folder, id, first digits of an id, or name.")
]
Step = Annotated[
    int | None, typer.Option("--step", min=1, metavar="N", help="This step; the newest if not given.")
]
disclose_command = typer.Typer(add_completion=False, rich_markup_mode=None)
disclosed_command = typer.Typer(add_completion=False, rich_markup_mode=None)
share_command = typer.Typer(add_completion=False, rich_markup_mode=None)
fetch_command = typer.Typer(add_completion=False, rich_markup_mode=None)
erase_command = typer.Typer(add_completion=False, rich_markup_mode=None)


@disclose_command.command("disclose")
def disclose_fields(
    target: Target,
    field: Annotated[
        list[str], typer.Option("--field", "-f", metavar="NAME", help=f"Out of {', '.join(FIELDS)}.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")],
    step: Step = None,
    to: Annotated[
        list[str],
        typer.Option(
            "--to", metavar="AGE", help="Encrypt it for this recipient (age1…); repeat it for more."
        ),
    ] = [],
) -> int:
    """Write a file that shows chosen fields of a record and proves them; the rest stays hidden.

    A field that the record does not have is proven absent. Encrypted for recipients, only they can open it.

        proml disclose model.joblib --field metrics --output metrics.disclosure
        proml disclose digits --step 1 -f inputs -f subject -o for-lab.age --to age1yae4um8…
    """
    me = Participant.open()
    transition = _step(me, target, step)
    sealed = open_sealed(me.storage.get(transition.step.record))
    content = json.dumps(disclose(sealed, field), ensure_ascii=False, indent=1).encode()
    write_whole(output, sealing_for.encrypt(content, to) if to else content)
    say(f"wrote {safe(output)}: {safe(', '.join(field))} of step {transition.sequence}, with proofs")
    return 0


@disclosed_command.command("disclosed")
def check_disclosed(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A disclosure somebody gave you.")],
    identity: Annotated[
        Path | None, typer.Option("--identity", "-i", metavar="FILE", help="Your age identity, to open it.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Check disclosed fields against the ledger, show them, and keep them in the index.

    proml disclosed metrics.disclosure
    proml disclosed for-lab.age --identity key.txt
    """
    me = Participant.open()
    try:
        content = file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}") from None
    if sealing_for.is_encrypted(content):
        if identity is None:
            raise UsageProblem(f"{file} is encrypted", "give your --identity")
        content = sealing_for.decrypt(content, identity)
    document = parse(content, str(file))
    commitment = unhexed(document.get("commitment"))
    transition = me.chronicle().with_record(commitment)
    if transition is None:
        raise RecordInvalid(f"the ledger has no record {hexed(commitment)}", "nobody ever stated this")
    found = read_disclosure(document, commitment)
    with closing(Indexer(me.config.index_url, me.ledger, me.storage)) as indexer:
        indexer.advance()
        indexer.take_disclosure(document)
    by = me.name_of(transition.step.actor.organisation)
    if as_json:
        emit_json({"commitment": hexed(commitment), "artefact": hexed(transition.step.artefact),
                   "sequence": transition.sequence, "by": by, "shown": dict(found.shown),
                   "absent": sorted(found.absent)})  # fmt: skip
        return 0
    say(f"stated by {safe(by)} in step {transition.sequence} of {hexed(transition.step.artefact)}")
    rows = [(name, json.dumps(value, ensure_ascii=False)) for name, value in found.shown.items()]
    table(("field", "value"), [*rows, *((name, "proven absent") for name in sorted(found.absent))])
    return 0


@share_command.command("share")
def share_records(
    target: Target,
    member: Annotated[
        list[str], typer.Option("--with", metavar="MEMBER", help="Only these; else all members.")
    ] = [],
    content: Annotated[
        bool, typer.Option("--bytes", help="Also the file itself; TARGET must be that file.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Share no longer.")] = False,
) -> int:
    """Let other members fetch the whole records of an artefact from this node, and the file if you say so.

    A whole record can be opened and passed on by whoever has it; `proml disclose` shows chosen fields.

        proml share model.joblib --with "Lab" --bytes
        proml share model.joblib --stop
    """
    me = Participant.open()
    chronicle = me.chronicle()
    history = chronicle.histories[artefact_meant(me, chronicle, target)]
    digests = [hexed(each.step.record) for each in history if me.storage.has(each.step.record)]
    path = Path(target)
    if content and not path.is_file():
        raise UsageProblem(f"{target!r} is no file", "with --bytes, name the file to share")
    file_digest = subject_of(path).sha256 if path.is_file() else None
    if stop:
        say(f"{unshare(me.config, [*digests, *([file_digest] if file_digest else [])])} no longer shared")
        return 0
    government = Government(me)
    members = tuple(government.member(each) for each in member)
    added = [Share(digest, members) for digest in digests]
    if content and file_digest:
        added.append(Share(file_digest, members, str(path.absolute())))
    share(me.config, added)
    say(f"{len(digests)} record(s) shared with {safe(', '.join(member) or 'all members')}")
    if content:
        say(f"and the file, as {file_digest}")
    return 0


@fetch_command.command("fetch")
def fetch_from(
    url: Annotated[str, typer.Argument(metavar="URL", help="The node of the member that shares.")],
    target: Annotated[
        str | None, typer.Argument(metavar="TARGET", help="An artefact, for its records.")
    ] = None,
    digest: Annotated[
        str | None, typer.Option("--file", metavar="DIGEST", help="A file, by its SHA-256.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")
    ] = None,
) -> int:
    """Fetch what another member shares with you, signed in with this project's key, checked by its digest.

    proml fetch https://node.clinic.example 0x3fe21a
    proml fetch https://node.clinic.example --file 0x5f0c… --output model.joblib
    """
    me = Participant.open()
    if (target is None) == (digest is None) or (digest is not None and output is None):
        raise UsageProblem("give an artefact for its records, or --file and --output", "`proml fetch --help`")
    _check_url(url)
    with NodeClient(url) as client, busy("fetching …"):
        key = open_key(me.config.key_file, ask_passphrase)
        sign_in(client, url, key, me.ledger_file.terms.chain_id)
        if digest is not None and output is not None:
            size = fetch_file(client, unhexed(digest), output)
            say(f"wrote {size} bytes to {safe(output)}; their digest is the one named")
            return 0
        chronicle = me.chronicle()
        history = chronicle.histories[artefact_meant(me, chronicle, str(target))]
        new = missing = 0
        for each in history:
            try:
                new += fetch_record(me, client, each.step.record)
            except NotFound:
                missing += 1
    say(f"{new} record(s) taken over" + (f"; {missing} not shared with you" if missing else ""))
    return 0


@erase_command.command("erase")
def erase_record(
    target: Target,
    step: Step = None,
    journal: Annotated[
        bool, typer.Option("--journal", help="Also every journal file that is published to its end.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; it cannot be undone.")] = False,
) -> int:
    """Erase what a record says from this machine, with its key. Only a commitment stays.

    Everybody else who has the record runs the same on their machine; backups are yours to delete.

        proml erase digits --step 2 --journal --yes
    """
    me = Participant.open()
    transition = _step(me, target, step)
    if not yes:
        raise UsageProblem(
            f"this erases what step {transition.sequence} of {hexed(transition.step.artefact)} says",
            "repeat it with --yes",
        )
    erase(me, transition.step.record)
    removed = erase_journal(me) if journal else 0
    say(f"erased {hexed(transition.step.record)}; its step stays, as one whose record is not here")
    say(
        f"{removed} journal file(s) removed"
        if journal
        else "the journal still has what was recorded: see --journal"
    )
    return 0


def _step(me: Participant, target: str, step: int | None) -> Transition:
    chronicle = me.chronicle()
    history = chronicle.histories[artefact_meant(me, chronicle, target)]
    if step is not None and step > len(history):
        raise NotFound(f"it has {len(history)} step(s), and none of number {step}")
    return history[step - 1 if step else -1]


def _check_url(url: str) -> None:
    local = url.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]"))
    if not (url.startswith("https://") or local):
        raise UsageProblem(f"{url!r} is not an https address", "a node elsewhere is asked over TLS only")
