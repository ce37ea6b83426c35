"""Contract calls and events as bytes, and back: the part of the Ethereum ABI that ProML's contracts use.

Hand-made because decoding must be strict: a log with one topic or one byte more or less than its event
has, an offset that is not the canonical one, or a number out of range is refused rather than read
somehow (a look-alike contract may have emitted it). The forms follow the Contract ABI Specification
for static words and arrays of static tuples; nothing else occurs.
"""

from __future__ import annotations

from collections.abc import Sequence

from proml.core.call import AddKeyCall, AnchorCall, BatchCall, ContractCall, Founder, RevokeKeyCall, StepCall
from proml.core.consortium import Actor
from proml.core.digest import keccak256, word
from proml.core.event import (
    Acted,
    Anchored,
    Event,
    Input,
    KeyAdded,
    KeyRevoked,
    LifecycleAdmitted,
    OrganisationAdmitted,
    Refused,
    Registered,
    ThresholdSet,
)
from proml.core.lifecycle import MAX_INPUTS, Table
from proml.core.refusal import Reason
from proml.errors import LedgerProblem, RecordInvalid

_STEP = "uint256,uint256,uint256,bytes32,(bytes32,uint256)[]"
SIGNATURES: dict[type[Event], str] = {
    OrganisationAdmitted: "OrganisationAdmitted(uint256,uint256,bytes32)",
    ThresholdSet: "ThresholdSet(uint256)",
    KeyAdded: "KeyAdded(uint256,address,uint256,uint256)",
    KeyRevoked: "KeyRevoked(uint256,address,uint256)",
    LifecycleAdmitted: "LifecycleAdmitted(uint256,bytes32,uint256,bytes32,uint256[])",
    Registered: f"Registered(bytes32,bytes32,uint256,{_STEP})",
    Acted: f"Acted(bytes32,bytes32,uint256,{_STEP})",
    Anchored: "Anchored(uint256,bytes32,uint256,uint256)",
    Refused: "Refused(bytes32,uint256,uint256,uint256)",
}
TOPICS = {keccak256(signature.encode()): kind for kind, signature in SIGNATURES.items()}


def selector(signature: str) -> bytes:
    """The first 4 bytes of the Keccak-256 of a function or error signature."""
    return keccak256(signature.encode())[:4]


BATCH = selector(
    "batch((bytes32,uint256)[],(bytes32,uint16,uint8,uint256,bytes32,bytes32,uint256)[],(bytes32,uint256)[])"
)
ADD_KEY = selector("add_key(address,uint256,uint256,uint256,uint256,uint256)")
REVOKE_KEY = selector("revoke_key(address,uint256)")
ARTEFACT = selector("artefact(bytes32)")
REFUSED_ERROR = selector("Refused(uint256)")

MAX_ANCHORS = 32
MAX_STEPS = 64
MAX_BATCH_INPUTS = 128
MAX_LIFECYCLE = 2**16 - 1
CONSENT_BYTES = 65
# What fits the uint8 of a step; lifecycles use less of it (core.lifecycle.MAX_ACTIONS).
MAX_ACTION_WORD = 255

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


def encode_call(call: ContractCall) -> bytes:
    """The transaction data of a call.

    Raises:
        RecordInvalid: when a batch exceeds what the contract takes at once, a number does not fit its
            place, or a consent is not 65 bytes: the contract would revert without a reason.
    """
    match call:
        case BatchCall():
            return BATCH + _encode_batch(call)
        case AddKeyCall():
            if len(call.consent) != CONSENT_BYTES:
                raise RecordInvalid(f"a consent has {CONSENT_BYTES} bytes, not {len(call.consent)}")
            r, s, v = call.consent[:32], call.consent[32:64], call.consent[64]
            return ADD_KEY + arrays([_number(call.key), call.scope, call.expires, v, r, s])
        case RevokeKeyCall():
            return REVOKE_KEY + arrays([_number(call.key), call.compromised_since])


