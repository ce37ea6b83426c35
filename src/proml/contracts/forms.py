"""How values stand in the words of the Ethereum ABI: what calls and events are put together from.

The forms follow the Contract ABI Specification for static words and arrays of static tuples; nothing else
occurs in ProML's contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from proml.core.call import ApproveCall, Signed
from proml.core.consortium import Actor
from proml.core.digest import keccak256, word
from proml.core.event import Approval, Input
from proml.core.proposal import Change
from proml.errors import LedgerProblem, RecordInvalid

SIGNATURE_BYTES = 65
Row = Sequence[int | bytes]


def arrays(leading: Row, *tables: Sequence[Row]) -> bytes:
    """ABI encoding of static words followed by dynamic arrays of static tuples."""
    offset = 32 * (len(leading) + len(tables))
    head = [word(value) for value in leading]
    tail = []
    for rows in tables:
        head.append(word(offset))
        body = word(len(rows)) + b"".join(word(value) for row in rows for value in row)
        tail.append(body)
        offset += len(body)
    return b"".join(head + tail)


@dataclass(frozen=True, slots=True)
class Form:
    """How one value stands in words.

    Attributes:
        types: the ABI types of its words; of those of one row where the value is an array.
        write: the value as words; as rows where it is an array.
        read: the way back.
        is_array: whether it is a dynamic array of rows.
    """

    types: tuple[str, ...]
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    is_array: bool = False

    @property
    def signature(self) -> str:
        """The types as they stand in a signature."""
        joined = ",".join(self.types)
        if not self.is_array:
            return joined
        return f"({joined})[]" if len(self.types) > 1 else f"{joined}[]"


def address_number(address: bytes) -> int:
    """A 20-byte address as a word."""
    return int.from_bytes(address, "big")


def read_address(value: int) -> bytes:
    """The address behind a word; LedgerProblem when it has more than 20 bytes."""
    if value >= 2**160:
        raise LedgerProblem(f"{value:#x} is not a 20-byte address")
    return value.to_bytes(20, "big")


def _write_signature(signature: bytes) -> Row:
    if len(signature) != SIGNATURE_BYTES:
        raise RecordInvalid(f"a signature has {SIGNATURE_BYTES} bytes, not {len(signature)}")
    return signature[64], signature[:32], signature[32:64]


def _read_signature(words: Sequence[int]) -> bytes:
    v, r, s = words
    return word(r) + word(s) + bytes([min(v, 255)])


def _write_signed(by: Signed) -> Row:
    return address_number(by.signer), by.deadline, *_write_signature(by.signature)


def _read_signed(words: Sequence[int]) -> Signed:
    signer, deadline, *signature = words
    return Signed(read_address(signer), deadline, _read_signature(signature))


def _write_approve(asked: ApproveCall) -> Row:
    return asked.artefact, asked.action, asked.sequence, asked.subject, asked.record


def _read_approve(words: Sequence[int]) -> ApproveCall:
    artefact, action, sequence, subject, record = words
    return ApproveCall(word(artefact), action, sequence, word(subject), word(record))


def _write_change(change: Change) -> Row:
    return change.kind, change.organisation, change.setting, address_number(change.key), change.profile


def _read_change(words: Sequence[int]) -> Change:
    kind, organisation, setting, key, profile = words
    return Change(kind, organisation, setting, read_address(key), word(profile))


def write_inputs(inputs: Iterable[Input]) -> list[Row]:
    """Inputs as rows."""
    return [(entry.artefact, entry.sequence) for entry in inputs]


def read_inputs(rows: Iterable[Sequence[int]]) -> tuple[Input, ...]:
    """Inputs out of rows."""
    return tuple(Input(word(artefact), sequence) for artefact, sequence in rows)


def write_approvals(approvals: Iterable[Approval]) -> list[Row]:
    """Approvals as rows."""
    return [(entry.actor.word, entry.record) for entry in approvals]


def _read_approvals(rows: Iterable[Sequence[int]]) -> tuple[Approval, ...]:
    return tuple(Approval(Actor.from_word(actor), word(record)) for actor, record in rows)


UINT = Form(("uint256",), lambda value: (value,), lambda words: words[0])
BYTES32 = Form(("bytes32",), lambda value: (value,), lambda words: word(words[0]))
ADDRESS = Form(("address",), lambda value: (address_number(value),), lambda words: read_address(words[0]))
ACTOR = Form(("uint256",), lambda actor: (actor.word,), lambda words: Actor.from_word(words[0]))
SIGNATURE = Form(("uint256",) * 3, _write_signature, _read_signature)
SIGNED = Form(("address", "uint256", *SIGNATURE.types), _write_signed, _read_signed)
APPROVING = Form(("bytes32", "uint8", "uint256", "bytes32", "bytes32"), _write_approve, _read_approve)
CHANGE = Form(("uint256", "uint256", "uint256", "address", "bytes32"), _write_change, _read_change)
UINT8 = Form(("uint8",), lambda value: (value,), lambda words: words[0])
INPUTS = Form(("bytes32", "uint256"), write_inputs, read_inputs, is_array=True)
APPROVALS = Form(("uint256", "bytes32"), write_approvals, _read_approvals, is_array=True)
WORDS = Form(
    ("uint256",),
    lambda values: [(value,) for value in values],
    lambda rows: tuple(row[0] for row in rows),
    is_array=True,
)


def selector(signature: str) -> bytes:
    """The first 4 bytes of the Keccak-256 of a function or error signature."""
    return keccak256(signature.encode())[:4]


def signature_of(name: str, forms: Iterable[Form]) -> str:
    """The canonical signature of a call or event."""
    return f"{name}({','.join(form.signature for form in forms if form.types)})"


def write(forms: Sequence[Form], values: Sequence[Any]) -> bytes:
    """The ABI encoding of values; arrays come last."""
    leading: list[int | bytes] = []
    tables: list[Sequence[Row]] = []
    for form, value in zip(forms, values, strict=True):
        if form.is_array:
            tables.append(form.write(value))
        else:
            leading.extend(form.write(value))
    return arrays(leading, *tables)


def read(forms: Sequence[Form], data: bytes, what: str) -> list[Any]:
    """Values out of an ABI encoding, which need not be the canonical one.

    Raises:
        LedgerProblem: when it ends too early, or a word is out of its range.
    """
    reader = Reader(data, what)
    values, at = [], 0
    for form in forms:
        if form.is_array:
            values.append(form.read(reader.table(at, len(form.types))))
            at += 1
        else:
            values.append(form.read(reader.words(len(form.types), 32 * at)))
            at += len(form.types)
    return values


class Reader:
    """Words and arrays out of ABI data; every access is bounds-checked."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what

    def words(self, count: int, at: int = 0) -> list[int]:
        """`count` words from byte `at` on."""
        end = at + 32 * count
        if end > len(self._data):
            raise LedgerProblem(f"{self._what} ends too early")
        return [int.from_bytes(self._data[i : i + 32], "big") for i in range(at, end, 32)]

    def table(self, position: int, width: int) -> list[list[int]]:
        """The dynamic array whose offset is word `position`, in rows of `width` words."""
        (offset,) = self.words(1, 32 * position)
        (length,) = self.words(1, min(offset, len(self._data)))
        if length > len(self._data) // 32:
            raise LedgerProblem(f"{self._what} ends too early")
        flat = self.words(length * width, offset + 32)
        return [flat[i : i + width] for i in range(0, len(flat), width)]
