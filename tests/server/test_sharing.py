"""Sharing between members: only what is shared, only with whom, and nothing believed but its digest."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyrage
import pytest

from proml.capture.run import journal_of, subject_of
from proml.cli import sharing as commands
from proml.config import load
from proml.core.digest import hexed, sha256, unhexed
from proml.core.record import open_sealed
from proml.core.verdict import RECORDS, Outcome
from proml.errors import KeyProblem, NodeProblem, NotFound, RecordInvalid, UsageProblem
from proml.node.client import NodeClient
from proml.node.erasing import erase, erase_journal
from proml.node.founding import start_project
from proml.node.participant import Content, Participant
from proml.node.sealing_for import decrypt, encrypt
from proml.node.sharing import Share, fetch_file, fetch_record, share, sign_in, unshare
from proml.signing import open_key
from proml.trust import write_ledger_file
from proml.verify import ById, read_ledger, verify
from tests.server.place import Place

CANARY = "canary-7f3a"


@pytest.fixture
def members(tmp_path: Path) -> Iterator[tuple[Place, Participant]]:
    """Acme with a node and a dataset, and Lab with a project on the same ledger."""
    start_project(tmp_path / "lab", "Lab")
    config = load(tmp_path / "lab", {})
    acme = Place(tmp_path / "acme", open_key(config.key_file))
    write_ledger_file(config.ledger_file, acme.me.ledger_file)
    lab = Participant(config)
    lab.__dict__["ledger"] = acme.memory
    table = tmp_path / "digits.csv"
    table.write_text("1,2\n")
    acme.me.register(table, "dataset", name="digits", content=Content(parameters={"who": CANARY}))
    with acme.up():
        acme.push()
        yield acme, lab


def record_of(place: Place) -> bytes:
    (history,) = place.me.chronicle().histories.values()
    return history[-1].step.record


@contextmanager
def signed_in(place: Place, who: Participant) -> Iterator[NodeClient]:
    with NodeClient(place.url, timeout=3) as client:
        sign_in(client, place.url, open_key(who.config.key_file), place.memory.terms.chain_id)
        yield client


def test_a_record_is_fetched_by_whom_it_is_shared_with_and_by_nobody_else(members: tuple[Place, Participant]):
    acme, lab = members
    record = record_of(acme)
    with signed_in(acme, lab) as client:
        with pytest.raises(NotFound):
            fetch_record(lab, client, record)
        share(acme.me.config, [Share(hexed(record), (7,))])
        with pytest.raises(NotFound):
            fetch_record(lab, client, record)
        assert not lab.storage.has(record)
        share(acme.me.config, [Share(hexed(record), (2,))])
        assert fetch_record(lab, client, record) is True
        assert fetch_record(lab, client, record) is False
        assert lab.record(record) == acme.me.record(record)
        assert unshare(acme.me.config, [hexed(record)]) == 1
        with pytest.raises(NotFound):
            fetch_record(lab, client, record)
    # Nobody else on the machine, though anybody there may read.
    share(acme.me.config, [Share(hexed(record))])
    assert acme.get(f"/api/v1/shared/{hexed(record)}").status_code == 401
    assert acme.get(f"/api/v1/shared/{hexed(record)}", acme.token("read")).status_code == 200


def test_a_file_is_fetched_whole_or_not_at_all(members: tuple[Place, Participant], tmp_path: Path):
    acme, lab = members
    model = tmp_path / "model.bin"
    model.write_bytes(bytes(3_000_000))
    digest = unhexed(subject_of(model).sha256)
    share(acme.me.config, [Share(hexed(digest), (), str(model))])
    with signed_in(acme, lab) as client:
        assert fetch_file(client, digest, tmp_path / "got.bin") == 3_000_000
        assert (tmp_path / "got.bin").read_bytes() == model.read_bytes()
        with pytest.raises(UsageProblem, match="already"):
            fetch_file(client, digest, tmp_path / "got.bin")
        with pytest.raises(NodeProblem, match="more than"):
            fetch_file(client, digest, tmp_path / "small.bin", most=1_000_000)
        model.write_bytes(b"other")
        with pytest.raises(NodeProblem, match="other bytes"):
            fetch_file(client, digest, tmp_path / "wrong.bin")
    assert {path.name for path in tmp_path.iterdir()} == {"acme", "lab", "digits.csv", "model.bin", "got.bin"}


@contextmanager
def peer(body: bytes, endless: bool = False) -> Iterator[str]:
    """A node of somebody else that answers everything with this."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                length = "" if endless else f"content-length: {len(body)}\r\n"
                try:
                    connection.sendall(
                        f"HTTP/1.1 200 OK\r\n{length}connection: close\r\n\r\n".encode() + body
                    )
                    while endless:
                        connection.sendall(bytes(65536))
                except OSError:
                    return

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(20)


