"""What a folder's digest is: the canonical list of its files, and which names may stand in it.

A *manifest* lists every file of a folder by its path, size and SHA-256. Its canonical bytes are the
RFC 8785 JSON of

    {"files":[{"path":"a/b.csv","sha256":"0x...","size":12},...],"type":"proml/manifest","version":1}

with the files in ascending order of their paths' UTF-8 bytes (which is the order of their code points,
not the one RFC 8785 has for member names, and not that of any locale). The folder's digest is the
SHA-256 of these bytes. Its BLAKE3, by which it can be verified faster, is the BLAKE3 of the same document
with a member "blake3" in place of each "sha256"; a verifier needs no table of the files for either.

Part of a folder's identity are the paths and bytes of its regular files, and nothing else: no times,
owners, permissions, links or empty folders, which differ between platforms and copies.

So that one folder has one digest wherever it is copied, a path is refused when some platform could not
hold it, would show it as something else, or would take it for another one of the same folder:

* 1 to 1,024 bytes of UTF-8, '/' between 1 to 128 names of at most 255 bytes, none of them '.' or '..';
* no backslash, no control, format (bidirectional overrides, zero width) or filler characters, no
  line or paragraph separators, no lone surrogates (which stand for bytes that are not UTF-8);
* in Unicode normalisation form C;
* no name ends in a dot or a space, none is one that Windows reserves (CON, PRN, AUX, NUL, COM1, LPT1, ...,
  whatever follows the first dot);
* no two paths are equal after case folding, nor two folders on the way to them, nor is a path both a
  file and a folder.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple
from unicodedata import category, is_normalized, normalize

from proml.core.digest import DIGEST_BYTES, sha256, unhexed
from proml.core.document import EXACT_INTEGER, parse
from proml.errors import FileRefused, RecordInvalid

MANIFEST_TYPE = "proml/manifest"
VERSION = 1
NAME_BYTES = 255
PATH_BYTES = 1024
DEPTH = 128
FILES = 1_000_000
CONTENT_BYTES = 512 << 20
"""The longest manifest that is read."""

# Almost every name there is: at once seen to break no rule.
_PLAIN = re.compile(
    r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9]) *(?:\.|$))"
    r"[a-z0-9_.\-+=,@#()\[\] ]{0,99}[a-z0-9_\-+=,@#()\[\]]",
    re.ASCII | re.IGNORECASE,
)
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)", re.IGNORECASE)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Invisible though Unicode calls them marks or letters: combining grapheme joiner, Hangul and Khmer fillers.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")


class FileDigest(NamedTuple):
    """What identifies the bytes of a file, or of a folder by its manifest.

    Args:
        size: number of bytes; of a folder the sum over its files.
        sha256: 32 bytes.
        blake3: 32 bytes, or None where only SHA-256 is known.
    """

    size: int
    sha256: bytes
    blake3: bytes | None


class FileEntry(NamedTuple):
    """One file of a folder: its path below it, and its digest."""

    path: str
    digest: FileDigest


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of one folder, in order. Make it with `manifest_of` or `read_manifest`, which check that."""

    files: tuple[FileEntry, ...]

    @property
    def content(self) -> bytes:
        """The canonical bytes; their SHA-256 is the folder's digest."""
        # Written out for speed here and below; the tests compare it with the canonical JSON of the document.
        return _document(
            f'{{"path":"{_escaped(path)}","sha256":"0x{digest.sha256.hex()}","size":{digest.size}}}'
            for path, digest in self.files
        )

    @property
    def blake3_content(self) -> bytes:
        """The canonical bytes with BLAKE3 digests; their BLAKE3 verifies the folder.

        Raises:
            ValueError: the BLAKE3 of some file is not known, as in a manifest that was read.
        """
        if None in [digest.blake3 for _, digest in self.files]:
            raise ValueError("the BLAKE3 of some file is not known")
        return _document(
            f'{{"blake3":"0x{(digest.blake3 or b"").hex()}","path":"{_escaped(path)}","size":{digest.size}}}'
            for path, digest in self.files
        )

    @property
    def sha256(self) -> bytes:
        """The folder's digest, 32 bytes."""
        return sha256(self.content)

    @property
    def size(self) -> int:
        """Bytes in all files together."""
        return sum(file.digest.size for file in self.files)


def manifest_of(files: Iterable[FileEntry]) -> Manifest:
    """Put the files of a folder in order and check their paths.

    Raises:
        FileRefused: naming the path that breaks a rule, or the two that collide.
    """
    ordered = tuple(sorted(files, key=itemgetter(0)))
    if len(ordered) > FILES:
        raise FileRefused(ordered[FILES].path, f"the folder holds more than {FILES} files")
    paths = Paths()
    for file in ordered:
        paths.add(file.path)
    return Manifest(ordered)


