"""Many small objects in one file: found like any other, whole or not there, and checked when read."""

from __future__ import annotations

import os
import resource
import time
from hashlib import sha256
from pathlib import Path

import pytest

from proml.errors import NotFound, StorageProblem
from proml.storage.file import GROUPED, FileStorage


def storage(folder: Path) -> FileStorage:
    return FileStorage(folder / "storage", lambda digest, content: sha256(content).digest() == digest)


def objects(count: int = GROUPED, first: int = 0) -> list[tuple[bytes, bytes]]:
    contents = [b"object %d " % number * 9 for number in range(first, first + count)]
    return [(sha256(content).digest(), content) for content in contents]


def group(folder: Path) -> Path:
    (found,) = (folder / "storage" / "groups").glob("*.group")
    return found


def test_many_are_one_file_and_each_is_found_also_by_who_opened_the_storage_before(tmp_path):
    reader, made = storage(tmp_path), objects()
    with pytest.raises(NotFound):
        reader.get(made[0][0])
    storage(tmp_path).put_all(made)
    assert [reader.get(digest) for digest, _ in made] == [content for _, content in made]
    assert all(reader.has(digest) for digest, _ in made)
    assert set(reader.digests()) == {digest for digest, _ in made}
    assert [path.name for path in (tmp_path / "storage").iterdir()] == ["groups"]
    assert group(tmp_path).stat().st_mode & 0o777 == 0o600


def test_few_and_large_ones_are_files_of_their_own(tmp_path):
    large = os.urandom(100_000)
    few, many = objects(3), objects(GROUPED, 100)
    storage(tmp_path).put_all(few)
    storage(tmp_path).put_all([*many, (sha256(large).digest(), large)])
    files = [path for path in (tmp_path / "storage").glob("??/*") if path.parent.name != "groups"]
    assert len(files) == 4
    found = storage(tmp_path)
    assert found.get(sha256(large).digest()) == large
    assert len(set(found.digests())) == 4 + GROUPED


def test_every_cut_and_a_flipped_byte_is_an_object_missing_or_refused_and_never_another_one(tmp_path):
    made = objects()
    storage(tmp_path).put_all(made)
    path = group(tmp_path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 97):
        flipped = whole[:cut] + bytes([whole[cut] ^ 1]) + whole[cut + 1 :]
        for content in (whole[:cut], flipped):
            path.write_bytes(content)
            found = storage(tmp_path)
            for digest, right in made[:: GROUPED // 4]:
                try:
                    assert found.get(digest) == right
                except (NotFound, StorageProblem):
                    continue


def test_the_right_bytes_put_back_are_found_before_wrong_ones_in_a_group(tmp_path):
    made = objects()
    storage(tmp_path).put_all(made)
    path = group(tmp_path)
    path.write_bytes(path.read_bytes()[:-3] + b"bad")
    damaged = max(made, key=lambda each: each[0])
    with pytest.raises(StorageProblem, match="other bytes"):
        storage(tmp_path).get(damaged[0])
    storage(tmp_path).put(*damaged)
    assert storage(tmp_path).get(damaged[0]) == damaged[1]


def test_on_a_full_disk_none_is_there_and_nothing_is_left_behind(tmp_path):
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
        try:
            storage(tmp_path).put_all(objects())
        except StorageProblem as problem:
            os._exit(7 if "free some disk space" in problem.hint else 1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] >> 8 == 7
    assert list((tmp_path / "storage" / "groups").iterdir()) == []


def test_what_a_killed_put_left_behind_long_ago_is_removed_and_what_is_young_is_not(tmp_path):
    digest, content = objects(1)[0]
    store = storage(tmp_path)
    store.put(digest, content)
    folder = next((tmp_path / "storage").glob("??"))
    old, young = folder / "a.new", folder / "b.new"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    storage(tmp_path).put(digest, content)
    assert (old.exists(), young.exists()) == (False, True)
