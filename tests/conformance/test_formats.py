"""What every container format promises of its content digest. The formats come from the listing, untold."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from proml.capture.fingerprint import fingerprint
from proml.capture.reading import content_as, content_of
from proml.capture.window import Window
from proml.core.content import Content
from proml.core.digest import hexed
from proml.errors import FileRefused
from proml.extensions import formats
from tests.conformance.formats import SAMPLES, Samples

Read = Callable[[bytes], Content]


@pytest.fixture(params=sorted(formats()))
def form(request: pytest.FixtureRequest) -> str:
    assert request.param in SAMPLES, "a new format needs samples in tests/conformance/formats.py"
    return str(request.param)


@pytest.fixture
def samples(form: str) -> Samples:
    return SAMPLES[form]()


@pytest.fixture
def read(form: str, tmp_path: Path) -> Read:
    """Reads bytes as the format, whatever they look like."""
    file = tmp_path / "sample"

    def read(raw: bytes) -> Content:
        file.write_bytes(raw)
        fd = os.open(file, os.O_RDONLY)
        try:
            return content_as(formats()[form], Window(fd, "sample", 0, len(raw)))
        finally:
            os.close(fd)

    return read


def test_what_says_the_same_has_one_content_digest(samples: Samples, read: Read) -> None:
    assert len(set(samples.alike.values())) == len(samples.alike) > 1
    found = {name: hexed(read(raw).digest) for name, raw in samples.alike.items()}
    assert len(set(found.values())) == 1, found


def test_whatever_says_something_else_has_another(samples: Samples, read: Read) -> None:
    said = [read(next(iter(samples.alike.values()))).digest]
    found = {name: read(raw).digest for name, raw in samples.other.items()}
    assert len(set(found.values()) | set(said)) == len(found) + 1, found


def test_it_is_recognised_and_stands_beside_the_digest_of_the_bytes(
    form: str, samples: Samples, tmp_path: Path
) -> None:
    fingerprints = []
    for number, raw in enumerate(samples.alike.values()):
        file = tmp_path / f"{number}.{samples.suffix}"
        file.write_bytes(raw)
        fingerprints.append(fingerprint(file))
    assert {found.content.form for found in fingerprints if found.content} == {form}
    assert len({found.content for found in fingerprints}) == 1
    assert len({found.sha256 for found in fingerprints}) == len(fingerprints)


def test_every_cut_is_refused_or_told_apart(samples: Samples, read: Read) -> None:
    raw = next(iter(samples.alike.values()))
    whole = read(raw)
    for length in sorted({*range(0, len(raw), max(1, len(raw) // 150)), len(raw) - 1}):
        try:
            found = read(raw[:length])
        except FileRefused:
            continue
        # CSV has no end mark: without its last line feed it is the same, without more something else.
        assert found != whole or raw[length:] == b"\n"


def test_no_altered_byte_leads_out_of_it(samples: Samples, read: Read) -> None:
    """Either a content digest or FileRefused, never another error, in bounded time."""
    chance = random.Random(7)
    for raw in samples.alike.values():
        for _ in range(60):
            altered = bytearray(raw)
            for _ in range(chance.choice((1, 1, 2, 8))):
                at = chance.choice((chance.randrange(len(raw)), chance.randrange(min(len(raw), 120))))
                altered[at] = chance.choice((0, 255, altered[at] ^ 1 << chance.randrange(8)))
            try:
                read(bytes(altered))
            except FileRefused:
                continue


def test_something_else_altogether_is_refused(form: str, samples: Samples, read: Read) -> None:
    for raw in (b"\0" * 64, b"\xff" * 4096, b"PK\x03\x04" + bytes(60), b"PAR1" + bytes(60) + b"PAR1"):
        with pytest.raises(FileRefused):
            read(raw)


def test_bytes_of_no_known_format_have_none(tmp_path: Path) -> None:
    for name, raw in (
        ("model.bin", b"\1" * 600),
        ("empty", b""),
        ("a.pkl", b"\x80\x04N."),
        ("a.zip", b"PK\3\4"),
    ):
        (tmp_path / name).write_bytes(raw)
        fd = os.open(tmp_path / name, os.O_RDONLY)
        try:
            assert content_of(fd, name, name, len(raw)) is None
        finally:
            os.close(fd)