def read_manifest(content: bytes) -> Manifest:
    """Read the canonical bytes of a manifest, as they were stored.

    Raises:
        RecordInvalid: they are not one, or not canonical, or of a newer version.
        FileRefused: a path in it breaks a rule.
    """
    document = parse(content, "a manifest", CONTENT_BYTES)
    if document.get("type") != MANIFEST_TYPE or document.get("version") != VERSION:
        raise RecordInvalid("not a manifest of version 1", "a newer ProML may have written it")
    listed = document.get("files")
    if not isinstance(listed, list) or not listed:
        raise RecordInvalid("a manifest has a list of at least one file")
    manifest = manifest_of(_read_entry(entry) for entry in listed)
    if manifest.content != content:
        raise RecordInvalid("a manifest that is not in its canonical form")
    return manifest


def fault_in_name(name: str) -> str:
    """Which rule one segment of a path breaks, in words; empty when it breaks none."""
    if _PLAIN.fullmatch(name):
        return ""
    if name in {"", ".", ".."}:
        return "a part of its path is empty, '.' or '..'"
    for character in name:
        if character in "/\\" or character in _FILLERS or category(character) in _UNSEEN:
            if "\udc80" <= character <= "\udcff":
                return "its name is not UTF-8"
            return f"its name holds U+{ord(character):04X}, which some platform cannot store or show"
    if len(name.encode()) > NAME_BYTES:
        return f"its name is longer than {NAME_BYTES} bytes"
    if not is_normalized("NFC", name):
        return "its name is not in Unicode normalisation form C"
    if name[-1] in ". ":
        return "its name ends in a dot or a space, which Windows drops"
    if _RESERVED.match(name):
        return "its name is one that Windows reserves"
    return ""


class Paths:
    """The paths of one folder seen so far, to refuse the first that breaks a rule or collides with one."""

    def __init__(self) -> None:
        self._folders = {"": ""}  # as written -> folded
        self._written: dict[str, str] = {}  # folded -> as written

    def add(self, path: str) -> None:
        """Check the path of one more file.

        Raises:
            FileRefused: naming the path, and the other if two collide.
        """
        folder, slash, name = path.rpartition("/")
        if slash and path[0] == "/":
            raise FileRefused(path, "its path is not relative")
        self._enter(path, folder, name)
        if len(path) > PATH_BYTES // 4 and len(path.encode()) > PATH_BYTES:
            raise FileRefused(path, f"its path is longer than {PATH_BYTES} bytes")

    def _enter(self, path: str, folder: str, name: str) -> str:
        """Check one file or folder; return its folded form."""
        inside = self._folders.get(folder)
        if inside is None:
            if folder.count("/") >= DEPTH - 1:
                raise FileRefused(path, f"it is more than {DEPTH} levels deep")
            parent, _, last = folder.rpartition("/")
            inside = self._folders[folder] = self._enter(folder, parent, last)
        if fault := fault_in_name(name):
            raise FileRefused(path, fault, "rename it")
        folded = f"{inside}/{name.lower() if name.isascii() else normalize('NFC', name.casefold())}"
        before = self._written.get(folded)
        if before is not None:
            if before == path:
                raise FileRefused(path, "it is listed twice, or as a file and as a folder")
            raise FileRefused(
                path, f"some platforms take it for the same as {before!r}", "rename one of them"
            )
        self._written[folded] = path
        return folded


def _document(listed: Iterable[str]) -> bytes:
    return f'{{"files":[{",".join(listed)}],"type":"{MANIFEST_TYPE}","version":{VERSION}}}'.encode()


def _escaped(path: str) -> str:
    # Of the characters that JSON escapes, a path may hold the quotation mark alone.
    return path.replace('"', '\\"')


def _read_entry(entry: object) -> FileEntry:
    if not isinstance(entry, dict) or set(entry) != {"path", "sha256", "size"}:
        raise RecordInvalid("an entry of a manifest has exactly path, sha256 and size")
    path, size = entry["path"], entry["size"]
    if not isinstance(path, str) or type(size) is not int or not 0 <= size <= EXACT_INTEGER:
        raise RecordInvalid("an entry of a manifest has a path and a size from 0 to 2**53 - 1")
    return FileEntry(path, FileDigest(size, unhexed(entry["sha256"], DIGEST_BYTES), None))
