"""Content digests by docs/format.md and the formats' own libraries: a reader not ours"""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.feather
import pyarrow.parquet
import safetensors
from blake3 import blake3

from tests.golden.second_json import canonical, read
from tests.golden.second_ledger import sha, shown

Items = list[dict[str, Any]]


def hashed(*content: bytes) -> str:
    return shown(blake3(b"".join(content)).digest())


def by_name(items: Items) -> Items:
    return sorted(items, key=lambda item: item["name"].encode())


def of_safetensors(path: Path) -> Items:
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    with safetensors.safe_open(path, "np") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 -- no mapping
    return by_name(
        [
            {
                "name": name,
                "dtype": header[name]["dtype"],
                "shape": list(array.shape),
                "blake3": hashed(array.tobytes()),
            }
            for name, array in tensors.items()
        ]
    )


def of_numpy(path: Path) -> Items:
    def item(array: Any) -> dict[str, Any]:
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        return {
            "dtype": np.lib.format.dtype_to_descr(array.dtype),
            "order": "F" if fortran else "C",
            "shape": list(array.shape),
            "blake3": hashed(array.tobytes("A")),
        }

    with np.load(path, allow_pickle=False) as arrays:
        return by_name([{"name": name, **item(arrays[name])} for name in arrays.files])


def of_keras(path: Path) -> Items:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "metadata.json"}
    return by_name(
        [
            {"name": name, "sha256": shown(sha(canonical(read(raw))))}
            if name == "config.json"
            else {"name": name, "blake3": hashed(raw)}
            for name, raw in members.items()
        ]
    )


def of_csv(path: Path) -> Items:
    text = path.read_bytes().decode("utf-8-sig")
    tabs = "\t" in text.split("\n")[0] and "," not in text.split("\n")[0]
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t" if tabs else ","))
    written = [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for row in rows]
    return [{"rows": len(rows), "separator": "\t" if tabs else ",", "blake3": hashed(*written)}]


WIDTHS = {"int32": 4, "int64": 8, "timestamp[us, tz=UTC]": 8}


def column(kind: str, values: list[Any], type_: Any) -> dict[str, Any]:
    """A column out of Python values, one after another."""
    valid = [value for value in values if value is not None]
    found: dict[str, Any] = {"valid": hashed(bytes(value is not None for value in values))}
    lengths, content, more = [], b"", {}
    if kind.startswith("list"):
        lengths = [len(value) for value in valid]
        inner = [each for value in valid for each in value]
        more = {"children": [column(str(type_.value_type), inner, type_.value_type)]}
    elif kind.startswith("struct"):
        fields = [type_.field(index) for index in range(type_.num_fields)]
        more = {
            "fields": [field.name for field in fields],
            "children": [
                column(str(f.type), [None if v is None else v[f.name] for v in values], f.type)
                for f in fields
            ],
        }
    elif kind == "string":
        lengths = [len(value.encode()) for value in valid]
        content = "".join(valid).encode()
    elif kind == "bool":
        content = bytes(valid)
    elif kind == "double":
        content = np.array(valid, "<f8").tobytes()
    elif kind.startswith("timestamp"):
        content = np.array([round(value.timestamp() * 1e6) for value in valid], "<i8").tobytes()
    else:
        content = b"".join(value.to_bytes(WIDTHS[kind], "little", signed=True) for value in valid)
    found["lengths"] = hashed(np.array(lengths, "<i8").tobytes())
    return {"type": kind.partition("<")[0], **found, "values": hashed(content), **more}


def of_table(path: Path) -> Items:
    is_parquet = path.suffix == ".parquet"
    table = pyarrow.parquet.read_table(path) if is_parquet else pyarrow.feather.read_table(path)
    items = []
    for name in table.column_names:
        values, kind = table[name].to_pylist(), table[name].type
        spelt = "string" if str(kind).startswith(("large_string", "dictionary")) else str(kind)
        items.append({"name": name, "rows": table.num_rows, **column(spelt, values, kind)})
    return items


READERS: dict[str, Callable[[Path], Items]] = {
    "safetensors": of_safetensors,
    "numpy": of_numpy,
    "keras": of_keras,
    "csv": of_csv,
    "table": of_table,
}


def content_digest(form: str, path: Path) -> str:
    document = {"type": "proml/content", "version": 1, "form": form, "items": READERS[form](path)}
    return shown(sha(canonical(document)))
