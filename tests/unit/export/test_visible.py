"""What people see of texts that other organisations wrote."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.export.visible import ascii_only, short_id, shortened, visible
from tests.unit.export.hostile import HOSTILE

ANY_TEXT = st.text(st.characters(), max_size=300)


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("plain-name_1.csv", "plain-name_1.csv"),
        ("Zürich · 東京", "Zürich · 東京"),
        ("two\nlines\tand\r", "two\\nlines\\tand\\r"),
        ("\x1b[31m", "\\x1b[31m"),
        ("invoice\u202egpj.exe", "invoice\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("lone \ud800", "lone \\ud800"),
        ("blank \u3164 letter", "blank \\u3164 letter"),
        ("wide\u2003space", "wide\\u2003space"),
        ("10\u00a0000", "10\u00a0000"),
        ("C:\\new", "C:\\new"),
        ("e\u0301 is one mark", "e\u0301 is one mark"),
        ("z" + "\u0301" * 5, "z" + "\u0301" * 3 + "\\u0301" * 2),
    ],
)
def test_what_has_no_ink_or_moves_ink_is_shown_as_an_escape(written: str, seen: str) -> None:
    assert visible(written) == seen


@given(ANY_TEXT)
def test_no_control_bidirectional_or_unencodable_character_survives(written: str) -> None:
    shown = visible(written)
    shown.encode("utf-8")
    assert not any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for each in shown)


@given(ANY_TEXT)
def test_making_visible_twice_changes_nothing_more(written: str) -> None:
    assert visible(visible(written)) == visible(written)


@given(ANY_TEXT, st.integers(4, 80))
def test_a_shortened_text_fits_and_keeps_its_ends(written: str, longest: int) -> None:
    short = shortened(written, longest)
    assert len(short) <= longest
    if len(visible(written)) > longest:
        assert visible(written).startswith(short[: short.index("…")] if "…" in short else short)


def test_a_name_keeps_its_ending_when_it_is_shortened() -> None:
    assert shortened("a-very-long-name-of-a-dataset-2026.csv", 20) == "a-very-long-n…26.csv"


def test_of_an_enormous_text_the_rest_is_only_counted() -> None:
    shown = visible("x" * 25_000)
    assert shown.endswith("x… (15,000 more characters)")
    assert len(shown) < 10_100


@pytest.mark.parametrize("written", HOSTILE)
def test_an_ascii_output_gets_nothing_but_ascii(written: str) -> None:
    assert ascii_only(visible(written)).isascii()


def test_a_short_id_is_the_first_eight_digits() -> None:
    assert short_id("0x0123456789abcdef") == "01234567"
