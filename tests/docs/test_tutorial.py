"""The README and the tutorial do what they say: every command block is run, on the real chain."""

import pytest

from tests.docs.transcript import ROOT, blocks, differs, parts, rewritten

PAGES = ("README.md", "docs/tutorial.md")
PARTS = [
    pytest.param(page, number, id=f"{page}, part {number + 1}")
    for page in PAGES
    for number in range(len(parts((ROOT / page).read_text(encoding="utf-8"))))
]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "number"), PARTS)
def test_a_page_shows_what_its_commands_print(page: str, number: int) -> None:
    part = parts((ROOT / page).read_text(encoding="utf-8"))[number]
    for block, printed in rewritten(part):
        assert not differs(block.text, printed), f"the page shows\n{block.text}\nand printed was\n{printed}"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_that_looks_like_a_command_is_left_out(page: str) -> None:
    for block in blocks((ROOT / page).read_text(encoding="utf-8")):
        if block.language in {"sh", "bash", "shell", ""}:
            pytest.fail(f"{page} has commands that no test runs:\n{block.text}")
