"""Lifecycles of a project's own: read from the files people write, kept where the project finds them.

A file is JSON or TOML. What counts, for the ledger and for other members, is the canonical JSON of it: the
same lifecycle written in either has the same id.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from proml.core.digest import hexed
from proml.core.document import canonical, parse
from proml.core.lifecycle import Lifecycle
from proml.core.lifecycle_file import Examined, examine, read_lifecycle
from proml.core.line_numbers import Place, lines_of
from proml.errors import LifecycleInvalid, NotFound, RecordInvalid, UsageProblem

# The longest file that says anything: 128 transitions with every member are a tenth of this.
MAX_BYTES = 1024 * 1024
_TOML_TABLE = re.compile(r"^[ \t]*\[\[[ \t]*transitions[ \t]*\]\]", re.MULTILINE)
_TOML_KEY = r"""^[ \t]*["']?{}["']?[ \t]*="""


@dataclass(frozen=True, slots=True)
class Written:
    """A lifecycle file as somebody wrote it.

    Attributes:
        name: how it was named.
        text: what it holds.
        is_toml: otherwise it is JSON.
        examined: what it came to.
    """

    name: str
    text: str
    is_toml: bool
    examined: Examined

    def place(self, place: Place) -> str:
        """Where something is, for people: the line as far as it can be told, and the way from the outside."""
        way = ""
        for part in place:
            way += f" {part + 1}" if isinstance(part, int) else f", {part}" if way else str(part)
        line = self._line(place)
        return ": ".join(filter(None, (f"line {line}" if line else "", way))) or "the file"

    def _line(self, place: Place) -> int | None:
        if not self.is_toml:
            lines = lines_of(self.text)
            # What is missing has no line; what it is missing from has.
            return next(lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines)
        return self._toml_line(place)

    def _toml_line(self, place: Place) -> int | None:
        """The line of a `[[transitions]]`, or of a name at the top; None where it is written otherwise."""
        if not place:
            return None
        found = list(_TOML_TABLE.finditer(self.text))
        at = None
        if place[0] == "transitions" and len(place) > 1 and isinstance(place[1], int):
            at = found[place[1]] if place[1] < len(found) else None
        elif found:
            top = self.text[: found[0].start()]
            at = re.compile(_TOML_KEY.format(re.escape(str(place[0]))), re.MULTILINE).search(top)
        return None if at is None else self.text.count("\n", 0, at.start()) + 1


def read_written(path: Path) -> Written:
    """Read and examine a lifecycle file; what is wrong with its content is in `examined`.

    Raises:
        NotFound: when there is no such file, or it cannot be read.
        LifecycleInvalid: when it is neither JSON nor TOML, saying in which line and column.
    """
    content = _content(path)
    is_toml = path.suffix.lower() == ".toml"
    if path.suffix.lower() in (".yaml", ".yml"):
        raise LifecycleInvalid(f"{path} is YAML, which is not read here", "write it as JSON or TOML")
    try:
        text = content.decode("utf-8")
        file = _from_toml(text) if is_toml else parse(content, "it", MAX_BYTES)
    except (RecordInvalid, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        said = str(error) or "nested too deeply"
        raise LifecycleInvalid(
            f"{path} cannot be read: {said}", "lifecycle files are JSON, or TOML if they end in .toml"
        ) from error
    return Written(str(path), text, is_toml, examine(file))


def sound(written: Written) -> Lifecycle:
    """The lifecycle of a file.

    Raises:
        LifecycleInvalid: naming the first thing that is wrong and how many there are.
    """
    examined = written.examined
    if examined.lifecycle is None:
        first, more = examined.problems[0], len(examined.problems) - 1
        rest = f", and {more} more" if more else ""
        hint = f"`proml lifecycle check {written.name}` tells everything"
        raise LifecycleInvalid(f"{written.name}, {written.place(first.place)}: {first.text}{rest}", hint)
    return examined.lifecycle


def _from_toml(text: str) -> Mapping[str, Any]:
    # Through canonical JSON, so that a date or an infinity is refused as there, and 1.0 is 1.
    return parse(canonical(tomllib.loads(text)), "it", MAX_BYTES)


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise NotFound(f"{path} is not a file", "name a lifecycle file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotFound(f"the lifecycle file {path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise LifecycleInvalid(f"{path} has more than {MAX_BYTES} bytes", "no lifecycle needs that many")
    return content


def keep(folder: Path, lifecycle: Lifecycle) -> Path:
    """Keep a lifecycle in a project's folder of lifecycles; harmless to repeat.

    Raises:
        UsageProblem: when it cannot be written; nothing half written is left.
    """
    path = folder / f"{lifecycle.kind}-{hexed(lifecycle.table.id)[2:14]}.json"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_bytes(lifecycle.document)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise UsageProblem(f"{path} cannot be written: {error.strerror}") from error
    return path


def kept(folder: Path) -> tuple[Lifecycle, ...]:
    """The lifecycles kept in a project's folder, by name.

    Raises:
        LifecycleInvalid: when a file there is damaged, naming it.
    """
    # Asked for each artefact of a ledger, and by nodes that run while files are added.
    try:
        with os.scandir(folder) as entries:
            files = [(each.name, each.stat().st_mtime_ns) for each in entries if each.name.endswith(".json")]
    except OSError:
        return ()
    return _kept(folder, tuple(sorted(files)))


@lru_cache(maxsize=16)
def _kept(folder: Path, files: tuple[tuple[str, int], ...]) -> tuple[Lifecycle, ...]:
    found = []
    for path in (folder / name for name, _ in files):
        try:
            found.append(read_lifecycle(_content(path)))
        except (LifecycleInvalid, RecordInvalid) as error:
            raise LifecycleInvalid(
                f"{path} is damaged: {error.message}", "get it again from a member, or remove it"
            ) from error
    return tuple(found)
