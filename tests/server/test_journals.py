"""Journals of other machines: compressed, grouped, acknowledged, resumed, exactly once."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proml import edge
from proml.capture.draft import Observed, RunEnded, RunStarted, StepAsked, encode
from proml.core.frame import Continuation, Header, beginning, encode_frame, encode_header
from proml.edge import Acknowledged, Device, HttpTransport, NotSent
from proml.errors import RecordInvalid, StorageProblem, UsageProblem
from proml.journal import read
from proml.lifecycles import shipped
from proml.node.receiving import Reception
from tests.server.place import Place

SALT = "0x" + "11" * 32
FILE = b"\x07" * 16


def drafts(count: int) -> list[bytes]:
    """A run with so many measurements."""
    said = [encode(Observed(SALT, 1.0, step, {"loss": step})) for step in range(count)]
    return [encode(RunStarted(SALT, "night", 1.0)), *said, encode(RunEnded(SALT, 2.0, "finished"))]


def journal(payloads: list[bytes], header: bytes = b"") -> tuple[bytes, list[bytes]]:
    """The header of a journal file, and its frames."""
    header = header or encode_header(Header(FILE, 1, 1))
    chain, frames = beginning(header).chain, []
    for payload in payloads:
        frame, chain = encode_frame(payload, chain)
        frames.append(frame)
    return header, frames


def payloads(folder: Path) -> list[bytes]:
    return [entry.payload for entry in read(folder)]


@pytest.fixture
def reception(tmp_path: Path) -> Reception:
    return Reception(tmp_path / "journal", shipped())


class Lossy:
    """A transport that drops requests before and answers after the node has seen them, in turn as told."""

    def __init__(self, reception: Reception, losses: Iterator[str]) -> None:
        self._reception = reception
        self._losses = losses

    def frames(self, file: str, after: int, content: bytes) -> Acknowledged:
        return self._told(lambda: self._reception.take(bytes.fromhex(file), after, content))

    def end(self, file: str, frames: int) -> Acknowledged:
        return self._told(lambda: self._reception.end(bytes.fromhex(file), frames))

    def _told(self, job: Any) -> Acknowledged:
        loss = next(self._losses, "none")
        if loss == "request":
            raise NotSent("lost on the way")
        told = job()
        if loss == "answer":
            raise NotSent("done, but nobody heard")
        return Acknowledged(told.frames, bytes.fromhex(told.chain[2:]), told.ended)


@settings(max_examples=30)
@given(
    groups=st.integers(1, 2_000),
    losses=st.lists(st.sampled_from(["none", "request", "answer"]), max_size=30),
    restarts=st.booleans(),
)
def test_whatever_is_lost_on_the_way_each_record_arrives_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, groups: int, losses: list[str], restarts: bool
):
    root = tmp_path_factory.mktemp("edge")
    reception = Reception(root / "journal", shipped())
    edge_groups, edge.GROUP_BYTES = edge.GROUP_BYTES, groups
    try:
        lost = iter(losses)
        device = Device(root / "device", Lossy(reception, lost))
        with device.run("night", {"camera": 3}) as run:
            for step in range(6):
                run.log({"seen": step}, step)
        while list((root / "device").glob("*.journal")):
            if restarts:
                # Both sides start anew, and know what is on their disks.
                reception = Reception(root / "journal", shipped())
                device = Device(root / "device", Lossy(reception, lost))
            try:
                device.send()
            except NotSent:
                continue
    finally:
        edge.GROUP_BYTES = edge_groups
    found = [bytes(payload) for payload in payloads(root / "journal")]
    assert [payload.split(b'"')[3] for payload in found] == [b"RunStarted", *[b"Observed"] * 6, b"RunEnded"]
    assert len(set(found)) == len(found)


def test_a_group_is_taken_whole_or_not_at_all(reception: Reception, tmp_path: Path):
    header, frames = journal(drafts(3))
    good = zlib.compress(header + b"".join(frames[:2]))
    assert reception.take(FILE, 0, good).frames == 2
    before = payloads(tmp_path / "journal")
    rest = b"".join(frames[2:])
    for content in (
        header + rest[:-1],
        header + rest + b"x",
        header + frames[3] + frames[2],
        header + rest.replace(b"loss", b"gain"),
        encode_header(Header(b"\x08" * 16, 1, 1)) + rest,
        b"",
        b"x" * 104,
    ):
        with pytest.raises(RecordInvalid):
            reception.take(FILE, 2, zlib.compress(content))
    for packed in (good[:-1], good + b"x", b"", gzip.compress(bytes(64 << 20))):
        with pytest.raises(RecordInvalid):
            reception.take(FILE, 2, packed)
    assert payloads(tmp_path / "journal") == before
    assert reception.take(FILE, 2, gzip.compress(header + rest)).frames == 5


def test_what_comes_again_or_too_early_is_told_where_to_go_on(reception: Reception, tmp_path: Path):
    header, frames = journal(drafts(3))
    first = zlib.compress(header + b"".join(frames[:3]))
    assert reception.take(FILE, 0, first).taken
    again = reception.take(FILE, 0, first)
    assert (again.frames, again.taken) == (3, False)
    early = reception.take(FILE, 4, zlib.compress(header + frames[4]))
    assert (early.frames, early.taken) == (3, False)
    assert len(payloads(tmp_path / "journal")) == 3


@pytest.mark.attack
def test_a_device_can_neither_approve_nor_void_what_others_wrote(reception: Reception, tmp_path: Path):
    approving = StepAsked("dataset", "approve", 1.0, SALT)
    header, frames = journal([drafts(0)[0], encode(approving)])
    with pytest.raises(UsageProblem, match="approves"):
        reception.take(FILE, 0, zlib.compress(header + b"".join(frames)))
    other = Continuation(b"\x09" * 16, 0, bytes(32), 0)
    header, frames = journal(drafts(1), encode_header(Header(FILE, 1, 1, other)))
    with pytest.raises(RecordInvalid, match="follows on no other"):
        reception.take(FILE, 0, zlib.compress(header + b"".join(frames)))
    header, frames = journal([b'{"draft":"Newer"}'])
    with pytest.raises(RecordInvalid, match="no draft"):
        reception.take(FILE, 0, zlib.compress(header + b"".join(frames)))
    assert payloads(tmp_path / "journal") == []


def test_a_full_disk_takes_nothing_and_the_next_try_goes_on(
    reception: Reception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    header, frames = journal(drafts(3))
    reception.take(FILE, 0, zlib.compress(header + frames[0]))
    real = os.pwrite

    def full(descriptor: int, content: Any, offset: int) -> int:
        real(descriptor, bytes(content)[:10], offset)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("proml.node.receiving.os.pwrite", full)
    rest = zlib.compress(header + b"".join(frames[1:]))
    with pytest.raises(StorageProblem, match="No space"):
        reception.take(FILE, 1, rest)
    monkeypatch.undo()
    assert len(payloads(tmp_path / "journal")) == 1
    assert reception.take(FILE, 1, rest).frames == 5


def test_a_run_of_a_silent_device_stays_open_until_it_says_that_nothing_comes(place: Place):
    header, frames = journal(drafts(2)[:-1], encode_header(Header(b"\x0a" * 16, 1, 1)))
    sent = {**place.token("record"), "content-type": "application/vnd.proml.journal"}
    where = "/api/v1/journal-frames/" + "0a" * 16
    answer = place.request("POST", where + "?after=0", sent, content=zlib.compress(header + b"".join(frames)))
    assert (answer.status_code, answer.json()["frames"]) == (200, 3)
    place.push()
    assert _runs(place) == ["started"]
    # A month later, another `push`: still open.
    place.push()
    assert _runs(place) == ["started"]
    ended = place.post("/api/v1/journals/" + "0a" * 16 + "/end", {"frames": 3}, place.token("record"))
    assert ended.json()["ended"] is True
    place.push()
    assert _runs(place) == ["failed"]


def _runs(place: Place) -> list[str]:
    return [row["state"] for row in place.get("/api/v1/artefacts?kind=run").json()["rows"]]


def test_the_file_for_devices_needs_nothing_but_the_standard_library(place: Place, tmp_path: Path):
    shutil.copy(edge.__file__, tmp_path / "edge.py")
    token = place.token("record")["authorization"].partition(" ")[2]
    script = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
from edge import Device, HttpTransport
device = Device({str(tmp_path / "device")!r}, HttpTransport({place.url!r}, {token!r}))
with device.run("camera", {{"exposure": 3}}) as run:
    for step in range(100):
        run.log({{"seen": step, "odd": float("nan")}}, step)
assert device.send() == 102
assert device.send() == 0
assert not any(name.startswith("proml") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True, timeout=60)
    assert list((tmp_path / "device").iterdir()) == []
    place.push()
    assert "finished" in _runs(place)


def test_a_device_without_a_right_token_keeps_what_it_has(place: Place, tmp_path: Path):
    for token in ("proml_wrong", place.token("read")["authorization"].partition(" ")[2]):
        device = Device(tmp_path, HttpTransport(place.url, token))
        device.run("night").finish()
        with pytest.raises(NotSent, match=r"40[13]"):
            device.send()
    assert len(list(tmp_path.glob("*.journal"))) == 2
    with pytest.raises(NotSent, match="cannot be reached"):
        Device(tmp_path, HttpTransport("http://127.0.0.1:1", "t")).send()
