"""Runs the command blocks of a page and compares what they print with what the page shows.

    python -m tests.docs.transcript README.md            compare
    python -m tests.docs.transcript --write README.md    put what was printed into the page where it differs,
                                                         or where the page shows nothing but `…`

A page is cut into parts at headings of the second level that begin with "Part", each of which starts in an
empty folder; a page without such headings is one part. In a part, in their order:

* a `python`, `toml` or `text` block whose first line is `# NAME` is written to the file NAME. Where it
  holds `…`, that is taken from what was printed before in lines that are otherwise the same;
* the lines of a `console` block that begin with `$ ` are run by one bash, `> ` goes on with the line before;
  what stands below is what they print, errors included. `0x…` in a command is the last id or hash of 32
  bytes that was printed. A command that fails must be followed by `echo $?`. Without any line below, the
  output is not compared.

Ids, addresses, times and the numbers of chains differ from run to run and are not compared; neither are the
widths of columns. `…` stands for anything within a line, and alone for any number of lines.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from proml.errors import ProMLError
from proml.ledger.anvil import EmbeddedChain

ROOT = Path(__file__).resolve().parents[2]
FILLED = ("python", "toml", "text")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PART = re.compile(r"^## Part .*$", re.MULTILINE)
_SAME = (
    (re.compile(r"0x[0-9a-f]+…?"), "0x…"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "…"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(Z| UTC)"), "…"),
    (re.compile(r"\b\d{9,10}\b"), "…"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:…"),
    (re.compile(r" +"), " "),
)
# Long ids widen a page and say nothing; `…` is put in by hand where a machine shows through.
_LONG = re.compile(r"(0x[0-9a-f]{8})[0-9a-f]{32,56}\b")
_END = "\x1eend of command\x1e"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its lines, and where they stand in the page (characters)."""

    language: str
    text: str
    start: int
    end: int


