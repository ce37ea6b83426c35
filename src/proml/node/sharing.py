"""Sharing with other members: what may be fetched from this node, and fetching from theirs.

Nothing is shared unless its owner says so: a record by its commitment, a file by its SHA-256, with named
members or with all. What is fetched is believed by its digest only, checked before anybody uses it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from proml.config import Config
from proml.core.digest import hexed, unhexed
from proml.core.document import parse
from proml.core.record import is_named, open_sealed
from proml.errors import NodeProblem, NotFound, RecordInvalid, StorageProblem, UsageProblem
from proml.node.client import NodeClient
from proml.node.outbox import open_outbox
from proml.node.participant import Participant
from proml.node.server.signatures import text_digest
from proml.node.server.signing_in import read_sign_in
from proml.signing import LocalSigner

MAX_RECORD_BYTES = 4 * 1024 * 1024
MAX_FILE_BYTES = 16 << 30


@dataclass(frozen=True, slots=True)
class Share:
    """That a record, or the file at `path`, may be fetched; by all members where `members` is empty."""

    digest: str
    members: tuple[int, ...] = ()
    path: str | None = None

    def is_for(self, organisation: int) -> bool:
        """Whether a member may fetch it."""
        return not self.members or organisation in self.members


def shares(config: Config) -> dict[str, Share]:
    """Everything that is shared, by its digest as text.

    Raises:
        StorageProblem: when the list is damaged; nothing is shared then.
    """
    path = _list(config)
    try:
        entries = parse(path.read_bytes(), str(path))["shares"]
        return {
            each["digest"]: Share(each["digest"], tuple(each["members"]), each["path"]) for each in entries
        }
    except FileNotFoundError:
        return {}
    except (OSError, RecordInvalid, KeyError, TypeError) as error:
        raise StorageProblem(
            f"the list of shares {path} cannot be read: {error}", "remove it, and share anew"
        ) from None


def share(config: Config, added: list[Share]) -> None:
    """Share more; what was shared before under the same digest is replaced."""
    _write(config, shares(config) | {each.digest: each for each in added})


def unshare(config: Config, digests: list[str]) -> int:
    """Share these no longer; returns how many were shared. Whoever fetched one has it."""
    known = shares(config)
    kept = {digest: each for digest, each in known.items() if digest not in digests}
    _write(config, kept)
    return len(known) - len(kept)


def opened(me: Participant, digest: bytes, organisation: int | None) -> Iterator[bytes]:
    """The bytes of something shared, in pieces, for a member; None for this organisation's own programs.

    Raises:
        NotFound: when it is not shared with that member, or is not there; the two are not told apart.
    """
    found = shares(me.config).get(hexed(digest))
    if found is None or (organisation is not None and not found.is_for(organisation)):
        raise NotFound(f"nothing is shared as {hexed(digest)}", "ask its owner to share it")
    if found.path is None:
        content = me.storage.get(digest)
        return iter([content])
    try:
        return _pieces(os.open(found.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))
    except OSError:
        raise NotFound(f"nothing is shared as {hexed(digest)}", "ask its owner to share it") from None


def sign_in(client: NodeClient, url: str, signer: LocalSigner, chain: int) -> None:
    """Sign in to another member's node with our key; only a text for that node and our chain is signed.

    Raises:
        NodeProblem: when the node asks for anything else, or refuses.
    """
    text = client.ask("POST", "/sign-in/texts", json={"address": hexed(signer.address)})["text"]
    try:
        said = read_sign_in(str(text))
    except RecordInvalid as error:
        raise NodeProblem(
            f"{url} gives something else than a sign-in to be signed: {error.message}"
        ) from None
    if said.address != signer.address or said.chain != chain or said.uri != url.rstrip("/").lower():
        raise NodeProblem(
            f"{url} gives a sign-in for another node, key or chain to be signed", "do not trust it"
        )
    signature = hexed(signer.sign_digest(text_digest(text)))
    told = client.ask("POST", "/sign-in", json={"text": text, "signature": signature, "cookie": False})
    client.show(str(told["token"]))


def fetch_record(me: Participant, client: NodeClient, commitment: bytes) -> bool:
    """Fetch a record that the ledger has, and keep it; whether it was new here.

    Raises:
        NotFound: when the ledger has no such record, or the node does not share it with us.
        NodeProblem: when the node gives other bytes; nothing of them is kept.
    """
    transition = me.chronicle().with_record(commitment)
    if transition is None:
        raise NotFound(f"the ledger has no record {hexed(commitment)}")
    content = b"".join(client.shared(hexed(commitment), MAX_RECORD_BYTES))
    if not is_named(commitment, content):
        raise NodeProblem(
            f"the node gave other bytes than the record {hexed(commitment)}", "nothing was kept"
        )
    new = not me.storage.has(commitment)
    me.storage.put(commitment, content)
    subject = open_sealed(content).record.get("subject")
    if subject:
        with open_outbox(me.config.outbox) as outbox, outbox.together():
            outbox.add_known(unhexed(subject["sha256"]), transition.step.artefact, transition.sequence)
    return new


def fetch_file(client: NodeClient, digest: bytes, path: Path, most: int = MAX_FILE_BYTES) -> int:
    """Fetch a file by its SHA-256 into a new file; returns its bytes.

    It gets its name only once it is whole and the bytes named.

    Raises:
        NodeProblem: when the node gives other bytes, or more than `most`; nothing is left then.
        UsageProblem: when there is a file of that name, or it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    seen, size = hashlib.sha256(), 0
    try:
        if path.exists():
            raise UsageProblem(f"there is a file {path} already", "name another")
        with temporary.open("xb") as file:
            for piece in client.shared(hexed(digest), most):
                seen.update(piece)
                size += len(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if seen.digest() != digest:
            raise NodeProblem(f"the node gave other bytes than {hexed(digest)}", "nothing was kept")
        temporary.rename(path)
    except OSError as error:
        raise UsageProblem(
            f"{path} cannot be written: {error.strerror}", "make room, or name another"
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return size


def _pieces(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def _list(config: Config) -> Path:
    return config.folder / "shares.json"


def _write(config: Config, known: dict[str, Share]) -> None:
    path = _list(config)
    temporary = path.with_suffix(".new")
    try:
        temporary.write_text(
            json.dumps({"shares": [asdict(each) for each in known.values()]}), encoding="utf-8"
        )
        temporary.replace(path)
    except OSError as error:
        raise StorageProblem(f"{path} cannot be written: {error.strerror}", "make room") from error
