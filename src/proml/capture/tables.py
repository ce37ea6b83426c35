"""Values of the columns of a Parquet or Arrow file, hashed the same however the file is cut and encoded.

Loaded only when there is such a file: it needs pyarrow.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from blake3 import blake3

from proml.capture.window import Window
from proml.core.digest import hexed

ROWS = 64 << 10
GROUP_BYTES = 1 << 30
"""Of one row group or batch, uncompressed: about what a reader has to hold."""
RATIO = 2_000
DEPTH = 16
COLUMNS = 10_000
_FOOTER = 64 << 20
_SPELT_OTHERWISE = {
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
}


def columns(window: Window, is_parquet: bool) -> Iterator[Mapping[str, Any]]:
    """One item per column: name, type, rows, and BLAKE3 of its validity, lengths and values.

    Raises:
        FileRefused: for what pyarrow refuses, a type without a content digest, or more than a reader can
        hold.
    """
    try:
        schema, batches = _parquet(window) if is_parquet else _arrow(window)
        if len(schema) > COLUMNS:
            raise window.refused(f"it has more than {COLUMNS} columns")
        if len(set(schema.names)) != len(schema):
            raise window.refused("it has two columns of one name")
        hashed = [_Column(window, entry.type, 0) for entry in schema]
        rows = 0
        for batch in batches:
            rows += batch.num_rows
            for column, array in zip(hashed, batch.columns, strict=True):
                column.take(array)
    except (
        pa.ArrowException,
        OSError,
        MemoryError,
        ValueError,
        LookupError,
        TypeError,
        OverflowError,
    ) as error:
        # Whatever its bindings raise over what a damaged file says.
        raise window.refused(f"pyarrow cannot read it: {str(error)[:200]}") from error
    for name, column in zip(schema.names, hashed, strict=True):
        yield {"name": name, "rows": rows, **column.document()}


def _parquet(window: Window) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    file = pq.ParquetFile(
        pa.PythonFile(window, "r"),
        pre_buffer=False,
        thrift_string_size_limit=_FOOTER,
        thrift_container_size_limit=1 << 20,
    )
    for number in range(file.metadata.num_row_groups):
        size = file.metadata.row_group(number).total_byte_size
        if size > GROUP_BYTES or size > RATIO * window.size:
            raise window.refused(f"its row group {number} would take {size} bytes of memory")
    return file.schema_arrow, file.iter_batches(batch_size=ROWS, use_threads=False)


def _arrow(window: Window) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    reader = pa.ipc.open_file(pa.PythonFile(window, "r"))

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            batch.validate(full=True)
            yield batch

    return reader.schema, batches()


@dataclass(slots=True)
class _Column:
    """The hashes of a column, and those of the columns inside it."""

    window: Window
    type: pa.DataType
    depth: int
    valid: Any = field(default_factory=blake3)
    lengths: Any = field(default_factory=blake3)
    values: Any = field(default_factory=blake3)
    children: list[_Column] = field(default_factory=list)

    def __post_init__(self) -> None:
        if isinstance(self.type, pa.BaseExtensionType):
            self.type = self.type.storage_type
        if pa.types.is_dictionary(self.type):
            self.type = self.type.value_type
        self.type = _SPELT_OTHERWISE.get(self.type, self.type)
        inner = [self.type.field(index).type for index in range(self.type.num_fields)]
        known = not inner or _is_list(self.type) or pa.types.is_struct(self.type)
        if not known or self.depth > DEPTH or pa.types.is_run_end_encoded(self.type):
            raise self.window.refused(f"it has a column of type {self.type}, which has no content digest")
        self.children = [_Column(self.window, each, self.depth + 1) for each in inner]

    def take(self, array: Any) -> None:
        """Go on with some rows."""
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        if isinstance(array, pa.DictionaryArray):
            array = array.dictionary_decode()
        if isinstance(array, pa.ExtensionArray | pa.DictionaryArray):
            raise self.window.refused("it has a column wrapped more than once")
        self.valid.update(_bytes(pc.cast(array.is_valid(), pa.uint8()), 1))
        if _is_list(self.type):
            self._lengths(pc.list_value_length(array))
            self.children[0].take(array.drop_null().flatten())
        elif pa.types.is_struct(self.type):
            for child, inner in zip(self.children, array.flatten(), strict=True):
                child.take(inner)
        elif pa.types.is_string(self.type) or pa.types.is_binary(self.type):
            self._lengths(pc.binary_length(array))
            self._text(array.drop_null())
        elif not pa.types.is_null(self.type):
            self.values.update(_fixed(array.drop_null()))

    def document(self) -> dict[str, Any]:
        """Type, and the digests of what was taken."""
        kind = (
            "struct" if pa.types.is_struct(self.type) else "list" if _is_list(self.type) else str(self.type)
        )
        inside: dict[str, Any] = {}
        if self.children:
            inside["children"] = [child.document() for child in self.children]
        if pa.types.is_struct(self.type):
            inside["fields"] = [self.type.field(index).name for index in range(len(self.children))]
        return {
            "type": kind,
            "valid": hexed(self.valid.digest()),
            "lengths": hexed(self.lengths.digest()),
            "values": hexed(self.values.digest()),
            **inside,
        }

    def _lengths(self, lengths: Any) -> None:
        self.lengths.update(_bytes(pc.cast(lengths.drop_null(), pa.int64()), 8))

    def _text(self, array: Any) -> None:
        """The bytes of texts, one after another."""
        large = pc.cast(
            pc.cast(array, pa.binary()) if pa.types.is_string(self.type) else array, pa.large_binary()
        )
        _, offsets, content = large.buffers()
        if len(large):
            first, last = (
                struct.unpack_from("<q", offsets, 8 * (large.offset + at))[0] for at in (0, len(large))
            )
            if last > first:
                self.values.update(memoryview(content)[first:last])


def _is_list(kind: pa.DataType) -> bool:
    return any(
        is_it(kind) for is_it in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    ) and not pa.types.is_map(kind)


def _fixed(array: Any) -> memoryview:
    """The values of an array without nulls, of a type of fixed width."""
    if pa.types.is_boolean(array.type):
        return _bytes(pc.cast(array, pa.uint8()), 1)
    return _bytes(array, array.type.bit_width // 8)


def _bytes(array: Any, width: int) -> memoryview:
    content = array.buffers()[1]
    if content is None or not len(array):
        return memoryview(b"")
    return memoryview(content)[array.offset * width : (array.offset + len(array)) * width]
