"""Drafts: what is written is read back, and what is no draft is refused."""

import dataclasses
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.capture import draft as draft_module
from proml.capture.draft import (
    Draft,
    EnvironmentSeen,
    Observed,
    Produced,
    Reference,
    RunEnded,
    RunStarted,
    StepAsked,
    Subject,
    Used,
    decode,
    encode,
)
from proml.capture.plain import plain
from proml.errors import JournalProblem

digests = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
moments = st.floats(0, 253_402_300_799)
contents = st.dictionaries(
    texts,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
sizes = st.integers(0, 2**53 - 1)
subjects = st.builds(Subject, texts, sizes, digests, st.none() | digests, st.none() | sizes)
references = (
    st.builds(Reference, salt=digests)
    | st.builds(Reference, artefact=digests)
    | st.builds(Reference, subject=subjects)
)
inputs = st.lists(st.tuples(references, texts), max_size=3).map(tuple)
drafts: dict[type[Any], st.SearchStrategy[Draft]] = {
    RunStarted: st.builds(RunStarted, digests, names, moments, contents, contents),
    EnvironmentSeen: st.builds(EnvironmentSeen, digests, contents, st.none() | contents),
    Used: st.builds(Used, digests, references, texts),
    Observed: st.builds(Observed, digests, moments, st.none() | sizes, contents),
    Produced: st.builds(Produced, digests, subjects, st.none(), st.none() | texts, st.none())
    | st.builds(Produced, digests, subjects, texts, texts, digests),
    RunEnded: st.builds(RunEnded, digests, moments, st.sampled_from(["finished", "failed"]), texts),
    StepAsked: st.builds(
        StepAsked,
        texts,
        texts,
        moments,
        digests,
        st.none(),
        st.none() | texts,
        st.none() | subjects,
        inputs,
        contents,
        contents,
        contents,
    )
    | st.builds(
        StepAsked,
        texts,
        texts,
        moments,
        st.none(),
        references,
        st.none() | texts,
        st.none() | subjects,
        inputs,
        contents,
        contents,
        contents,
    ),
}
every = st.one_of(*drafts.values())


def test_every_class_has_a_strategy_here():
    assert set(drafts) == set(Draft.__args__)  # type: ignore[attr-defined]


@given(every)
def test_what_was_written_is_read_back(draft):
    assert decode(encode(draft)) == draft


@given(every)
def test_a_draft_is_one_json_object_that_names_its_class(draft):
    content = orjson.loads(encode(draft))
    assert content["draft"] == type(draft).__name__
    assert plain(content) == content


@given(every, st.data())
def test_a_member_that_is_missing_or_strange_is_refused_or_understood(draft, data):
    content = orjson.loads(encode(draft))
    name = data.draw(st.sampled_from(sorted(content)))
    if data.draw(st.booleans()):
        del content[name]
    else:
        content[name] = data.draw(
            st.sampled_from(
                [None, True, -1, 1e300, "", "0x00", [], {}, [[1]], {"": 0}, {"salt": 5}, [[{}, 1]]]
            )
        )
    try:
        read = decode(orjson.dumps(content))
    except JournalProblem:
        return
    # What was accepted is sound: it can be written again and says the same.
    assert decode(encode(read)) == read


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"5",
        b'"RunStarted"',
        b"{}",
        b'{"draft":"Later"}',
        b'{"draft":["RunStarted"]}',
        b'{"draft":{}}',
        b'{"draft":"RunStarted"}',
        b'{"draft":"RunEnded","run":"0x00","at":1,"outcome":"finished"}',
        b"[" * 2000,
    ],
)
def test_what_is_no_draft_is_refused(payload):
    with pytest.raises(JournalProblem, match="no draft this version knows"):
        decode(payload)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fall_over(payload):
    with pytest.raises(JournalProblem):
        decode(payload)


def test_an_additional_member_is_refused_because_a_newer_version_wrote_it():
    started = RunStarted("0x" + "00" * 32, "train", 1.0)
    content = {**orjson.loads(encode(started)), "mood": "good"}
    with pytest.raises(JournalProblem):
        decode(orjson.dumps(content))


def test_an_environment_that_an_older_version_saw_has_no_code():
    seen = {"draft": "EnvironmentSeen", "run": "0x" + "00" * 32, "environment": {"python": "3.11"}}
    assert decode(orjson.dumps(seen)) == EnvironmentSeen(seen["run"], seen["environment"])  # type: ignore[arg-type]


def test_every_member_of_every_class_is_checked():
    named = {field.name for kind in drafts for field in dataclasses.fields(kind)}
    assert named == set(draft_module._TYPES)