@dataclass(slots=True)
class Command:
    """A command of a page and the lines the page shows below it."""

    text: str
    shown: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command printed, without trailing white space, and its exit code."""

    lines: list[str]
    code: int


class Shell:
    """One bash in one folder; commands see what earlier ones changed."""

    def __init__(self, folder: Path) -> None:
        """Start it, with the programs of this environment first on PATH and no setting of ProML."""
        self._folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROML_")}
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", "COLUMNS": "200"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._code = 0

    def run(self, command: str) -> Printed:
        """Run one command; its standard input is empty."""
        assert self._bash.stdin
        assert self._bash.stdout
        script = f"(exit {self._code})\n{{ {command}\n}} </dev/null\nprintf '%s %s\\n' '{_END}' \"$?\"\n"
        self._bash.stdin.write(script)
        self._bash.stdin.flush()
        lines: list[str] = []
        for line in self._bash.stdout:
            before, ended, code = line.partition(_END)
            if ended:
                lines += [before] if before else []
                self._code = int(code)
                break
            lines.append(line.rstrip().replace(str(self._folder), "…"))
        else:
            raise AssertionError(f"the shell ended at {command!r}")
        while lines and not lines[-1]:
            lines.pop()
        return Printed(lines, self._code)

    def close(self) -> None:
        """End it."""
        self._bash.communicate("exit\n")


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    return [Block(found[1], found[2], found.start(2), found.end(2)) for found in _FENCE.finditer(text)]


def parts(text: str) -> list[list[Block]]:
    """The blocks of each part of a page; what stands before the first part belongs to it."""
    cuts = [found.start() for found in _PART.finditer(text)][1:]
    found = blocks(text)
    ends = [*cuts, len(text)]
    return [
        [each for each in found if start <= each.start < end]
        for start, end in zip([0, *cuts], ends, strict=True)
    ]


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    found: list[Command] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        elif line.startswith("> ") and found and not found[-1].shown:
            found[-1].text += "\n" + line[2:]
        else:
            assert found, f"a console block begins with {line!r}, which is no command"
            found[-1].shown.append(line.rstrip())
    return found


def rewritten(part: list[Block]) -> Iterator[tuple[Block, str]]:
    """Run a part in a fresh folder; each console block with what it really printed.

    Raises:
        AssertionError: when a command fails and the page does not say so.
    """
    with tempfile.TemporaryDirectory(prefix="proml-page-") as name:
        folder = Path(name).resolve()
        shell = Shell(folder)
        heard: list[str] = []
        try:
            yield from _rewritten(part, shell, folder, heard)
        finally:
            shell.close()
            _stop_chains(folder)


def _rewritten(
    part: list[Block], shell: Shell, folder: Path, heard: list[str]
) -> Iterator[tuple[Block, str]]:
    here = folder
    for block in part:
        if block.language in FILLED and block.text.startswith("# "):
            title, _, content = block.text.partition("\n")
            (here / title[2:].strip()).write_text(_filled(content, heard), encoding="utf-8")
        elif block.language == "console":
            lines: list[str] = []
            asked = commands(block)
            for command, following in zip(asked, [*asked[1:], None], strict=True):
                printed = shell.run(_completed(command.text, heard))
                expected = following is not None and following.text == "echo $?"
                assert not printed.code or expected, "\n".join(
                    [f"$ {command.text}", *printed.lines, f"exit code {printed.code}"]
                )
                heard += printed.lines
                lines.append("$ " + command.text.replace("\n", "\n> "))
                lines += printed.lines if command.shown else []
            here = Path("/".join(shell.run("pwd").lines).replace("…", str(folder)))
            yield block, "\n".join(lines) + "\n"


def differs(shown: str, printed: str) -> bool:
    """Whether what a page shows is something else than what was printed."""
    pattern = ""
    for line in _normal(shown):
        pattern += r"(?:.*\n)*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
    return re.fullmatch(pattern, "".join(line + "\n" for line in _normal(printed))) is None


def _normal(text: str) -> list[str]:
    for what, same in _SAME:
        text = what.sub(same, text)
    return [line.strip() for line in text.splitlines()]


def _filled(content: str, heard: list[str]) -> str:
    """The content of a file with each `…` taken from lines that were printed and are otherwise the same."""
    said = "\n".join(heard)
    paragraphs = []
    for paragraph in content.split("\n\n"):
        head, elided, tail = paragraph.partition("…")
        if elided:
            found = re.search(re.escape(head) + "([^\n]*?)" + re.escape(tail[:1]), said)
            assert found, f"nothing that was printed fills {paragraph!r}"
            elided = found[1]
        paragraphs.append(head + elided + tail)
    return "\n\n".join(paragraphs)


def _completed(command: str, heard: list[str]) -> str:
    hashes = re.findall(r"0x[0-9a-f]{64}", "\n".join(heard)) if "0x…" in command else []
    return command.replace("0x…", hashes[-1]) if hashes else command


def _stop_chains(folder: Path) -> None:
    for settings in folder.rglob(".proml/chain/chain.json"):
        with contextlib.suppress(ProMLError):
            EmbeddedChain(settings.parent).kill()


def main() -> int:
    """Compare pages with their commands, or write what these print into the pages."""
    parser = argparse.ArgumentParser(description="run the command blocks of pages")
    parser.add_argument("--write", action="store_true", help="put what was printed into the page")
    parser.add_argument("pages", nargs="+", type=Path)
    arguments = parser.parse_args()
    stale = 0
    for page in arguments.pages:
        text = page.read_text(encoding="utf-8")
        found = [each for part in parts(text) for each in rewritten(part)]
        for block, printed in reversed(found):
            unfilled = arguments.write and any(each.shown == ["…"] for each in commands(block))
            if unfilled or differs(block.text, printed):
                stale += 1
                print(f"{page} shows\n{block.text}\nand this was printed\n{printed}")
                text = text[: block.start] + _LONG.sub(r"\1…", printed) + text[block.end :]
        if arguments.write:
            page.write_text(text, encoding="utf-8")
    return 1 if stale and not arguments.write else 0


if __name__ == "__main__":
    raise SystemExit(main())
