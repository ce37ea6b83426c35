"""Files of every format with a content digest: what says the same in other bytes, and something else."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, numpy_helper
from onnx import helper as making
from safetensors.numpy import save as save_safetensors

NAN = np.frombuffer(struct.pack("<2I", 0x7FC00000, 0x7FC00001), "<f4")
WEIGHTS = {"b": np.arange(12, dtype="<f4").reshape(3, 4), "a": np.array([1.5, -0.0, np.inf], "<f8")}


@dataclass(frozen=True)
class Samples:
    """Of one format.

    Attributes:
        suffix: of a file name.
        alike: files that say the same in different bytes.
        other: files that say something else, each.
    """

    suffix: str
    alike: Mapping[str, bytes]
    other: Mapping[str, bytes]


def zipped(
    members: Mapping[str, bytes], packed: bool = False, year: int = 1980, comment: bytes = b""
) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)
        archive.comment = comment
    return made.getvalue()


def npy(array: np.ndarray[Any, Any], version: tuple[int, int] = (1, 0)) -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array(made, array, version, allow_pickle=False)
    return made.getvalue()


def npz(arrays: Mapping[str, np.ndarray[Any, Any]], **how: Any) -> bytes:
    return zipped({f"{name}.npy": npy(array) for name, array in arrays.items()}, **how)


def safetensors(arrays: Mapping[str, Any], **metadata: str) -> bytes:
    return save_safetensors(dict(arrays), metadata or None)


# --- torch ------------------------------------------------------------------------------------


class Tensor:
    """Stands in for a tensor: pickles as PyTorch's do."""

    def __init__(self, key: str, size: int, shape: tuple[int, ...]) -> None:
        self.key, self.size, self.shape = key, size, shape


