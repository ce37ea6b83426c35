"""Container files that lie, explode or carry code: refused by name, in bounded memory, and never run."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from proml.capture.fingerprint import fingerprint
from proml.capture.reading import content_of
from proml.core.content import Content
from proml.errors import FileRefused, UsageProblem
from proml.extensions import optional
from tests.conformance.formats import FLOATS, KERAS, WEIGHTS, npy, npz, pickled, state, torch_file, zipped

Refusal = Callable[[str, bytes], str]


def said(folder: Path, name: str, raw: bytes) -> Content | None:
    file = folder / name
    file.write_bytes(raw)
    fd = os.open(file, os.O_RDONLY)
    try:
        return content_of(fd, name, name, len(raw))
    finally:
        os.close(fd)


@pytest.fixture
def refusal(tmp_path: Path) -> Refusal:
    """Why a file has no content digest; nothing is left behind."""

    def refusal(name: str, raw: bytes) -> str:
        with pytest.raises(FileRefused) as refused:
            said(tmp_path, name, raw)
        assert name in refused.value.message
        assert list(tmp_path.iterdir()) == [tmp_path / name]
        return refused.value.reason

    return refusal


# --- safetensors ------------------------------------------------------------------------------


def safetensors(header: Any, body: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + body


def tensor(start: int, stop: int, shape: Any = (1,), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (safetensors({"a": tensor(0, 4), "b": tensor(0, 4)}, bytes(4)), "overlaps another"),
        (safetensors({"a": tensor(0, 4), "b": tensor(8, 12)}, bytes(12)), "leaves a gap"),
        (safetensors({"a": tensor(0, 4)}, bytes(9)), "5 bytes of it belong to no tensor"),
        (safetensors({"a": tensor(0, 4, [2])}, bytes(4)), "another size than its shape"),
        (safetensors({"a": tensor(0, 4, [-1])}, bytes(4)), "a type, shape or place that is none"),
        (safetensors({"a": tensor(0, 4, [True])}, bytes(4)), "a type, shape or place that is none"),
        (safetensors({"a": tensor(4, 0)}, bytes(4)), "another size than its shape"),
        (safetensors({"a": tensor(0, 1 << 40, [1 << 38])}, bytes(4)), "belong to no tensor"),
        (safetensors({"a": tensor(0, 4, dtype="PICKLE")}, bytes(4)), "a type, shape or place that is none"),
        (safetensors({"a": tensor(0, 4, dtype=["F32"])}, bytes(4)), "a type, shape or place that is none"),
        (safetensors({"a": [1]}, bytes(4)), "has not exactly dtype"),
        (safetensors(b'{"a":1,"a":2}'), "two members of one name"),
        (safetensors(b'{"a":NaN}'), "NaN is not a JSON number"),
        (safetensors(b'{"a":' * 50_000 + b"1" + b"}" * 50_000), "nested too deeply"),
        (safetensors(b'{"a":"\xff"}'), "not JSON"),
        (safetensors(b'{"\\ud800":1}'), "half of a surrogate"),
        (safetensors(b"[]"), "not a JSON object"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "its header would have"),
        ((1 << 20).to_bytes(8, "little") + b"{}", "ends before byte"),
    ],
)
def test_safetensors_whose_header_lies(refusal: Refusal, raw: bytes, why: str) -> None:
    assert why in refusal("m.safetensors", raw)


# --- NumPy ------------------------------------------------------------------------------------


def array(header: str, body: bytes = b"", version: bytes = b"\1\0") -> bytes:
    raw = header.encode()
    return b"\x93NUMPY" + version + len(raw).to_bytes(2, "little") + raw + body


def described(descr: str, shape: str = "(1,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (array(described("'|O'"), pickle.dumps([1])), "Python objects, which are a pickle"),
        (array(described("[('a', '|O')]"), bytes(8)), "Python objects, which are a pickle"),
        (array(described("'<f4'", "(2,)"), bytes(4)), "another size than its shape"),
        (array(described("'<f4'", "(-1,)"), bytes(4)), "has not exactly"),
        (array(described("'<f4'", "(10**12,)"), bytes(4)), "cannot be read"),
        (array(described("__import__('os').system('true')"), bytes(4)), "cannot be read"),
        (array("{'descr': '<f4'}"), "has not exactly"),
        (array("(" * 50_000 + ")" * 15_000), "is none"),
        (array("-" * 60_000 + "1"), "header of its array"),
        (array("", version=b"\4\0"), "version that is known"),
    ],
)
def test_arrays_whose_header_lies_or_is_a_program(refusal: Refusal, raw: bytes, why: str) -> None:
    assert why in refusal("a.npy", raw)


def test_an_object_array_in_an_archive_is_named(refusal: Refusal) -> None:
    raw = zipped({"fine.npy": npy(WEIGHTS["a"]), "bad.npy": array(described("'|O'"), b"\x80\x04N.")})
    assert "Python objects, which are a pickle, in 'bad.npy'" in refusal("a.npz", raw)


# --- archives ---------------------------------------------------------------------------------


def with_twice(name: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, npy(WEIGHTS["a"]))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(name, npy(WEIGHTS["b"]))
    return made.getvalue()


def edited(raw: bytes, at: int, value: int, size: int = 4, mark: bytes = b"PK\x01\x02") -> bytes:
    """An archive with one number of its last central (or other) header changed."""
    start = raw.rindex(mark) + at
    return raw[:start] + value.to_bytes(size, "little") + raw[start + size :]


PLAIN = npz(WEIGHTS)
PACKED = npz({"a": np.zeros(4_000)}, packed=True)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (with_twice("a.npy"), "two members called 'a.npy'"),
        (edited(PLAIN, 42, 0), "overlap"),
        (edited(PLAIN, 42, 0xD4), "called or packed otherwise"),
        (edited(edited(PLAIN, 20, 1 << 20), 24, 1 << 20), "two sizes"),
        (edited(PACKED, 24, 10), "two sizes"),
        (edited(edited(PACKED, 24, 10), 22, 10, mark=b"PK\x03\x04"), "longer than it says"),
        (edited(edited(PACKED, 24, 99_999), 22, 99_999, mark=b"PK\x03\x04"), "not what the archive says"),
        (edited(PACKED, 10, 99, 2), "called or packed otherwise"),
        (edited(edited(PACKED, 8, 1, 2), 6, 1, 2, mark=b"PK\x03\x04"), "encrypted"),
        (edited(edited(PLAIN, 16, 1), 14, 1, mark=b"PK\x03\x04"), "not what the archive says"),
        (zipped({"a.npy": npy(WEIGHTS["a"]), "../b.npy": b""}), "no array of a version"),
        (zipped({"a.npy": npy(WEIGHTS["a"]), "run.py": b"print()"}), "is no array"),
        (b"PK\x03\x04" + bytes(2_000), "no ZIP archive"),
    ],
)
def test_archives_that_can_be_read_in_two_ways(refusal: Refusal, raw: bytes, why: str) -> None:
    assert why in refusal("a.npz", raw)


def test_a_bomb_is_refused_before_it_is_expanded(refusal: Refusal) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)  # stands for itself
    packed = block * 400 + packer.flush()
    size, name = 400 << 20, b"a.npy"
    head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(packed), size, len(name), 0)
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, 0, len(packed), size, 5, 0, 0, 0, 0, 0, 0
    )
    body = head + name + packed
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry + name), len(body), 0)
    assert "would expand more than 300 times" in refusal("bomb.npz", body + entry + name + end)


def test_a_large_array_takes_bounded_memory(tmp_path: Path) -> None:
    noise = os.urandom(1 << 16)
    archive = zipfile.ZipFile(tmp_path / "large.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("a.npy", "w") as member:
        member.write(array(described("'|u1'", f"({100 << 20},)")))
        for _ in range(100):
            member.write(noise + bytes((1 << 20) - len(noise)))
    script = (
        "import resource, pathlib, sys; from proml.capture.fingerprint import fingerprint;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "assert fingerprint(pathlib.Path(sys.argv[1])).content;"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "large.npz")]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 40_000  # kilobytes, of 100 MiB


# --- code -------------------------------------------------------------------------------------


class Poison:
    """Makes a file where it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.canary),)


