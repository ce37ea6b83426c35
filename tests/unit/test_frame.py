"""The bytes of a journal: headers, frames, and the chain through them."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from proml.core import frame
from proml.core.frame import CUT_SHORT, Continuation, Frame, Header, Reach

GOLDEN = Path(__file__).parent.parent / "golden" / "journal-v1.journal"
EARLIER = Continuation(bytes(range(16)), 7, bytes(range(32)), frame.SYNC_FAILED)
HEADER = Header(bytes(range(16, 32)), 1_700_000_000_000_000_000, 4321, EARLIER)

headers = st.builds(
    Header,
    file_id=st.binary(min_size=16, max_size=16).filter(any),
    created_ns=st.integers(0, 2**64 - 1),
    pid=st.integers(0, 2**32 - 1),
    previous=st.none()
    | st.builds(
        Continuation,
        file_id=st.binary(min_size=16, max_size=16).filter(any),
        frames=st.integers(0, 2**64 - 1),
        chain=st.binary(min_size=32, max_size=32),
        reason=st.sampled_from([frame.ROLLED, frame.WRITE_FAILED, frame.SYNC_FAILED]),
    ),
)


def frames_of(payloads: list[bytes]) -> bytes:
    raw = frame.encode_header(HEADER)
    chain = frame.beginning(raw).chain
    for payload in payloads:
        content, chain = frame.encode_frame(payload, chain)
        raw += content
    return raw


@given(headers)
def test_a_header_comes_back_as_it_was(header: Header) -> None:
    raw = frame.encode_header(header)
    assert len(raw) == frame.HEADER_BYTES == 104
    assert frame.newer_version(raw) is None
    assert frame.decode_header(raw) == header


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_frames_come_back_in_order_and_end_where_the_bytes_end(payloads: list[bytes]) -> None:
    raw = frames_of(payloads)
    reach = frame.beginning(raw[:104])
    assert reach == Reach(0, 104, sha256(raw[:104]).digest())
    at, chain, found = reach.size, reach.chain, []
    while isinstance(taken := frame.take_frame(raw, at, chain), Frame):
        at, chain = taken.end, taken.chain
        found.append(taken.payload)
    assert (found, at, taken) == (payloads, len(raw), CUT_SHORT)


def test_the_layout_is_the_documented_one() -> None:
    raw = frames_of([b"one", b"three"])
    first = raw[104 : 104 + 43]
    chain = sha256(sha256(raw[:104]).digest() + b"one").digest()
    assert first[:4] == (3).to_bytes(4, "little")
    assert first[4:8] == crc32(first[:4] + chain).to_bytes(4, "little")
    assert first[8:40] == chain
    assert first[40:] == b"one"
    assert raw[:8] == b"\x89ProML\r\n"
    assert raw[8:12] == (1).to_bytes(4, "little")
    assert raw[100:104] == crc32(raw[:100]).to_bytes(4, "little")


def test_the_golden_file_is_still_what_this_version_writes() -> None:
    assert GOLDEN.read_bytes() == frames_of([b'{"type":"proml/draft"}', b"", "ü".encode()])


def test_a_flipped_bit_in_a_header_never_passes() -> None:
    for bit in range(104 * 8):
        raw = bytearray(frame.encode_header(HEADER))
        raw[bit // 8] ^= 1 << bit % 8
        newer = frame.newer_version(bytes(raw))
        assert newer or isinstance(frame.decode_header(bytes(raw)), str)
        assert newer is None or 8 <= bit // 8 < 12


def test_a_header_cut_short_is_told_from_a_foreign_file() -> None:
    raw = frame.encode_header(HEADER)
    assert frame.decode_header(raw[:-1]) == "the header is cut short"
    assert frame.decode_header(b"SQLite format 3\0" + bytes(100)) == "this is not a journal file"


def test_a_newer_version_is_recognised_by_its_first_twelve_bytes_alone() -> None:
    assert frame.newer_version(frame.MAGIC + (2).to_bytes(4, "little")) == 2
    assert frame.newer_version(frame.MAGIC) is None
    assert frame.newer_version(b"SQLite f" + (2).to_bytes(4, "little")) is None


def test_two_frames_that_changed_places_are_found() -> None:
    raw = frames_of([b"aa", b"bb"])
    first, second = raw[104:146], raw[146:]
    swapped = raw[:104] + second + first
    found = frame.take_frame(swapped, 104, frame.beginning(raw[:104]).chain)
    assert found == "the payload has been altered, or frames before it are missing"


def test_a_wrong_length_is_told_from_a_short_file() -> None:
    raw = bytearray(frames_of([b"one"]))
    raw[104] = 200
    chain = frame.beginning(bytes(raw[:104])).chain
    assert frame.take_frame(bytes(raw), 104, chain) == "the frame's length or chain value has been altered"
    assert (
        frame.take_frame(bytes(raw[:-1]), 104, chain) == "the frame's length or chain value has been altered"
    )


def test_a_tail_of_zeros_as_power_cuts_leave_it_is_damage_and_not_a_frame() -> None:
    raw = frames_of([]) + bytes(4096)
    assert frame.take_frame(raw, 104, frame.beginning(raw[:104]).chain) != CUT_SHORT


def test_a_length_beyond_the_limit_is_refused_even_under_a_right_checksum() -> None:
    length = (frame.MAX_PAYLOAD + 1).to_bytes(4, "little")
    head = length + crc32(length + bytes(32)).to_bytes(4, "little") + bytes(32)
    assert frame.take_frame(head, 0, bytes(32)) == "the frame's length or chain value has been altered"


def test_a_header_of_version_0_is_no_older_version() -> None:
    raw = bytearray(frame.encode_header(replace(HEADER, previous=None)))
    raw[8] = 0
    raw[100:104] = crc32(raw[:100]).to_bytes(4, "little")
    assert frame.decode_header(bytes(raw)) == "the header states version 0, which never was"