def _encode_batch(call: BatchCall) -> bytes:
    inputs = [(entry.artefact, entry.sequence) for step in call.steps for entry in step.inputs]
    if len(call.anchors) > MAX_ANCHORS or len(call.steps) > MAX_STEPS or len(inputs) > MAX_BATCH_INPUTS:
        raise RecordInvalid(
            f"a batch takes {MAX_ANCHORS} anchors, {MAX_STEPS} steps and {MAX_BATCH_INPUTS} inputs at most"
        )
    for step in call.steps:
        if len(step.inputs) > MAX_INPUTS or step.action > MAX_ACTION_WORD or step.lifecycle > MAX_LIFECYCLE:
            raise RecordInvalid(
                f"a step takes {MAX_INPUTS} inputs, actions <= {MAX_ACTION_WORD}, "
                f"lifecycles <= {MAX_LIFECYCLE}"
            )
    steps = [
        (s.artefact, s.lifecycle, s.action, s.sequence, s.record, s.subject, len(s.inputs))
        for s in call.steps
    ]
    return arrays([], [(anchor.root, anchor.count) for anchor in call.anchors], steps, inputs)


def decode_call(data: bytes) -> ContractCall:
    """The call behind transaction data.

    Raises:
        LedgerProblem: when it is no call of these contracts, or not in canonical form.
    """
    call = _decode_call(data)
    try:
        canonical = encode_call(call) == data
    except RecordInvalid:
        canonical = False
    if not canonical:
        raise LedgerProblem("the call data is not in canonical form")
    return call


def _decode_call(data: bytes) -> ContractCall:
    reader = _Reader(data[4:], "call data")
    if data[:4] == BATCH:
        anchors, steps, inputs = reader.tables(0, 2, 7, 2)
        taken = 0
        made = []
        for artefact, lifecycle, action, sequence, record, subject, count in steps:
            own = tuple(Input(word(row[0]), row[1]) for row in inputs[taken : taken + count])
            taken += count
            made.append(
                StepCall(word(artefact), lifecycle, action, sequence, word(record), word(subject), own)
            )
        if taken != len(inputs):
            raise LedgerProblem("the inputs of a batch do not add up")
        return BatchCall(tuple(AnchorCall(word(root), count) for root, count in anchors), tuple(made))
    if data[:4] == ADD_KEY:
        key, scope, expires, v, r, s = reader.words(6)
        return AddKeyCall(_address(key), scope, expires, word(r) + word(s) + bytes([min(v, 255)]))
    if data[:4] == REVOKE_KEY:
        key, since = reader.words(2)
        return RevokeKeyCall(_address(key), since)
    raise LedgerProblem(f"0x{data[:4].hex()} is no call of the ProML contracts")


def encode_event(event: Event) -> tuple[tuple[bytes, ...], bytes]:
    """Topics (32 bytes each, the signature's first) and data of the log that carries an event."""
    topic = keccak256(SIGNATURES[type(event)].encode())
    indexed, data = _log(event)
    return (topic, *(word(value) for value in indexed)), data


def _log(event: Event) -> tuple[Row, bytes]:
    match event:
        case Registered() | Acted():
            third = event.lifecycle if isinstance(event, Registered) else event.sequence
            inputs = [(entry.artefact, entry.sequence) for entry in event.inputs]
            data = arrays([third, event.action, event.state, event.record], inputs)
            return (event.artefact, event.subject, event.actor.word), data
        case Anchored():
            return (event.actor.word, event.root), arrays([event.number, event.count])
        case Refused():
            return (event.artefact, event.actor.word), arrays([event.item, event.reason])
        case OrganisationAdmitted():
            return (event.organisation,), arrays([event.roles, event.profile])
        case ThresholdSet():
            return (), arrays([event.threshold])
        case KeyAdded():
            return (event.organisation, _number(event.key)), arrays([event.scope, event.expires])
        case KeyRevoked():
            return (event.organisation, _number(event.key)), arrays([event.compromised_since])
        case LifecycleAdmitted():
            rules = [(rule,) for rule in event.rules]
            return (event.number, event.lifecycle), arrays([event.properties, event.document], rules)


def decode_event(topics: Sequence[bytes], data: bytes) -> Event:
    """The event a log of the contract carries.

    Raises:
        LedgerProblem: for an unknown signature, a wrong number of topics, or data that is not exactly
            the canonical encoding.
    """
    kind = TOPICS.get(topics[0]) if topics else None
    if kind is None:
        raise LedgerProblem("the contract emitted an event this program does not know")
    event = _event(kind, [int.from_bytes(topic, "big") for topic in topics[1:]], _Reader(data, kind.__name__))
    # Strictness in one line: whatever was read must encode to the very same log.
    if encode_event(event) != (tuple(topics), data):
        raise LedgerProblem(f"a {kind.__name__} log is not in canonical form")
    return event