def poisoned(canary: Path) -> bytes:
    members = {"m/data.pkl": pickle.dumps({"w": Poison(canary)}, 2), "m/version": b"3\n"}
    return zipped(members)


def test_a_poisoned_pickle_is_named_and_not_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "poison.pt").write_bytes(poisoned(canary))
    found = fingerprint(tmp_path / "poison.pt")
    assert found.content is None
    assert "loading it would run or need posix.mkdir" in caplog.text
    assert not canary.exists()
    pickle.loads(zipfile.ZipFile(tmp_path / "poison.pt").read("m/data.pkl"))
    assert canary.exists(), "this poison would have done nothing"


@pytest.mark.parametrize(
    "code",
    [
        b"cbuiltins\neval\n(V1\ntR.",
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x02\x82\x01.",
        b"cos\nsystem\n.",
        b"ctorch.hub\nload\n.",
        b"ctorch\nload\n.",
        b"c__main__\nNet\n.",
        b"Pplain\n.",
        b"\x80\x05\x97.",
        b"]2a.",
        b"(h\1.",
        b"N",
        b"NN.",
        b"N.N",
        b"(((.",
        b"}(N.",
        b"\x8b\xff\xff\xff\x7f" + b"\x7f" * 255 + b".",
        b"L" + b"9" * 5_000 + b"L\n.",
        b"]\x94h\0a.",
        b"Nbb.",
    ],
)
def test_whatever_a_pickle_would_do_is_not_done(refusal: Refusal, code: bytes) -> None:
    assert refusal("m.pt", zipped({"m/data.pkl": code, "m/version": b"3\n"}))


