"""Finding and installing anvil; npm is a stand-in program here, so that nothing leaves the machine."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proml.errors import LedgerProblem
from proml.ledger import anvil_binary
from proml.ledger.anvil_binary import VERSION, Package, cache_folder, find_anvil

# A stand-in for npm: checks what it was given as npm would, then puts `$PROGRAM` where npm would put it.
NPM = """#!/bin/sh
[ "$1" = ci ] || exit 9
grep -q '"integrity": "sha512-pinned"' package-lock.json || exit 9
echo asked >> "$ASKED"
mkdir -p node_modules/@foundry-rs/anvil-here/bin
cp "$PROGRAM" node_modules/@foundry-rs/anvil-here/bin/anvil
"""


@pytest.fixture(scope="session")
def anvil() -> Path:
    return find_anvil()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no anvil, no npm, an empty cache; returns the only folder on PATH."""
    on_path = tmp_path / "bin"
    on_path.mkdir()
    for program in ("sh", "grep", "mkdir", "cp"):
        found = shutil.which(program)
        assert found is not None
        (on_path / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(on_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PROML_ANVIL", raising=False)
    return on_path


@pytest.fixture
def npm(bare: Path, anvil: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in for npm; returns the file that counts how often it was asked."""
    script(bare / "npm", NPM)
    monkeypatch.setenv("PROGRAM", str(anvil))
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    here = (os.uname().sysname, os.uname().machine)
    pinned = anvil_binary.PACKAGES[("Linux", "x86_64")].sha256
    monkeypatch.setattr(
        anvil_binary, "PACKAGES", {here: Package("anvil-here", integrity="sha512-pinned", sha256=pinned)}
    )
    return tmp_path / "asked"


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_program_found_is_native_and_of_the_pinned_version(anvil: Path) -> None:
    assert anvil.read_bytes()[:4] in anvil_binary._NATIVE
    assert os.access(anvil, os.X_OK)


def test_a_missing_program_is_installed_once(npm: Path) -> None:
    assert find_anvil() == cache_folder() / "anvil"
    assert find_anvil() == cache_folder() / "anvil"
    assert npm.read_text() == "asked\n"
    assert sorted(path.name for path in cache_folder().iterdir()) == ["anvil", "install.lock"]


def test_a_changed_program_in_the_cache_is_replaced_before_use(npm: Path) -> None:
    program = find_anvil()
    with program.open("ab") as file:
        file.write(b"!")
    find_anvil()
    assert npm.read_text() == "asked\nasked\n"
    assert anvil_binary._is_pinned(program, next(iter(anvil_binary.PACKAGES.values())))


def test_a_package_with_another_program_inside_is_refused_and_leaves_nothing(
    npm: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROGRAM", str(bare / "sh"))
    with pytest.raises(LedgerProblem, match="not the pinned program"):
        find_anvil()
    assert [path.name for path in cache_folder().iterdir()] == ["install.lock"]


def test_no_npm_is_said_with_what_to_install(npm: Path, bare: Path) -> None:
    (bare / "npm").unlink()
    with pytest.raises(LedgerProblem, match="there is no npm") as caught:
        find_anvil()
    assert "apt install npm" in caught.value.hint
    assert "PROML_ANVIL" in caught.value.hint


def test_npm_failing_is_said_in_npms_words(npm: Path, bare: Path) -> None:
    script(bare / "npm", "#!/bin/sh\necho 'npm error code EINTEGRITY' >&2\nexit 1\n")
    with pytest.raises(LedgerProblem, match="code EINTEGRITY"):
        find_anvil()
    assert not (cache_folder() / "anvil").exists()


def test_a_platform_without_a_pinned_package_is_told_what_to_do(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anvil_binary, "PACKAGES", {})
    with pytest.raises(LedgerProblem, match="none can be installed on") as caught:
        find_anvil()
    assert f"Foundry {VERSION}" in caught.value.hint


def test_two_installing_at_once_ask_npm_once(npm: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: find_anvil(), range(2)))
    assert found == [cache_folder() / "anvil"] * 2
    assert npm.read_text() == "asked\n"


def test_a_file_where_the_cache_should_be_is_named(npm: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(LedgerProblem, match="cannot be installed in") as caught:
        find_anvil()
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_the_variable_wins_over_path_and_cache(
    bare: Path, anvil: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROML_ANVIL", str(anvil))
    assert find_anvil() == anvil


@pytest.mark.parametrize("named", ["/nowhere/anvil", "/bin/sh", "/etc/passwd", "/"])
def test_a_variable_that_names_anything_else_is_refused(
    bare: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROML_ANVIL", named)
    with pytest.raises(LedgerProblem, match="not an anvil"):
        find_anvil()


def test_a_native_program_on_path_is_taken(bare: Path, anvil: Path) -> None:
    (bare / "anvil").symlink_to(anvil)
    assert find_anvil() == anvil.resolve()


def test_the_script_of_node_on_path_is_never_run_but_the_program_behind_it(
    bare: Path, anvil: Path, tmp_path: Path
) -> None:
    modules = tmp_path / "project" / "node_modules"
    wrapper = script(modules / "@foundry-rs" / "anvil" / "bin.mjs", "#!/bin/sh\ntouch $0.ran\n")
    program = modules / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
    program.parent.mkdir(parents=True)
    program.symlink_to(anvil)
    (bare / "anvil").symlink_to(wrapper)
    assert find_anvil() == anvil.resolve()
    assert not wrapper.with_name("bin.mjs.ran").exists()


def test_another_version_on_path_is_passed_over(npm: Path, bare: Path) -> None:
    (bare / "anvil").symlink_to(Path(shutil.which("sh") or "/bin/sh").resolve())
    assert find_anvil() == cache_folder() / "anvil"


def test_run_as_a_module_it_prints_the_path_or_one_sentence(
    npm: Path, bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert anvil_binary.main() == 0
    assert capsys.readouterr().out == f"{cache_folder() / 'anvil'}\n"
    (bare / "npm").unlink()
    (cache_folder() / "anvil").unlink()
    with pytest.raises(SystemExit, match="there is no npm"):
        anvil_binary.main()
