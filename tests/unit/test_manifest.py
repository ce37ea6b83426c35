"""What a folder's digest is, and which paths may stand in it."""

import hashlib
import json
import unicodedata

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from proml.core.manifest import (
    FileDigest,
    FileEntry,
    Manifest,
    fault_in_name,
    manifest_of,
    read_manifest,
)
from proml.errors import FileRefused, RecordInvalid


def entry(path: str, content: bytes = b"x") -> FileEntry:
    # Any 32 bytes do for BLAKE3 here: these rules are about names and order.
    blake3 = hashlib.blake2s(content).digest()
    return FileEntry(path, FileDigest(len(content), hashlib.sha256(content).digest(), blake3))


def manifest(*paths: str) -> Manifest:
    return manifest_of([entry(path) for path in paths])


names = st.text(min_size=1, max_size=12).filter(lambda name: not fault_in_name(name))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(paths, st.binary(max_size=20), min_size=1, max_size=12))
def test_the_bytes_are_the_canonical_json_and_are_read_back(files: dict[str, bytes]) -> None:
    try:
        made = manifest_of([entry(path, content) for path, content in files.items()])
    except FileRefused:
        return  # colliding names: another test's matter
    ordered = sorted(files, key=str.encode)
    listed = [
        {"path": path, "sha256": "0x" + hashlib.sha256(files[path]).hexdigest(), "size": len(files[path])}
        for path in ordered
    ]
    document = {"files": listed, "type": "proml/manifest", "version": 1}
    assert made.content == rfc8785.dumps(document)
    assert made.sha256 == hashlib.sha256(rfc8785.dumps(document)).digest()
    assert made.size == sum(map(len, files.values()))
    again = read_manifest(made.content)
    assert again.content == made.content
    assert [file.path for file in again.files] == ordered


@given(st.permutations(["b", "a/c", "a/b", "é", "z/y/x", "a-", "a.b", '"quoted"']))
def test_the_order_in_which_files_are_found_does_not_matter(found: list[str]) -> None:
    assert manifest(*found) == manifest(*sorted(found))


def test_files_are_in_the_order_of_their_bytes_and_not_of_utf_16() -> None:
    # In UTF-16, which orders the members of canonical JSON, the second would come first.
    before, after = "\uffee", "\U0001f600"
    assert [file.path for file in manifest(after, before).files] == [before, after]


def test_the_document_for_blake3_differs_in_nothing_but_the_digests() -> None:
    made = manifest('a"b', "c/d")
    document = json.loads(made.content)
    for listed, file in zip(document["files"], made.files, strict=True):
        del listed["sha256"]
        assert file.digest.blake3 is not None
        listed["blake3"] = "0x" + file.digest.blake3.hex()
    assert made.blake3_content == rfc8785.dumps(document)
    with pytest.raises(ValueError, match="is not known"):
        _ = read_manifest(made.content).blake3_content