def test_a_pickle_that_doubles_itself_is_hashed_once_a_part(tmp_path: Path) -> None:
    """Two references to two references …, 2**60 in all, in a few hundred bytes."""
    code = b"N\x940" + b"".join(b"h%ch%c\x86\x940" % (n, n) for n in range(60)) + b"h<."
    assert said(tmp_path, "m.pt", zipped({"m/data.pkl": code, "m/version": b"3\n"}))


def test_storages_that_are_missing_or_are_none(refusal: Refusal) -> None:
    assert "its storage '1' is missing" in refusal("m.pt", torch_file(state(), {"0": FLOATS["0"]}))
    raw = {"m/data.pkl": pickled(state()), "n/version": b"3\n"}
    assert "do not stand in one folder" in refusal("m.pt", zipped(raw))
    program = {"m/data.pkl": b"N.", "m/constants.pkl": b"N.", "m/code/a.py": b"import os"}
    assert "TorchScript" in refusal("m.pt", zipped(program))
    order = torch_file(state(), FLOATS).replace(b"little", b"middle")
    assert refusal("m.pt", order)


def test_keras_archives_without_a_configuration_that_can_be_read(refusal: Refusal) -> None:
    assert "has no config.json" in refusal("m.keras", zipped({"model.weights.h5": b"x"}))
    for raw in (b"{", b'{"a":NaN}', b'{"a":1,"a":2}', b'{"lambda":' * 5_000, b"[1]", b'{"a":1e999}'):
        assert "its config.json" in refusal("m.keras", zipped(KERAS | {"config.json": raw}))


# --- the others -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is empty"),
        (b"\x08", "within a field"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "more than 64 bits"),
        (b"\x3a\xff\xff\xff\xff\x0f", "it speaks of bytes"),
        (b"\x0b\x0c", "a field of a kind"),
        (b"\x00\x00", "a field has no number"),
        (b"\x0d\x01", "within a field"),
        # A tensor whose values are in /etc/passwd; one with values in two places; graphs in graphs.
        (bytes.fromhex("3a0a2a086a040a020a007001"), "in other files"),
        (bytes.fromhex("3a0c2a0a10014a0400000000380500")[:14], "two places"),
    ],
)
def test_models_that_are_no_protobuf_or_point_elsewhere(refusal: Refusal, raw: bytes, why: str) -> None:
    assert why in refusal("m.onnx", raw)


def test_graphs_nested_without_end(refusal: Refusal) -> None:
    def field(number: int, raw: bytes) -> bytes:
        size, count = b"", len(raw)
        while True:
            size += bytes([count & 0x7F | (0x80 if count > 0x7F else 0)])
            count >>= 7
            if not count:
                return bytes([number << 3 | 2]) + size + raw

    graph = b""
    for _ in range(60):
        graph = field(1, field(5, field(6, graph)))
    assert "nested more than 32 times" in refusal("m.onnx", field(7, graph))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"a,b\n" + b"x" * (1 << 21), "line of more than"),
        (b'a\n"' + b"x\n" * 100_000, "no CSV in UTF-8"),
        (b"a,b\n1,\xff\xfe\n", "no CSV in UTF-8"),
        (b'a\n"x"y\n', "no CSV in UTF-8"),
        (b"a" * 600 + b"\n\0\n", "zero bytes"),
    ],
)
def test_tables_of_text_that_are_none(refusal: Refusal, raw: bytes, why: str) -> None:
    assert why in refusal("t.csv", raw)


def test_tables_with_columns_of_one_name_or_of_a_type_without_order(refusal: Refusal) -> None:
    for table in (
        pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]),
        pa.table({"m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32()))}),
    ):
        made = io.BytesIO()
        pq.write_table(table, made)
        assert "one name" in (why := refusal("t.parquet", made.getvalue())) or "no content digest" in why


def test_what_needs_a_package_that_is_missing_says_which() -> None:
    with pytest.raises(UsageProblem, match="needs proml_none") as missing:
        optional("proml_none", "arrow")
    assert missing.value.hint == "pip install 'proml[arrow]'"
