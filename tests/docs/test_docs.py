"""The pages say something of everything there is, and what they point at is there."""

import inspect
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from typer._click.core import Command

from proml import errors
from proml.cli.calling import command_of
from proml.cli.main import COMMANDS, EXIT_CODES
from proml.config import SETTINGS, VARIABLES
from proml.core.consortium import ROLES, SCOPES
from proml.core.refusal import Reason
from proml.core.verdict import NAMES, Conclusion, Outcome
from proml.lifecycles import FURTHER, shipped
from tests.docs.transcript import blocks

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GENERATED = DOCS / "reference.md"
WRITTEN = (
    ROOT / "README.md",
    *(
        DOCS / f"{page}.md"
        for page in (
            "tutorial",
            "concepts",
            "operating",
            "approvals",
            "custody",
            "delegation",
            "governance",
            "keys",
            "lifecycles",
            "searching",
            "node",
        )
    ),
)
PAGES = sorted(
    path
    for path in (
        ROOT / name
        for name in subprocess.check_output(
            ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, text=True
        ).splitlines()
    )
    if path.exists()
)
PUBLIC = {"arxiv.org", "semver.org", "127.0.0.1", "localhost", "github.com", "www.rfc-editor.org"}
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def written() -> str:
    """Everything that people wrote for users, without what is generated."""
    return "\n".join(text(page) for page in WRITTEN)


def paragraphs() -> list[str]:
    """Paragraphs, headings and rows of tables of the written pages."""
    return [part for line in written().split("\n\n") for part in [line, *line.splitlines()]]


def commands() -> Iterator[tuple[str, Command]]:
    """Every command and subcommand with its name as typed."""
    for name, command in COMMANDS.items():
        found = command_of(getattr(import_module(f"proml.cli.{command.module}"), f"{name}_command"))
        yield from _within(f"proml {name}", found)


def _within(name: str, command: Command) -> Iterator[tuple[str, Command]]:
    inner = getattr(command, "commands", {})
    if not inner:
        yield name, command
    for each, sub in inner.items():
        yield from _within(f"{name} {each}", sub)


# Everything has its paragraph


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_a_command_is_shown_or_explained_by_somebody(name: str) -> None:
    assert name in written()


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_a_command_is_in_the_reference_with_all_its_options(name: str) -> None:
    command = dict(commands())[name]
    section = text(GENERATED).split(f"#### `{name}`\n", 1)[1].split("#### ", 1)[0]
    for option in (opt for parameter in command.params for opt in parameter.opts if opt.startswith("--")):
        assert option in section


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_its_paragraph_and_its_variable(name: str) -> None:
    assert any(part.startswith(f"**`{name}`** (`PROML_{name.upper()}`)") for part in paragraphs())


@pytest.mark.parametrize("name", VARIABLES)
def test_an_environment_variable_has_its_paragraph(name: str) -> None:
    assert f"**`{name}`**" in written()


def test_no_environment_variable_is_read_that_is_not_listed() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    used = set(re.findall(r"PROML_[A-Z_]+", sources))
    known = {*VARIABLES, *(f"PROML_{name.upper()}" for name in SETTINGS), "PROML_"}
    assert used <= known


@pytest.mark.parametrize("name", [name for name, _ in inspect.getmembers(errors, inspect.isclass)])
def test_an_error_class_has_its_place_in_troubleshooting(name: str) -> None:
    (code,) = {getattr(errors, name).exit_code}
    assert re.search(rf"^### .*`{name}` \({code}\)", text(DOCS / "operating.md"), re.MULTILINE)


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_explained(reason: Reason) -> None:
    assert any(part.startswith("| ") and f"`{reason.name}`" in part.split("|")[1] for part in paragraphs())


@pytest.mark.parametrize("kind", [lifecycle.kind for lifecycle in shipped()])
def test_a_lifecycle_has_its_paragraph_and_its_picture(kind: str) -> None:
    section = re.split(rf"^### {kind.capitalize()}\n", text(DOCS / "concepts.md"), flags=re.MULTILINE)[1]
    assert f"![Lifecycle of a {kind}](pictures/lifecycle-{kind}.svg)".replace("a e", "an e") in section
    assert f"### Lifecycle: {kind}\n" in text(GENERATED)


@pytest.mark.parametrize("kind", FURTHER)
def test_a_lifecycle_to_vote_for_has_its_paragraph_and_its_picture(kind: str) -> None:
    section = re.split(rf"^### {kind}\n", text(DOCS / "lifecycles.md"), flags=re.MULTILINE)[1]
    assert f"![Lifecycle of a {kind}](pictures/lifecycle-{kind}.svg)" in section
    assert f"### Lifecycle: {kind}\n" in text(GENERATED)