class Named:
    """Pickles as a name of some module."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class TorchPickler(pickle._Pickler):
    device = "cpu"

    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if isinstance(obj, Storage) else None

    def save(self, obj: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(obj, Named):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
            return None
        if isinstance(obj, Tensor):
            storage = Storage(("storage", Named("torch", "FloatStorage"), obj.key, self.device, obj.size))
            strides = (1,) if len(obj.shape) == 1 else (obj.shape[1], 1)
            self.save(Named("torch._utils", "_rebuild_tensor_v2"))
            self.save((storage, 0, obj.shape, strides, False, OrderedDict()))
            self.write(pickle.REDUCE)
            return None
        return super().save(obj, save_persistent_id)


@dataclass(frozen=True)
class Storage:
    pid: tuple[Any, ...]


def pickled(value: Any, protocol: int = 2, device: str = "cpu") -> bytes:
    made = io.BytesIO()
    pickler = TorchPickler(made, protocol)
    pickler.device = device
    pickler.dump(value)
    return made.getvalue()


def torch_file(
    state: Any, storages: Mapping[str, bytes], prefix: str = "archive", protocol: int = 2, **more: Any
) -> bytes:
    device = more.pop("device", "cpu")
    members = {f"{prefix}/data.pkl": pickled(state, protocol, device), f"{prefix}/byteorder": b"little"}
    members |= {f"{prefix}/data/{key}": content for key, content in storages.items()}
    members[f"{prefix}/version"] = b"3\n"
    members[f"{prefix}/.data/serialization_id"] = random.Random(prefix).randbytes(20).hex().encode()
    return zipped(members, **more)


def state(keys: str = "01") -> Any:
    first, second = keys
    return OrderedDict(
        [("weight", Tensor(first, 6, (2, 3))), ("bias", Tensor(second, 3, (3,))), ("epoch", 7), ("lr", 0.1)]
    )


FLOATS = {"0": struct.pack("<6f", *range(6)), "1": struct.pack("<3f", 1.5, -0.0, 2.0)}


# --- onnx -------------------------------------------------------------------------------------


def model(weights: Any, **said: Any) -> onnx.ModelProto:
    x = making.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])
    y = making.make_tensor_value_info("y", TensorProto.FLOAT, [None, 4])
    node = making.make_node("MatMul", ["x", "w"], ["y"], name="multiply", doc_string=said.pop("text", ""))
    graph = making.make_graph([node], "g", [x], [y], [weights])
    return making.make_model(graph, opset_imports=[making.make_opsetid("", 17)], **said)


MATRIX = np.arange(12, dtype="<f4").reshape(3, 4)
HALVES = np.array([[1.5, 2.0, -3.0, 0.0]] * 3, "<f2")
RAW = numpy_helper.from_array(MATRIX, "w")
SPELT = making.make_tensor("w", TensorProto.FLOAT, [3, 4], MATRIX.flatten().tolist())


def reordered(content: bytes) -> bytes:
    """The graph before everything else, which protobuf allows."""
    parsed = onnx.load_from_string(content)
    graph = onnx.ModelProto(graph=parsed.graph).SerializeToString()
    parsed.ClearField("graph")
    return graph + parsed.SerializeToString()


# --- tables -----------------------------------------------------------------------------------

TABLE = pa.table(
    {
        "number": pa.array([1, None, 3, 4], pa.int32()),
        "text": pa.array(["a", "", None, "ü"]),
        "kind": pa.array(["x", "y", "x", None]),
        "list": pa.array([[1.5], None, [], [2.0, None]]),
        "nested": pa.array([{"a": 1, "b": "z"}, None, {"a": None, "b": "q"}, {"a": 4, "b": None}]),
        "truth": pa.array([True, None, False, True]),
        "when": pa.array([1, 2, None, 4], pa.timestamp("us", "UTC")),
        "float": pa.array([0.0, -0.0, float("nan"), None]),
    }
)


def parquet(table: Any, **how: Any) -> bytes:
    made = io.BytesIO()
    pq.write_table(table, made, **how)
    return made.getvalue()


def arrow(table: Any, rows: int = 4, compression: str | None = None) -> bytes:
    made = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(
        compression=compression, emit_dictionary_deltas=True, unify_dictionaries=True
    )
    with pa.ipc.new_file(made, table.schema, options=options) as writer:
        writer.write_table(table, rows)
    return made.getvalue()


def respelt(table: Any) -> Any:
    """The same values in wider texts, and as a dictionary."""
    names = list(table.column_names)
    table = table.set_column(names.index("text"), "text", table["text"].cast(pa.large_string()))
    return table.set_column(names.index("kind"), "kind", table["kind"].dictionary_encode())


def changed(name: str, values: Any) -> Any:
    return TABLE.set_column(TABLE.column_names.index(name), name, pa.array(values, TABLE[name].type))


KERAS = {
    "metadata.json": b'{"keras_version": "3.8.0", "date_saved": "2026-01-05@09:30:00"}',
    "config.json": b'{"class_name": "Sequential", "config": {"name": "m", "layers": [{"units": 3}]}}',
    "model.weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(range(64)),
}

SAMPLES: dict[str, Callable[[], Samples]] = {
    "safetensors": lambda: Samples(
        "safetensors",
        {
            "plain": safetensors(WEIGHTS),
            "other metadata": safetensors(WEIGHTS, format="np", author="me"),
            "other order": safetensors(dict(reversed(WEIGHTS.items())), z="1"),
        },
        {
            "value": safetensors(WEIGHTS | {"b": WEIGHTS["b"] + 1}),
            "name": safetensors({"c": WEIGHTS["b"], "a": WEIGHTS["a"]}),
            "shape": safetensors(WEIGHTS | {"b": WEIGHTS["b"].reshape(4, 3)}),
            "type": safetensors(WEIGHTS | {"b": WEIGHTS["b"].view("<i4")}),
            "one more": safetensors(WEIGHTS | {"d": NAN}),
            "NaN": safetensors({"n": NAN}),
            "another NaN": safetensors({"n": NAN[::-1].copy()}),
        },
    ),
    "numpy": lambda: Samples(
        "npz",
        {
            "stored": npz(WEIGHTS),
            "packed, later": npz(WEIGHTS, packed=True, year=2026),
            "other order": npz(dict(reversed(WEIGHTS.items())), comment=b"made by hand"),
            "wider header": zipped({f"{name}.npy": npy(array, (2, 0)) for name, array in WEIGHTS.items()}),
        },
        {
            "value": npz(WEIGHTS | {"b": WEIGHTS["b"] + 1}),
            "name": npz({"c": WEIGHTS["b"], "a": WEIGHTS["a"]}),
            "shape": npz(WEIGHTS | {"b": WEIGHTS["b"].reshape(4, 3)}),
            "type": npz(WEIGHTS | {"b": WEIGHTS["b"].view("<i4")}),
            "memory order": npz(WEIGHTS | {"b": np.asfortranarray(WEIGHTS["b"])}),
            "one array": npy(WEIGHTS["b"]),
            "fields": npy(np.zeros(3, [("x", "<i4"), ("y", "<f8", (2,))])),
            "NaN": npy(NAN),
            "another NaN": npy(NAN[::-1].copy()),
        },
    ),
    "torch": lambda: Samples(
        "pt",
        {
            "plain": torch_file(state(), FLOATS),
            "another name": torch_file(state(), FLOATS, prefix="model_7"),
            "another protocol, packed": torch_file(state(), FLOATS, protocol=4, packed=True, year=2026),
            "other keys, from a GPU": torch_file(
                state("10"), {"1": FLOATS["0"], "0": FLOATS["1"]}, device="cuda:0"
            ),
        },
        {
            "value": torch_file(state(), FLOATS | {"1": bytes(12)}),
            "tied": torch_file(state("00"), FLOATS),
            "more in it": torch_file({**state(), "step": 3}, FLOATS),
            "number": torch_file({**state(), "epoch": 8}, FLOATS),
        },
    ),
    "keras": lambda: Samples(
        "keras",
        {
            "plain": zipped(KERAS),
            "saved later": zipped(
                KERAS | {"metadata.json": b'{"date_saved": "2027"}'}, packed=True, year=2027
            ),
            "spelt otherwise": zipped(
                KERAS | {"config.json": json.dumps(json.loads(KERAS["config.json"]), indent=2).encode()}
            ),
        },
        {
            "configuration": zipped(KERAS | {"config.json": b'{"class_name": "Functional"}'}),
            "weights": zipped(KERAS | {"model.weights.h5": bytes(72)}),
            "an asset": zipped(KERAS | {"assets/words.txt": b"a\n"}),
        },
    ),
    "onnx": lambda: Samples(
        "onnx",
        {
            "raw": model(RAW).SerializeToString(),
            "spelt number by number": model(SPELT).SerializeToString(),
            "by another producer": model(
                RAW, producer_name="me", producer_version="9", text="hello"
            ).SerializeToString(),
            "in another order": reordered(model(RAW).SerializeToString()),
        },
        {
            "value": model(numpy_helper.from_array(MATRIX + 1, "w")).SerializeToString(),
            "shape": model(numpy_helper.from_array(MATRIX.reshape(4, 3), "w")).SerializeToString(),
            "type": model(numpy_helper.from_array(MATRIX.view("<i4"), "w")).SerializeToString(),
            "halves": model(numpy_helper.from_array(HALVES, "w")).SerializeToString(),
            "version": model(RAW, ir_version=8).SerializeToString(),
        },
    ),
    "table": lambda: Samples(
        "parquet",
        {
            "plain": parquet(TABLE),
            "smaller groups, zstd": parquet(TABLE, row_group_size=2, compression="zstd"),
            "without dictionaries": parquet(TABLE, use_dictionary=False, data_page_version="2.0"),
            "arrow": arrow(TABLE),
            "arrow in parts, lz4": arrow(TABLE, rows=1, compression="lz4"),
            "wider texts": arrow(respelt(TABLE)),
            "with metadata": parquet(TABLE.replace_schema_metadata({"made": "by hand"})),
        },
        {
            "null for zero": parquet(changed("number", [1, 0, 3, 4])),
            "null for empty": parquet(changed("text", ["a", None, None, "ü"])),
            "shifted text": parquet(changed("text", ["", "a", None, "ü"])),
            "inside a list": parquet(changed("list", [[1.5], None, [], [2.0, 0.0]])),
            "list boundary": parquet(changed("list", [[], None, [1.5], [2.0, None]])),
            "inside a struct": parquet(
                changed("nested", [{"a": 1, "b": "z"}, None, {"a": 2, "b": "q"}, {"a": 4, "b": None}])
            ),
            "sign of zero": parquet(changed("float", [0.0, 0.0, float("nan"), None])),
            "name": parquet(TABLE.rename_columns(["n", *TABLE.column_names[1:]])),
            "type": parquet(TABLE.set_column(0, "number", TABLE["number"].cast(pa.int64()))),
            "row order": parquet(TABLE.take([1, 0, 2, 3])),
            "a column less": parquet(TABLE.drop_columns(["truth"])),
        },
    ),
    "csv": lambda: Samples(
        "csv",
        {
            "plain": b'name,age\nAda,36\n"Bob, jr",7\n',
            "quoted, other line ends": b'"name","age"\r\n"Ada","36"\r\n"Bob, jr",7',
            "byte order mark": b'\xef\xbb\xbfname,age\nAda,36\n"Bob, jr",7\n',
        },
        {
            "cell": b'name,age\nAda,37\n"Bob, jr",7\n',
            "boundary": b"name,age\nAda,36\nBob, jr,7\n",
            "spelling of a number": b'name,age\nAda,36.0\n"Bob, jr",7\n',
            "row order": b'name,age\n"Bob, jr",7\nAda,36\n',
            "an empty row": b'name,age\nAda,36\n\n"Bob, jr",7\n',
            "tabs": b"name\tage\nAda\t36\nBob, jr\t7\n",
        },
    ),
}
