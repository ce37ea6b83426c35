"""What a file or a folder is, in digests: one call, safe on hostile folders, at the speed of the machine.

    found = fingerprint(Path("data"))
    found.sha256, found.blake3, found.size, found.files

Rules:

* Both digests come out of one read.
* Nothing outside the folder is read: every name is opened below the open folder it stands in, never
  through a link. A link to a file inside the folder counts as that file. Refused by name are links that
  leave it, lead to a folder, nowhere or in circles, and pipes, sockets and devices.
* A file or folder that changes while it is read is refused. That compares what the system says before
  and after: a write through memory mapped earlier shows in neither. Where that matters use
  `copy_hashed`, and keep the copy.
* Bounds are checked while walking, so a hostile folder costs no more than they say.

What the digest of a folder is stands in `proml.core.manifest` and docs/manifest-format.md.
"""

import logging
import os
import stat
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Literal

from blake3 import blake3

from proml.capture.hashing import Crew, OpenFile, Progress, Sink, Tally, Wanted, hash_file, unreadable
from proml.capture.reading import content_of
from proml.capture.tree import Limits, Tree
from proml.core.content import Content
from proml.core.manifest import FileDigest, Manifest, fault_in_name
from proml.errors import FileRefused, NotFound, ProMLError

log = logging.getLogger("proml")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A file or folder as it was when it was read.

    Attributes:
        name: file or folder name, without the way to it.
        form: "file" or "folder".
        size: bytes in all.
        sha256: 32 bytes; of the file, or of the folder's manifest.
        blake3: 32 bytes, by which it can be verified faster.
        manifest: the files of a folder with their own digests; None for a single file.
        content: what a single file says apart from how it is spelt, where its format is known.
    """

    name: str
    form: Literal["file", "folder"]
    size: int
    sha256: bytes
    blake3: bytes
    manifest: Manifest | None = None
    content: Content | None = None

    @property
    def files(self) -> int | None:
        """How many files a folder holds; None for a single file."""
        return len(self.manifest.files) if self.manifest else None

    @property
    def digest(self) -> FileDigest:
        """What `matches` compares with."""
        return FileDigest(self.size, self.sha256, self.blake3)


def fingerprint(path: Path, progress: Progress | None = None, limits: Limits | None = None) -> Fingerprint:
    """Read a file or a folder and say what it is.

    Args:
        path: the file or folder; if this itself is a link, it is followed.
        progress: called with bytes and files done so far, from several threads but never from two at once.
        limits: bounds on a folder.

    Raises:
        NotFound: there is nothing there.
        FileRefused: naming what cannot be read safely and identically on every platform; see the rules.

    No cache is read or written. Nothing in a file is interpreted, least of all run.
    """
    name = name_of(path)
    opened = open_any(path)
    if not _is_folder(opened):
        return fingerprint_file(name, opened, progress)
    manifest = _manifest(opened, "both", Tally(progress), limits or Limits())
    fast = blake3(manifest.blake3_content).digest()
    return Fingerprint(name, "folder", manifest.size, manifest.sha256, fast, manifest)


def fingerprint_file(name: str, opened: OpenFile, progress: Progress | None = None) -> Fingerprint:
    """`fingerprint` of a file that is open already; closes it."""
    said = _said(name, opened)
    # Last, because this is what notices that the file changed since it was opened.
    digest = hash_file(opened, "both", Tally(progress))
    return Fingerprint(name, "file", digest.size, digest.sha256, _known(digest.blake3), content=said)


def _said(name: str, opened: OpenFile) -> Content | None:
    """The content digest of an open file; without one its bytes are identified all the same."""
    if not stat.S_ISREG(opened.status.st_mode):
        return None
    try:
        return content_of(opened.fd, opened.path, name, opened.status.st_size)
    except ProMLError as error:
        hint = f" ({error.hint})" if error.hint else ""
        log.warning("no content digest, only that of the bytes: %s%s", error.message, hint)
        return None


def name_of(path: Path) -> str:
    """The name that a fingerprint carries; FileRefused if no manifest could hold it."""
    name = os.path.basename(os.path.abspath(path))  # "." has a name; a link keeps its own
    if fault := fault_in_name(name):
        raise FileRefused(str(path), fault, "rename it")
    return name


def matches(
    path: Path, expected: FileDigest, progress: Progress | None = None, limits: Limits | None = None
) -> bool:
    """Whether a file or folder is, byte for byte, what `expected` names; by BLAKE3 where that is known.

    A file of another size is not read. Takes the same arguments and raises the same errors as `fingerprint`.
    """
    opened = open_any(path)
    wanted: Wanted = "sha256" if expected.blake3 is None else "blake3"
    if _is_folder(opened):
        manifest = _manifest(opened, wanted, Tally(progress), limits or Limits())
        if expected.blake3 is None:
            return manifest.sha256 == expected.sha256
        return blake3(manifest.blake3_content).digest() == expected.blake3
    if opened.status.st_size != expected.size:
        os.close(opened.fd)
        return False
    digest = hash_file(opened, wanted, Tally(progress))
    return digest.blake3 == expected.blake3 if expected.blake3 else digest.sha256 == expected.sha256


def copy_hashed(path: Path, sink: Sink, progress: Progress | None = None) -> FileDigest:
    """Read one file, give its bytes to `sink` piece by piece, and say what was given.

    So that what was hashed is what was stored, whoever writes to the original meanwhile. When this
    raises, what the sink received is part of something and must be thrown away.

    Args:
        path: a regular file.
        sink: called with a view that is valid during the call; it takes all of it or raises.
        progress: see `fingerprint`.
    """
    return hash_file(open_any(path), "both", Tally(progress), sink)


def open_any(path: Path) -> OpenFile:
    """Open a file or a folder for reading; NotFound or FileRefused say why it cannot be."""
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            # Opening some devices does something, so this is asked before.
            raise FileRefused(str(path), "it is a pipe, a socket or a device")
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        return OpenFile(fd, str(path), os.fstat(fd))
    except FileNotFoundError as error:
        raise NotFound(f"there is no file or folder {str(path)!r}") from error
    except OSError as error:
        raise unreadable(str(path), error) from error


def _is_folder(opened: OpenFile) -> bool:
    return stat.S_ISDIR(opened.status.st_mode)


def _manifest(folder: OpenFile, wanted: Wanted, tally: Tally, limits: Limits) -> Manifest:
    try:
        with Crew(wanted, tally) as crew:
            Tree(folder.fd, limits, crew.take).walk()
            crew.finish()
    except OSError as error:
        raise unreadable(folder.path, error) from error
    finally:
        os.close(folder.fd)
    if not crew.results:
        raise FileRefused(folder.path, "the folder holds no files")
    return Manifest(tuple(sorted(crew.results, key=itemgetter(0))))  # their paths were checked on the way


def _known(digest: bytes | None) -> bytes:
    assert digest is not None
    return digest