@pytest.mark.attack
@pytest.mark.parametrize(("body", "endless"), [(b"other bytes", False), (b"", False), (b"x", True)])
def test_wrong_short_and_endless_bytes_of_a_peer_are_kept_nowhere(
    members: tuple[Place, Participant], tmp_path: Path, body: bytes, endless: bool
):
    acme, lab = members
    with peer(body, endless) as url, NodeClient(url, timeout=3) as client, pytest.raises(NodeProblem):
        fetch_record(lab, client, record_of(acme))
    with peer(body, endless) as url, NodeClient(url, timeout=3) as client, pytest.raises(NodeProblem):
        fetch_file(client, sha256(b"file"), tmp_path / "file", most=1_000_000)
    assert not lab.storage.has(record_of(acme))
    assert not (tmp_path / "file").exists()
    assert not list(tmp_path.glob(".file*"))


@pytest.mark.attack
def test_a_peer_cannot_have_anything_but_a_sign_in_signed(members: tuple[Place, Participant]):
    _, lab = members
    key = open_key(lab.config.key_file)
    for text in ("I owe you everything", "127.0.0.1 wants you to sign in with your Ethereum account:\n"):
        body = json.dumps({"text": text}).encode()
        refused = pytest.raises(NodeProblem, match="something else than a sign-in")
        with peer(body) as url, NodeClient(url, timeout=3) as client, refused:
            sign_in(client, url, key, 1)


def test_disclosed_fields_are_proven_and_the_rest_stays_hidden(
    members: tuple[Place, Participant], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    acme, lab = members
    monkeypatch.setattr(commands.Participant, "open", lambda: acme.me)
    (artefact,) = acme.me.chronicle().histories
    shown = tmp_path / "name.disclosure"
    commands.disclose_fields(hexed(artefact), ["name", "metrics"], shown)
    assert CANARY not in shown.read_text()
    identity = pyrage.x25519.Identity.generate()
    sealed = tmp_path / "sealed.age"
    commands.disclose_fields(hexed(artefact), ["name"], sealed, to=[str(identity.to_public())])
    assert b"digits" not in sealed.read_bytes()
    key = tmp_path / "key.txt"
    key.write_text(f"# made by a test\n{identity}\n")
    monkeypatch.setattr(commands.Participant, "open", lambda: lab)
    capsys.readouterr()
    commands.check_disclosed(shown, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["shown"], told["absent"], told["by"]) == ({"name": "digits"}, ["metrics"], "Acme")
    commands.check_disclosed(sealed, identity=key, as_json=True)
    assert json.loads(capsys.readouterr().out)["shown"] == {"name": "digits"}
    with pytest.raises(UsageProblem, match="encrypted"):
        commands.check_disclosed(sealed)
    shown.write_text(shown.read_text().replace("digits", "faces"))
    with pytest.raises(RecordInvalid):
        commands.check_disclosed(shown)


@pytest.mark.attack
def test_a_reader_who_was_removed_opens_nothing_that_comes_after(tmp_path: Path):
    stays, gone = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, identity in (("stays", stays), ("gone", gone)):
        (tmp_path / name).write_text(str(identity))
    before = encrypt(b"before", [str(stays.to_public()), str(gone.to_public())])
    after = encrypt(b"after", [str(stays.to_public())])
    assert decrypt(before, tmp_path / "gone") == b"before"
    assert decrypt(after, tmp_path / "stays") == b"after"
    with pytest.raises(KeyProblem):
        decrypt(after, tmp_path / "gone")
    with pytest.raises(KeyProblem):
        decrypt(after[:-1] + bytes([after[-1] ^ 1]), tmp_path / "stays")
    with pytest.raises(UsageProblem, match="no age recipient"):
        encrypt(b"x", ["age1nobody"])


def test_what_was_erased_is_in_no_file_and_the_rest_still_verifies(members: tuple[Place, Participant]):
    acme, _ = members
    record = record_of(acme)
    (artefact,) = acme.me.chronicle().histories
    key = open_sealed(acme.me.storage.get(record)).key
    share(acme.me.config, [Share(hexed(record))])
    assert _holding(acme, CANARY.encode())
    acme.me.act(hexed(artefact), "retire")
    acme.push()
    erase(acme.me, record)
    assert acme.get(f"/api/v1/records/{hexed(record)}").json()["document"] is None
    journal_of(acme.me.config).close()
    assert erase_journal(acme.me) >= 1
    assert _holding(acme, CANARY.encode()) == []
    assert _holding(acme, key) == _holding(acme, key.hex().encode()) == []
    verdict = verify(read_ledger(acme.memory), [acme.me.storage], acme.me.lifecycles, ById(artefact))
    outcomes = {check.number: check.outcome for check in verdict.checks}
    assert outcomes[RECORDS] is Outcome.NOT_CHECKED
    assert Outcome.INVALID not in outcomes.values()
    # Publishing goes on as if nothing had been.
    acme.me.register(None, "dependency", name="lib")
    acme.push()


def _holding(place: Place, content: bytes) -> list[Path]:
    files: list[Any] = [path for path in place.me.config.folder.rglob("*") if path.is_file()]
    return [path for path in files if content in path.read_bytes()]
