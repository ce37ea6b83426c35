"""What scripts pass as metrics and parameters, and what stands in the journal for it."""

import datetime as dt
import decimal
import enum
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import proml
from proml.capture.draft import Observed, RunStarted
from proml.capture.plain import MAX_TEXT, plain
from proml.core.document import canonical


class Unshowable:
    def __str__(self) -> str:
        raise KeyError("no text")


class Hostile:
    def __getattr__(self, name: str) -> object:
        raise ZeroDivisionError(name)

    def __str__(self) -> str:
        return "hostile"


class Colour(enum.IntEnum):
    RED = 1


ITSELF: list[object] = []
ITSELF.append(ITSELF)

CASES = [
    (0.25, 0.25),
    (7, 7),
    (True, True),
    (None, None),
    ("text", "text"),
    (math.nan, "NaN"),
    (math.inf, "Infinity"),
    (-math.inf, "-Infinity"),
    (2**53 - 1, 2**53 - 1),
    (2**53, "9007199254740992"),
    (-(2**70), "-1180591620717411303424"),
    (1 << 20_000, "0x1" + "0" * 5_000),
    (np.float64(0.5), 0.5),
    (np.float32(0.5), 0.5),
    (np.float32("nan"), "NaN"),
    (np.int64(3), 3),
    (np.uint64(2**63), "9223372036854775808"),
    (np.bool_(True), True),
    (np.array(4), 4),
    (np.array([1, 2]), "[1 2]"),
    (Colour.RED, 1),
    (decimal.Decimal("1.10"), "1.10"),
    (dt.date(2024, 1, 2), "2024-01-02"),
    (Path("a/b"), "a/b"),
    (b"\xff", "b'\\xff'"),
    ("lone \ud800 surrogate", "lone ? surrogate"),
    ("x" * 20_000, "x" * MAX_TEXT),
    ((1, [2.5, {3: math.nan}]), [1, [2.5, {"3": "NaN"}]]),
    (Unshowable(), "<Unshowable>"),
    (Hostile(), "hostile"),
]


@pytest.mark.parametrize(("given_", "expected"), CASES, ids=lambda value: type(value).__name__)
def test_a_metric_becomes_json(project, given_, expected):
    with proml.track("train") as run:
        run.log({"value": given_, "loss": 0.5}, step=3)
    observed = project.only(Observed)
    assert observed.metrics == {"value": expected, "loss": 0.5}
    assert type(observed.metrics["value"]) is type(expected)
    assert run.missed == 0


@pytest.mark.parametrize(("given_", "expected"), CASES, ids=lambda value: type(value).__name__)
def test_a_parameter_becomes_the_same_json(project, given_, expected):
    with proml.track("train", parameters={"value": given_}):
        pass
    assert project.only(RunStarted).parameters == {"value": expected}


@pytest.mark.parametrize(
    ("step", "expected"), [(None, None), (0, 0), (np.int64(7), 7), (0.5, 0.5), (2**60, str(2**60))]
)
def test_a_step_may_be_any_number(project, step, expected):
    with proml.track("train") as run:
        run.log({"loss": 1}, step=step)
    assert project.only(Observed).step == expected


def test_names_that_are_no_texts_become_texts(project):
    with proml.track("train", parameters={1: {2: 3}}) as run:
        run.log({("layer", 1): 0.5, None: 1})
    assert project.only(RunStarted).parameters == {"1": {"2": 3}}
    assert project.only(Observed).metrics == {"('layer', 1)": 0.5, "None": 1}


@pytest.mark.parametrize("metrics", [None, 0.5, [1, 2], "loss"])
def test_metrics_that_are_no_mapping_are_counted_and_not_recorded(project, caplog, metrics):
    with proml.track("train") as run:
        run.log(metrics)
        run.log({"loss": 1})
    assert run.missed == 1
    assert "metrics map names to numbers" in caplog.text
    assert project.only(Observed).metrics == {"loss": 1}


def test_what_contains_itself_ends(project):
    with proml.track("train", parameters={"it": ITSELF}) as run:
        pass
    assert run.missed == 0
    assert project.only(RunStarted).parameters["it"]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=8)
    | st.characters(categories=["Cs"])
    | st.builds(np.float32, st.floats(width=32))
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.integers())
    ),
    max_leaves=20,
)


@given(VALUES)
def test_whatever_is_passed_has_a_canonical_form_and_stays_as_it_is_then(value):
    once = plain(value)
    canonical(once)
    assert plain(once) == once


def test_logging_a_million_times_takes_no_growing_memory(project):
    # A million appends would take seconds; growth shows in the difference of two equal stretches.
    with proml.track("train") as run:
        for step in range(1_000):
            run.log({"loss": 0.5, "odd": math.nan}, step=step)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for step in range(10_000):
                run.log({"loss": 0.5, "odd": math.nan}, step=step)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < 10_000  # less than one byte per call
