"""The evidence file as bytes: read back as written, and refused when anything about it is wrong."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proml.core.digest import hexed, sha256
from proml.core.document import canonical
from proml.core.verdict import Conclusion
from proml.errors import NotFound, RecordInvalid, StorageProblem, WrongLedger
from proml.verify import (
    Pins,
    Showing,
    check_evidence,
    enough,
    evidence,
    make_evidence,
    read_evidence,
    read_ledger,
    scope,
)
from tests.unit.verify.world import DEVELOPER, PROFILES, Made, World

Body = dict[str, Any]
MEMBERS = (
    "type", "version", "terms", "focus", "tip", "blocks", "events", "lifecycles", "organisations", "records",
    "batches", "proof",
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def model(world: World) -> Made:
    return world.story()


@pytest.fixture(scope="module")
def content(world: World, model: Made) -> bytes:
    return evidence_of(world, model, Showing(batches=True))


def evidence_of(world: World, made: Made, showing: Showing) -> bytes:
    grounds = read_ledger(world.ledger, PROFILES)
    return make_evidence(grounds, [world.storage], world.lifecycles, made.artefact, showing).content


def body_of(content: bytes) -> Body:
    body: Body = json.loads(content)["evidence"]
    return body


def sealed_with(body: Any) -> bytes:
    """An evidence file with another body and the digest of that: what a forger would write."""
    raw = body if isinstance(body, bytes) else canonical(body)
    return b'{"digest":"%s","evidence":%s}' % (hexed(sha256(raw)).encode(), raw)


def check(world: World, content: bytes) -> dict[str, Any]:
    return check_evidence(content, Pins(world.ledger.terms, None, PROFILES), world.lifecycles).document()


# --- written and read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "showing",
    [
        Showing(),
        Showing(batches=True),
        Showing(enough, batches=True),
        Showing(lambda _: ()),
        Showing(lambda commitment: None if commitment[0] < 128 else ("name", "amends")),
    ],
)
def test_a_file_is_read_as_it_was_written(world: World, model: Made, showing: Showing) -> None:
    grounds = read_ledger(world.ledger, PROFILES)
    evidence = make_evidence(grounds, [world.storage], world.lifecycles, model.artefact, showing)
    again = read_evidence(evidence.content)
    assert again == evidence
    assert again.content == evidence.content


def test_the_spelling_of_the_body_is_free_and_its_digest_is_not(world: World, content: bytes) -> None:
    spaced = json.dumps(body_of(content), indent=1).encode()
    assert read_evidence(sealed_with(spaced)) == read_evidence(content)


def test_a_file_holds_what_its_artefact_needs_and_nothing_else(
    world: World, model: Made, content: bytes
) -> None:
    world.dataset("unrelated")
    world.observe(DEVELOPER, count=9)
    evidence = read_evidence(evidence_of(world, model, Showing()))
    before = read_evidence(content)
    # The anchors of an organisation are a chain: all of them, or none can be checked.
    assert len(evidence.events) == len(before.events) + 1
    assert evidence.records == before.records
    assert len(evidence.lifecycles) == 3


def test_an_artefact_the_ledger_has_not_has_no_evidence(world: World) -> None:
    with pytest.raises(NotFound):
        evidence_of(world, Made(bytes(32), 1, bytes(32)), Showing())


def test_a_record_that_is_nowhere_is_left_out_and_one_that_was_altered_is_not_passed_on() -> None:
    world = World()
    data = world.dataset()
    kept = world.storage.kept.pop(data.record)
    assert len(read_evidence(evidence_of(world, data, Showing())).records) == 1
    world.storage.kept[data.record] = kept.replace(b'"depth":3', b'"depth":4')
    with pytest.raises(StorageProblem):
        evidence_of(world, data, Showing())


# --- every bit ------------------------------------------------------------------------------


def test_every_flipped_bit_is_refused() -> None:
    world = World()
    made = world.step(DEVELOPER, "run", "start")
    content = evidence_of(world, made, Showing())
    assert check(world, content)
    refused = 0
    changed = bytearray(content)
    for at in range(len(content)):
        for bit in range(8):
            changed[at] ^= 1 << bit
            try:
                read_evidence(bytes(changed))
            except RecordInvalid:
                refused += 1
            changed[at] ^= 1 << bit
    assert refused == 8 * len(content)


def test_every_cut_is_refused(content: bytes) -> None:
    for length in [*range(200), *range(len(content) - 200, len(content))]:
        with pytest.raises(RecordInvalid):
            read_evidence(content[:length])
    with pytest.raises(RecordInvalid):
        read_evidence(content + b"\n")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a document that is neither an object nor an array."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path


def altered(body: Body, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Body:
    other = copy.deepcopy(body)
    at = other
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = change(at[path[-1]])
    return other


def change(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str) and value.startswith("0x") and len(value) > 2:
        return value[:-1] + ("1" if value[-1] == "0" else "0")
    return f"{value}x" if isinstance(value, str) else {"was": "null"}


def checked(world: World, content: bytes) -> dict[str, Any] | None:
    """The verdict on a file, None where it is refused as every damaged file must be."""
    try:
        return check(world, content)
    except (RecordInvalid, WrongLedger):
        return None


def test_every_altered_value_under_a_new_digest_is_refused_or_shows_in_the_verdict(
    world: World, content: bytes
) -> None:
    body = body_of(content)
    genuine = check(world, content)
    paths = list(leaves(body))
    assert len(paths) > 300
    accepted = []
    for path in paths:
        verdict = checked(world, sealed_with(altered(body, path, change)))
        if verdict is not None:
            assert verdict != genuine, path
            assert verdict["conclusion"] != Conclusion.VALID.value
            accepted.append(path)
    # Without a proof the file's word stands for these, which the verdict says.
    assert {path[0] for path in accepted} <= {"blocks", "events", "organisations", "tip"}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_that_is_missing_or_of_another_kind_is_refused(content: bytes, name: str) -> None:
    body = body_of(content)
    for value in ("text", 7, [7], {"a": 1}, [None], [[]], [{}], None):
        if name == "proof" and value is None:
            continue
        with pytest.raises(RecordInvalid):
            read_evidence(sealed_with(body | {name: value}))
    del body[name]
    with pytest.raises(RecordInvalid):
        read_evidence(sealed_with(body))


def test_members_nobody_knows_are_refused_wherever_they_are(content: bytes) -> None:
    body = body_of(content)
    for path in (
        (),
        ("terms",),
        ("tip",),
        ("blocks", 0),
        ("events", 0),
        ("organisations", 0),
        ("records", 0),
    ):
        other = copy.deepcopy(body)
        at = other
        for name in path:
            at = at[name]
        at["extra"] = 1
        with pytest.raises(RecordInvalid):
            read_evidence(sealed_with(other))


# --- more than it needs ---------------------------------------------------------------------


def test_what_no_check_looks_at_is_refused(world: World, content: bytes) -> None:
    stranger = world.dataset("somebody else's")
    body, other = body_of(content), body_of(evidence_of(world, stranger, Showing()))
    foreign = [event for event in other["events"] if event not in body["events"]]
    assert foreign
    blocks = {block["number"]: block for block in body["blocks"] + other["blocks"]}
    surplus = [
        {
            "events": sorted(body["events"] + foreign, key=lambda event: (event["block"], event["index"])),
            "blocks": [blocks[number] for number in sorted(blocks)],
            "tip": other["tip"],
        },
        {"blocks": [blocks[number] for number in sorted(blocks)], "tip": other["tip"]},
        {"records": body["records"] + other["records"]},
        {"records": body["records"] + body["records"][:1]},
        {"batches": body["batches"] * 2},
        {"lifecycles": body["lifecycles"] * 2},
        {"lifecycles": [json.loads(each.document) for each in world.lifecycles]},
        {
            "organisations": [
                *body["organisations"],
                {"number": 9, "name": "Nobody", "salt": hexed(bytes(32))},
            ]
        },
        {"organisations": body["organisations"] * 2},
        {"organisations": body["organisations"][::-1]},
        {"blocks": body["blocks"][::-1]},
        {"events": body["events"][::-1]},
        {"tip": body["tip"] | {"number": body["tip"]["number"] - 1}},
        {"tip": body["tip"] | {"hash": hexed(bytes(32))}},
        {"tip": body["tip"] | {"time": body["tip"]["time"] - 1}},
        {"focus": hexed(stranger.artefact)},
    ]
    for members in surplus:
        with pytest.raises(RecordInvalid):
            check(world, sealed_with(body | members))


def test_a_batch_of_a_record_that_is_not_shown_is_refused(world: World, content: bytes) -> None:
    body = body_of(content)
    body["records"] = [entry for entry in body["records"] if "observations" not in entry["sealed"]["record"]]
    with pytest.raises(RecordInvalid, match="batch"):
        check(world, sealed_with(body))
    with pytest.raises(RecordInvalid, match="anchors"):
        check(world, sealed_with(body | {"batches": []}))


# --- hostile documents ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"{}",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"type":"proml/evidence","type":"proml/evidence"}',
        b'{"type":NaN}',
        b'{"type":Infinity}',
        b'{"type":1e999}',
        b'{"type":' + b"9" * 10_000 + b"}",
        b'{"type":"\xff"}',
        b'{"type":"\\ud800"}',
        b'{"type":"proml/evidence","version":true}',
        b'{"type":"proml/evidence","version":2}',
    ],
    ids=lambda hostile: repr(hostile[:24]),
)
def test_hostile_bodies_are_refused(hostile: bytes) -> None:
    for content in (hostile, sealed_with(hostile)):
        with pytest.raises(RecordInvalid):
            read_evidence(content)


def test_a_giant_is_refused_before_it_is_read() -> None:
    with pytest.raises(RecordInvalid, match="more than"):
        read_evidence(bytes(64 * 1024 * 1024 + 1))


def test_a_file_that_would_be_too_large_is_not_made(
    world: World, model: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MAX_BYTES", 1_000)
    with pytest.raises(RecordInvalid, match="would have"):
        evidence_of(world, model, Showing())
    monkeypatch.setattr(scope, "MAX_ARTEFACTS", 3)
    with pytest.raises(RecordInvalid, match="too many"):
        evidence_of(world, model, Showing())


def test_hostile_text_changes_nothing_but_the_text(world: World, content: bytes) -> None:
    body = body_of(content)
    body["organisations"][0]["name"] = "<script>\x1b[31m\u202e" + "A" * 1000
    verdict = check_evidence(sealed_with(body), Pins(world.ledger.terms), world.lifecycles)
    assert verdict.conclusion is Conclusion.INVALID  # that is not the member's name


def test_numbers_beyond_every_word_are_refused(content: bytes) -> None:
    body = body_of(content)
    for path in (
        ("events", 0, "block"),
        ("events", 0, "index"),
        ("blocks", 0, "number"),
        ("terms", "chain_id"),
    ):
        for value in (-1, 1.5, True, "1", None):
            with pytest.raises(RecordInvalid):
                read_evidence(sealed_with(altered(body, path, lambda _, value=value: value)))
