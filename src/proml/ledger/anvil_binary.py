"""Finds the program behind the embedded chain, anvil 1.7.1, and installs it once where it is missing.

    python -m proml.ledger.anvil_binary     # prints its path

Looked for in this order:

1. the file named by the environment variable `PROML_ANVIL`;
2. `anvil` on PATH, when it is of this version;
3. ProML's own copy in the user's cache (`$XDG_CACHE_HOME/proml` or `~/.cache/proml`), which npm installs by
   package name. npm compares the package with the integrity digest pinned here, and the program inside
   is compared with a SHA-256 pinned here each time it is about to be started.

The `anvil` that npm puts on PATH is a script of Node's: killing it leaves the chain running. So a script is
never run, and the program in the platform's own package beside it is taken instead.

Not checked: the bytes of an anvil that the user provides (1 and 2), only its version.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proml.config import ANVIL_VARIABLE
from proml.errors import LedgerProblem, ProMLError

VERSION = "1.7.1"
_SCOPE = "@foundry-rs"
# ELF, and the four ways a Mach-O file may begin (64 bit in both byte orders, universal in both).
_NATIVE = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe", b"\xbe\xba\xfe\xca")
_INSTALL_SECONDS = 600
_OWN_COPY_HINT = f"or set {ANVIL_VARIABLE} to the path of an anvil {VERSION} program"


@dataclass(frozen=True, slots=True)
class Package:
    """The npm package that carries the program for one platform.

    Attributes:
        name: name without its scope.
        integrity: npm's own digest of the package: `sha512-` and 64 bytes in base64.
        sha256: of the program inside, 64 hexadecimal digits.
    """

    name: str
    integrity: str
    sha256: str


# Only platforms whose digests have been taken from an installed package stand here; on others the user
# provides the program. A platform is added by adding its line.
PACKAGES = {
    ("Linux", "x86_64"): Package(
        name="anvil-linux-amd64",
        integrity="sha512-+XmShybEaxfCrr0OUUZwYEy2OnYZt5pHH9TzBtLv3+VrK0O/ANuNSVEahqNhKHlgX7GRJ59383ofNhxkRWIYTg==",
        sha256="10c1c727d6c1de973aeb160e59875b9a9a23464d6e74149ee8abb30b3500311b",
    ),
}


def find_anvil() -> Path:
    """Return the path of a native anvil of the right version, installing it first if need be.

    Raises:
        LedgerProblem: there is none, and it cannot be installed; the hint says what to do.
    """
    named = os.environ.get(ANVIL_VARIABLE)
    if named:
        program = _native(Path(named))
        if program is None or not _right_version(program):
            raise LedgerProblem(
                f"{ANVIL_VARIABLE} names {named!r}, which is not an anvil {VERSION} program",
                "name the program itself, not Node's script around it, or unset the variable",
            )
        return program
    on_path = shutil.which("anvil")
    if on_path:
        program = _native(Path(on_path))
        if program is not None and _right_version(program):
            return program
    return _own_copy()


def cache_folder() -> Path:
    """The folder of ProML's own copy; it may not exist yet."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "proml" / f"anvil-{VERSION}"


def _native(path: Path) -> Path | None:
    """The program at this path, or behind the Node script at this path; None when there is none."""
    with contextlib.suppress(OSError):
        path = path.resolve(strict=True)
        with path.open("rb") as file:
            if file.read(4) in _NATIVE:
                return path
        for folder in path.parents:
            inside = sorted(folder.glob(f"node_modules/{_SCOPE}/anvil-*/bin/anvil"))
            if inside:
                return _native(inside[0])
    return None


def _right_version(program: Path) -> bool:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    first = said.stdout.partition("\n")[0].split()
    return said.returncode == 0 and any(word.partition("-")[0] == VERSION for word in first)


def _own_copy() -> Path:
    here = (platform.system(), platform.machine())
    package = PACKAGES.get(here)
    if package is None:
        raise LedgerProblem(
            f"no anvil {VERSION} was found, and none can be installed on {' '.join(here)}",
            f"install Foundry {VERSION} so that `anvil` is on PATH, {_OWN_COPY_HINT}",
        )
    folder = cache_folder()
    program = folder / "anvil"
    try:
        if not _is_pinned(program, package):
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder):
                # Another process may have installed it while this one waited.
                if not _is_pinned(program, package):
                    _install(folder, program, package)
    except OSError as problem:
        raise LedgerProblem(
            f"anvil {VERSION} cannot be installed in {folder}: {problem.strerror}",
            f"make the folder writable, set XDG_CACHE_HOME to one that is, {_OWN_COPY_HINT}",
        ) from problem
    return program


def _install(folder: Path, program: Path, package: Package) -> None:
    """Have npm fetch and check the package, then move the program into place in one step."""
    with tempfile.TemporaryDirectory(prefix="install-", dir=folder) as work:
        _write_npm_project(Path(work), package)
        _run_npm(Path(work))
        fetched = Path(work, "node_modules", _SCOPE, package.name, "bin", "anvil")
        if not _is_pinned(fetched, package):
            raise LedgerProblem(
                f"the anvil in the npm package {_SCOPE}/{package.name} {VERSION} is not the pinned program",
                "do not use it; report this, and set a trusted registry for npm",
            )
        fetched.chmod(0o755)
        fetched.replace(program)


def _write_npm_project(folder: Path, package: Package) -> None:
    """A project and its lock file; the lock's integrity makes npm itself refuse any other bytes."""
    name = f"{_SCOPE}/{package.name}"
    wanted = {"name": "proml-anvil", "private": True, "dependencies": {name: VERSION}}
    locked = {
        "name": "proml-anvil",
        "lockfileVersion": 3,
        "requires": True,
        "packages": {
            "": {"name": "proml-anvil", "dependencies": {name: VERSION}},
            f"node_modules/{name}": {"version": VERSION, "integrity": package.integrity},
        },
    }
    (folder / "package.json").write_text(json.dumps(wanted), encoding="utf-8")
    (folder / "package-lock.json").write_text(json.dumps(locked), encoding="utf-8")


def _run_npm(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise LedgerProblem(
            f"the embedded chain needs anvil {VERSION}, which npm installs once, and there is no npm",
            f"install Node.js with npm (Debian: apt install npm), {_OWN_COPY_HINT}",
        )
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_INSTALL_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as problem:
        raise LedgerProblem(
            f"npm did not install anvil {VERSION} within {_INSTALL_SECONDS // 60} minutes",
            f"check npm's registry and proxy settings and try again, {_OWN_COPY_HINT}",
        ) from problem
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        reason = " ".join(line.removeprefix("npm error").strip() for line in lines[:3]) or "no reason given"
        raise LedgerProblem(
            f"npm could not install anvil {VERSION}: {reason[:300]}",
            f"check npm's registry and proxy settings and try again, {_OWN_COPY_HINT}",
        )


def _is_pinned(program: Path, package: Package) -> bool:
    try:
        with program.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == package.sha256
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / "install.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main() -> int:
    """Print the path of the program; exit code of the error class when there is none."""
    try:
        print(find_anvil())  # noqa: T201 - the one thing this module does when run
    except ProMLError as problem:
        raise SystemExit(f"{problem.message}\n{problem.hint}") from None
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