def _event(kind: type[Event], topics: list[int], reader: _Reader) -> Event:
    """Read one event; a wrong number of topics or bytes shows as LedgerProblem."""
    expected = {Registered: 3, Acted: 3, Anchored: 2, Refused: 2, ThresholdSet: 0, OrganisationAdmitted: 1}
    if len(topics) != expected.get(kind, 2):
        raise LedgerProblem(f"a {kind.__name__} log has {len(topics)} indexed words")
    if kind in (Registered, Acted):
        third, action, state, record = reader.words(4)
        (rows,) = reader.tables(4, 2)
        inputs = tuple(Input(word(row[0]), row[1]) for row in rows)
        made = Registered if kind is Registered else Acted
        actor = Actor.from_word(topics[2])
        return made(word(topics[0]), word(topics[1]), actor, third, action, state, word(record), inputs)
    if kind is LifecycleAdmitted:
        properties, document = reader.words(2)
        (rules,) = reader.tables(2, 1)
        return LifecycleAdmitted(
            topics[0], word(topics[1]), properties, word(document), tuple(row[0] for row in rules)
        )
    if kind is ThresholdSet:
        return ThresholdSet(*reader.words(1))
    if kind is KeyRevoked:
        return KeyRevoked(topics[0], _address(topics[1]), *reader.words(1))
    first, second = reader.words(2)
    if kind is Anchored:
        return Anchored(Actor.from_word(topics[0]), word(topics[1]), first, second)
    if kind is Refused:
        return Refused(word(topics[0]), Actor.from_word(topics[1]), first, second)
    if kind is KeyAdded:
        return KeyAdded(topics[0], _address(topics[1]), first, second)
    return OrganisationAdmitted(topics[0], first, word(second))


def decode_refusal(data: bytes) -> Reason | None:
    """The reason in the revert data of a refused call, None when it is not one of the contracts'."""
    if len(data) == 36 and data[:4] == REFUSED_ERROR:
        number = int.from_bytes(data[4:], "big")
        if number in Reason.__members__.values():
            return Reason(number)
    return None


def deployment(
    bytecode: bytes, founders: Sequence[Founder], threshold: int, tables: Sequence[Table]
) -> bytes:
    """Creation data: the bytecode and the encoded constructor arguments."""
    founder_rows = [(_number(founder.key), founder.roles, founder.profile) for founder in founders]
    table_rows = [(table.properties, table.document, len(table.rules)) for table in tables]
    rules = [(rule.word,) for table in tables for rule in table.rules]
    # Order of the constructor: founders, threshold, tables, rules; offsets stand among the words.
    sizes = [32 * (1 + 3 * len(founder_rows)), 32 * (1 + 3 * len(table_rows))]
    start = 32 * 4
    head = [word(start), word(threshold), word(start + sizes[0]), word(start + sum(sizes))]
    bodies = [arrays([], rows)[32:] for rows in (founder_rows, table_rows, rules)]
    return bytecode + b"".join(head + bodies)


def _number(address: bytes) -> int:
    return int.from_bytes(address, "big")


def _address(value: int) -> bytes:
    if value >= 2**160:
        raise LedgerProblem(f"{value:#x} is not a 20-byte address")
    return value.to_bytes(20, "big")


class _Reader:
    """Words and arrays out of ABI data; every access is bounds-checked."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what

    def words(self, count: int, at: int = 0) -> list[int]:
        end = at + 32 * count
        if end > len(self._data):
            raise LedgerProblem(f"{self._what} ends too early")
        return [int.from_bytes(self._data[i : i + 32], "big") for i in range(at, end, 32)]

    def tables(self, leading: int, *widths: int) -> list[list[list[int]]]:
        """The dynamic arrays whose offsets follow `leading` static words, one row width each."""
        found = []
        for position, width in enumerate(widths):
            (offset,) = self.words(1, 32 * (leading + position))
            (length,) = self.words(1, min(offset, len(self._data)))
            if length > len(self._data) // 32:
                raise LedgerProblem(f"{self._what} ends too early")
            flat = self.words(length * width, offset + 32)
            found.append([flat[i : i + width] for i in range(0, len(flat), width)])
        return found
