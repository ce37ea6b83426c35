"""Walking a folder without ever leaving it.

Every name is opened relative to the open folder it stands in, and never through a link (openat with
O_NOFOLLOW), so that nothing put there between looking and opening leads out. A link is followed by hand, part
by part from the root, and only to a regular file: then it counts as that file.
"""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from proml.capture.hashing import OPEN_FILE, changed, same_state, unreadable
from proml.core.manifest import DEPTH, FILES, Paths
from proml.errors import FileRefused

_OPEN_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY
_LINKS_ON_THE_WAY = 40
_LOOK_ELSEWHERE = "copy what it points at into the folder, or fingerprint that by itself"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a folder; the defaults are those of the manifest.

    Args:
        files: how many it may hold.
        depth: how many folders deep, the folder itself not counted.
        size: bytes in all files together.
    """

    files: int = FILES
    depth: int = DEPTH
    size: int = 1 << 50

    def describe(self) -> str:
        """The bounds on a whole folder, for an error."""
        return f"{self.files} files or {self.size} bytes"


class Tree:
    """One walk over a folder.

    Args:
        root: descriptor of the folder; stays open.
        limits: what it may hold at most.
        take: called with the descriptor, path and status of every file; closes it.

    Raises:
        FileRefused: from `walk`, naming what is not a plain file or folder, breaks a rule for paths, goes
            beyond a limit, cannot be opened, or changed meanwhile.
    """

    def __init__(self, root: int, limits: Limits, take: Callable[[int, str, os.stat_result], None]) -> None:
        self._root = root
        self._limits = limits
        self._take = take
        self._paths = Paths()
        self._files = 0
        self._size = 0

    def walk(self) -> None:
        """Visit everything, in no particular order."""
        self._folder(self._root, "", 1)

    def _folder(self, fd: int, prefix: str, depth: int) -> None:
        before = os.fstat(fd)
        folders = []
        with os.scandir(fd) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_file(follow_symlinks=False):
                    self._paths.add(path)
                    self._open(fd, entry.name, path)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_symlink():
                    self._paths.add(path)
                    self._follow(path)
                else:
                    raise FileRefused(path, "it is a pipe, a socket or a device", "move it out of the folder")
        if folders and depth >= self._limits.depth:
            raise FileRefused(prefix + folders[0], f"it is more than {self._limits.depth} levels deep")
        for name in folders:
            self._subfolder(fd, name, prefix + name, depth + 1)
        if not same_state(before, os.fstat(fd)):
            raise changed(prefix or ".")

    def _subfolder(self, fd: int, name: str, path: str, depth: int) -> None:
        try:
            inner = os.open(name, _OPEN_FOLDER, dir_fd=fd)
        except OSError as error:
            raise _not_opened(path, error) from error
        try:
            self._folder(inner, path + "/", depth)
        except OSError as error:
            raise unreadable(path, error) from error
        finally:
            os.close(inner)

    def _open(self, folder: int, name: str, path: str) -> None:
        try:
            fd = os.open(name, OPEN_FILE, dir_fd=folder)
        except OSError as error:
            raise _not_opened(path, error) from error
        status = os.fstat(fd)
        self._files += 1
        self._size += status.st_size
        if self._files > self._limits.files or self._size > self._limits.size:
            os.close(fd)
            raise FileRefused(path, f"the folder holds more than {self._limits.describe()}")
        self._take(fd, path, status)

    def _follow(self, path: str) -> None:
        """Count a link as the file it points at."""
        folders = [self._root]
        try:
            name = _lead(path, folders)
            self._open(folders[-1], name, path)
        except FileNotFoundError as error:
            raise FileRefused(path, "it is a link to nothing", "remove it") from error
        except OSError as error:
            raise _not_opened(path, error) from error
        finally:
            for folder in folders[1:]:
                os.close(folder)


def _lead(path: str, folders: list[int]) -> str:
    """Go where a link leads, part by part from the root, which is the one open folder in `folders`.

    Returns the name of the regular file there, and leaves the folders down to it open in `folders`.
    """
    todo = path.split("/")[::-1]
    links = 0
    while todo:
        part = todo.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            if len(folders) == 1:
                raise FileRefused(path, "it is a link that leaves the folder", _LOOK_ELSEWHERE)
            os.close(folders.pop())
            continue
        mode = os.stat(part, dir_fd=folders[-1], follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            folders.append(os.open(part, _OPEN_FOLDER, dir_fd=folders[-1]))
        elif stat.S_ISLNK(mode):
            links += 1
            todo += _target(os.readlink(part, dir_fd=folders[-1]), path, links)
        elif stat.S_ISREG(mode) and not todo:
            return part
        else:
            raise FileRefused(path, "it is a link to something that is no file")
    raise FileRefused(path, "it is a link to a folder", _LOOK_ELSEWHERE)


def _target(target: str, path: str, links: int) -> list[str]:
    """The parts of a link's target, last first."""
    if links > _LINKS_ON_THE_WAY:
        raise FileRefused(path, "it is a link that goes round in circles", "remove it")
    if target.startswith("/"):
        raise FileRefused(path, "it is a link that leaves the folder", _LOOK_ELSEWHERE)
    return target.split("/")[::-1]


def _not_opened(path: str, error: OSError) -> FileRefused:
    """What is gone, or is a link or a file where it was a folder a moment ago, was changed meanwhile."""
    gone = error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR}
    return changed(path) if gone else unreadable(path, error)