def test_the_test_vector_of_the_format_page_holds() -> None:
    made = manifest_of([entry("b.txt", b"world\n"), entry("a/ü.csv", b"")])
    assert (
        made.content
        == (
            '{"files":[{"path":"a/ü.csv","sha256":'
            '"0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},'
            '{"path":"b.txt","sha256":'
            '"0xe258d248fda94c63753607f7c4494ee0fcbe92f1a76bfdac795c9d84101eb317","size":6}],'
            '"type":"proml/manifest","version":1}'
        ).encode()
    )
    assert made.sha256.hex() == "dedcbb0f2e7774fe18ba8cd033881cc05f570484e089cb45373498b8e29a885e"


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "model.safetensors",
        ".hidden",
        "with space",
        "-",
        "ünï.txt",
        "日本語",
        "a..b",
        "console",
        "com",
        "nul_",
        "é",
        "x" * 255,
        "é" * 127,
        "2024-01-01T00:00:00.csv",
        "😀.png",
        "auxiliary.py",
        "(1)",
        "a?b",
    ],
)
def test_an_ordinary_name_is_taken(name: str) -> None:
    assert fault_in_name(name) == ""
    assert manifest(name).files[0].path == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        (".", "empty"),
        ("..", "empty"),
        ("a\\b", "U+005C"),
        ("a\0", "U+0000"),
        ("a\nb", "U+000A"),
        ("\x1b[31m", "U+001B"),
        ("a\x7f", "U+007F"),
        ("a\x85", "U+0085"),
        ("photo\u202egpj.exe", "U+202E"),
        ("a\u2066b", "U+2066"),
        ("a\u200bb", "U+200B"),
        ("\ufeffa", "U+FEFF"),
        ("a\u2028b", "U+2028"),
        ("a\u3164", "U+3164"),
        ("a\U000e0041", "U+E0041"),
        ("a\ud800", "U+D800"),
        ("a\udcff", "not UTF-8"),
        (unicodedata.normalize("NFD", "é"), "form C"),
        ("\u212a", "form C"),  # KELVIN SIGN, a K after normalisation
        ("a.", "dot or a space"),
        ("a ", "dot or a space"),
        ("CON", "Windows reserves"),
        ("con.txt", "Windows reserves"),
        ("con .txt", "Windows reserves"),
        ("Lpt9.tar.gz", "Windows reserves"),
        ("COM¹", "Windows reserves"),
        ("NUL.", "dot or a space"),
        ("x" * 256, "longer than 255 bytes"),
        ("é" * 128, "longer than 255 bytes"),
    ],
)
def test_a_hostile_name_is_refused_wherever_it_stands(name: str, why: str) -> None:
    assert why in fault_in_name(name)
    for path in (name, f"folder/{name}", f"{name}/file"):
        with pytest.raises(FileRefused):
            manifest("other", path)


@pytest.mark.parametrize("path", ["/etc/passwd", "/a", "//a", "a//b", "a/", "/", "a/./b", "../a", "a/../b"])
def test_a_path_that_is_not_plainly_relative_is_refused(path: str) -> None:
    with pytest.raises(FileRefused):
        manifest(path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Model", "model"),
        ("a/x", "A/y"),
        ("straße", "STRASSE"),
        ("É", "é"),
        ("Σ", "ς"),
        ("a", "a/b"),
        ("A", "a/b"),
        ("dir/ﬁle", "dir/file"),
    ],
)
def test_paths_that_a_platform_would_take_for_one_another_are_refused_naming_both(
    one: str, other: str
) -> None:
    for pair in ((one, other), (other, one)):
        with pytest.raises(FileRefused) as refused:
            manifest("first", *pair, "zz")
        assert one.split("/", maxsplit=1)[0] in refused.value.message
    assert manifest(one)
    assert manifest(other)


def test_a_file_listed_twice_is_refused() -> None:
    with pytest.raises(FileRefused, match="listed twice"):
        manifest_of([entry("a", b"1"), entry("a", b"2")])


def test_paths_are_bounded_in_length_and_depth() -> None:
    assert manifest("/".join(["x" * 204] * 5))
    with pytest.raises(FileRefused, match="longer than 1024 bytes"):
        manifest("/".join(["x" * 204] * 5) + "y")
    assert manifest("/".join("a" * 128))
    with pytest.raises(FileRefused, match="more than 128 levels deep"):
        manifest("/".join("a" * 129))
    with pytest.raises(FileRefused, match="more than 128 levels deep"):
        manifest("/".join("a" * 100_000))


def test_a_manifest_that_is_not_exactly_the_canonical_one_is_refused() -> None:
    good = manifest("a", "b").content
    document = json.loads(good)
    read_manifest(good)
    for bad in (
        good + b"\n",
        json.dumps(document).encode(),
        good.replace(b'"version":1', b'"version":2'),
        good.replace(b"proml/manifest", b"proml/record"),
        good.replace(b'"size":1', b'"size":1.0'),
        good.replace(b'"size":1', b'"size":-1'),
        good.replace(b'"size":1', b'"size":true'),
        good.replace(b'"size":1', b'"size":1,"x":1'),
        rfc8785.dumps(document | {"files": document["files"][::-1]}),
        rfc8785.dumps(document | {"files": {}}),
        rfc8785.dumps(document | {"files": []}),
        rfc8785.dumps(document | {"files": ["a"]}),
        b"[]",
    ):
        with pytest.raises(RecordInvalid):
            read_manifest(bad)
    with pytest.raises(FileRefused):
        read_manifest(good.replace(b'"path":"b"', b'"path":"../b"'))
