"""What every storage promises. A module below proml/storage that is not listed here fails the first test."""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import proml.storage
from proml.errors import NotFound, StorageProblem
from proml.interfaces import Storage
from proml.storage.file import FileStorage

LIMIT = 10_000


def is_named(digest: bytes, content: bytes) -> bool:
    """As the rules have it: by SHA-256, or in another way that begins with a mark (like a sealed record)."""
    marked = content.startswith(b"sealed:") and digest == sha256(b"salt" + content).digest()
    return marked or digest == sha256(content).digest()


@dataclass(frozen=True)
class Arrangement:
    """How the tests get a storage, and how they get at it behind its back.

    `place` is a folder of the storage's own; opening it again opens the same storage. `tamper` puts bytes
    where those of a digest belong.
    """

    open: Callable[[Path], Storage]
    tamper: Callable[[Path, bytes, bytes], None]


def overwrite(place: Path, digest: bytes, content: bytes) -> None:
    file = place / digest.hex()[:2] / digest.hex()[2:]
    assert file.exists()
    file.write_bytes(content)


STORAGES = {"file": Arrangement(lambda place: FileStorage(place, is_named, LIMIT), overwrite)}
# Modules that are parts of one of them.
PARTS = {"groups"}


@pytest.fixture(params=STORAGES)
def arrangement(request: pytest.FixtureRequest) -> Arrangement:
    return STORAGES[request.param]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def storage(arrangement: Arrangement, place: Path) -> Storage:
    return arrangement.open(place)


def named(content: bytes) -> bytes:
    return sha256(content).digest()


def state(storage: Storage) -> dict[bytes, bytes]:
    return {digest: storage.get(digest) for digest in storage.digests()}


def test_every_storage_there_is_is_tested_here() -> None:
    modules = {module.name for module in pkgutil.iter_modules(proml.storage.__path__)}
    assert modules == set(STORAGES) | PARTS


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_what_is_put_is_got_also_by_the_next_to_open_it(
    arrangement: Arrangement, tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    place = tmp_path_factory.mktemp("storage")
    storage = arrangement.open(place)
    for content in contents:
        storage.put(named(content), content)
    expected = {named(content): content for content in contents}
    assert state(storage) == state(arrangement.open(place)) == expected
    assert all(storage.has(digest) for digest in expected)


def test_an_empty_storage_holds_nothing(storage: Storage) -> None:
    assert list(storage.digests()) == []
    assert not storage.has(bytes(32))
    with pytest.raises(NotFound, match="0x" + "00" * 32):
        storage.get(bytes(32))


def test_a_name_other_than_sha256_is_taken_when_the_rules_say_so(storage: Storage) -> None:
    content = b"sealed: a record"
    digest = sha256(b"salt" + content).digest()
    storage.put(digest, content)
    assert storage.get(digest) == content


def test_bytes_that_the_digest_does_not_name_are_refused_and_nothing_changes(storage: Storage) -> None:
    storage.put(named(b"kept"), b"kept")
    before = state(storage)
    for digest in (bytes(32), named(b"kept"), named(b"other")):
        with pytest.raises(StorageProblem, match=digest.hex()):
            storage.put(digest, b"wrong")
        assert state(storage) == before


def test_what_is_no_digest_is_refused(storage: Storage) -> None:
    for wrong in (b"", bytes(31), bytes(33), b"../../../etc/passwd"):
        for ask in (storage.get, storage.has, lambda digest: storage.put(digest, b"")):
            with pytest.raises(StorageProblem, match="32 bytes"):
                ask(wrong)


def test_putting_again_is_harmless(storage: Storage) -> None:
    for _ in range(3):
        storage.put(named(b"x"), b"x")
    assert state(storage) == {named(b"x"): b"x"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.binary(max_size=300), max_size=6))
def test_many_are_put_as_one_after_the_other(
    arrangement: Arrangement,
    tmp_path_factory: pytest.TempPathFactory,
    first: list[bytes],
    second: list[bytes],
) -> None:
    storage = arrangement.open(tmp_path_factory.mktemp("storage"))
    for contents in (first, second):
        storage.put_all([(named(content), content) for content in contents])
    assert state(storage) == {named(content): content for content in first + second}


def test_one_wrong_among_many_is_named(storage: Storage) -> None:
    storage.put(named(b"kept"), b"kept")
    objects = [(named(b"good"), b"good"), (named(b"other"), b"wrong"), (named(b"late"), b"late")]
    with pytest.raises(StorageProblem, match=named(b"other").hex()):
        storage.put_all(objects)
    assert set(state(storage)) <= {named(b"kept"), named(b"good"), named(b"late")}


def test_more_than_there_may_be_files_open_are_put(storage: Storage) -> None:
    contents = [b"%d" % number for number in range(1_500)]
    storage.put_all([(named(content), content) for content in contents])
    assert len(list(storage.digests())) == 1_500
    assert storage.get(named(b"1499")) == b"1499"


@pytest.mark.parametrize("wrong", [b"", b"xx", b"y", b"x" * LIMIT, b"x" * (LIMIT + 1)])
def test_wrong_bytes_are_never_given_and_the_right_ones_can_be_put_back(
    arrangement: Arrangement, storage: Storage, place: Path, wrong: bytes
) -> None:
    digest = named(b"x")
    storage.put(digest, b"x")
    storage.put(named(b"other"), b"other")
    arrangement.tamper(place, digest, wrong)
    with pytest.raises(StorageProblem, match=f"0x{digest.hex()} are other bytes"):
        storage.get(digest)
    with pytest.raises(StorageProblem, match="are other bytes"):
        storage.get(digest)  # reading changes nothing, so every look finds them
    assert storage.get(named(b"other")) == b"other"
    storage.put(digest, b"x")
    assert storage.get(digest) == b"x"


def test_putting_heals_what_nobody_noticed(arrangement: Arrangement, storage: Storage, place: Path) -> None:
    digest = named(b"x")
    storage.put(digest, b"x")
    arrangement.tamper(place, digest, b"y")
    storage.put(digest, b"x")
    assert storage.get(digest) == b"x"


def test_objects_are_bounded(storage: Storage) -> None:
    longest = b"x" * LIMIT
    storage.put(named(longest), longest)
    assert storage.get(named(longest)) == longest
    with pytest.raises(StorageProblem, match=f"more than {LIMIT}"):
        storage.put(named(longest + b"x"), longest + b"x")
    assert list(storage.digests()) == [named(longest)]