@pytest.mark.parametrize("word", [*ROLES, *SCOPES])
def test_a_role_or_scope_is_used_by_somebody(word: str) -> None:
    assert word in written()


@pytest.mark.parametrize("number", NAMES)
def test_a_check_is_explained_under_its_name(number: int) -> None:
    assert f"| {number} | **{NAMES[number]}** |" in text(DOCS / "trust.md")


@pytest.mark.parametrize("word", [*Conclusion, Outcome.NOT_CHECKED])
def test_an_outcome_is_explained(word: str) -> None:
    assert f"**{word}**" in text(DOCS / "concepts.md") or f"`{word}`" in text(DOCS / "concepts.md")


def test_every_exit_code_that_can_happen_is_named() -> None:
    raised = {each.exit_code for _, each in inspect.getmembers(errors, inspect.isclass)}
    assert raised <= set(EXIT_CODES)
    for code, means in EXIT_CODES.items():
        assert f"| {code} | {means} |" in text(GENERATED)


def test_a_message_that_is_explained_is_still_said() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    troubleshooting = text(DOCS / "operating.md").split("## Troubleshooting", 1)[1]
    rows = [row.split(" | ")[0] for row in troubleshooting.splitlines() if row.startswith("| `")]
    said = [each for row in rows for each in re.findall(r"`([^`]+)`", row) if not each.isupper()]
    assert len(said) > 30
    missing = [each for each in said if each not in sources and each.replace("`", "") not in sources]
    assert [each for each in missing if not hasattr(Reason, each)] == []


# What is shown can be typed


def test_every_command_line_on_a_page_has_a_command_and_options_that_exist() -> None:
    known = dict(commands())
    wrong = []
    for page in PAGES:
        for line in _shown_commands(page):
            words = line.split()
            longest = (" ".join(words[:count]) for count in (4, 3, 2))
            name = next((each for each in longest if each in known), "")
            if name not in known:
                named = [word for word in words if word not in {"…", "--help", "…`"}]
                if any(each.startswith(" ".join(named) + " ") for each in known):
                    continue  # a group as such
                wrong.append(f"{page.name}: {line}")
                continue
            options = {
                "--help",
                *(
                    opt
                    for parameter in known[name].params
                    for opt in (*parameter.opts, *parameter.secondary_opts)
                ),
            }
            asked = re.findall(r"(?<=\s)--[a-z-]+", re.split(r"\s--(?:\s|$)|\s\|\s", line)[0])
            wrong += [f"{page.name}: {line} ({each})" for each in asked if each not in options]
    assert wrong == []


def _shown_commands(page: Path) -> Iterator[str]:
    """Each `proml …` in inline code and at the beginning of lines in blocks."""
    content = text(page)
    for inline in re.findall(r"`(proml [a-z][^`]*)`", _CODE.sub("", content)):
        yield " ".join(inline.split())
    for block in blocks(content):
        if page == GENERATED:
            continue  # made of the commands themselves
        for found in re.findall(r"(?:^|[$:&=\w] |&& )(proml [a-z][^\n]*)", block.text, re.MULTILINE):
            yield re.split(r" && | {3,}", found)[0]


# Links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    dangling = []
    for target in _LINK.findall(_CODE.sub("", text(page))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        aim = (page.parent / name).resolve() if name else page
        if not aim.exists() or (anchor and anchor not in _anchors(aim)):
            dangling.append(target)
    assert dangling == []


@cache
def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    anchors = set()
    for heading in _HEADING.findall(_CODE.sub("", text(page))):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain.replace("`", "")).replace(" ", "-")
        again = found.get(slug, 0)
        found[slug] = again + 1
        anchors.add(f"{slug}-{again}" if again else slug)
    return anchors


# Nothing that does not belong there


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_speaks_of_the_machine_it_was_written_on(page: Path) -> None:
    found = re.findall(r"/(?:root|home|work|Users)/\S*", text(page))
    assert found == []
    hosts = set(re.findall(r"https?://([\w.-]+)", text(page)))
    assert {host for host in hosts - PUBLIC if not host.endswith(".example")} == set()


def test_nothing_promises_compliance() -> None:
    for page in WRITTEN:
        for sentence in re.split(r"(?<=[.!?])\s", text(page)):
            if "complian" in sentence.lower() or "comply" in sentence.lower():
                assert "not" in sentence.lower(), sentence
