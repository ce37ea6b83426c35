"""What is compiled is what is shipped, and no source holds a byte the compiler may stumble over."""

import hashlib
import json
import subprocess
import sys

import pytest
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.phases import CompilerData

from proml.contracts import build
from proml.contracts.build import COMPILED, HERE, SOURCES, compile_contracts, odd_bytes
from proml.contracts.shipped import artefacts_contract


def test_the_sources_compile_to_what_is_shipped() -> None:
    assert compile_contracts() == COMPILED.read_text()


def test_the_shipped_file_names_the_sources_it_was_made_from() -> None:
    compiled = json.loads(COMPILED.read_text())
    assert compiled["sources"] == {
        name: hashlib.sha256((HERE / name).read_bytes()).hexdigest() for name in SOURCES
    }
    assert compiled["runtime_bytes"] == len(artefacts_contract().runtime) < build.CODE_LIMIT


@pytest.mark.parametrize(
    "odd",
    [
        *(b"\f", b"\v", b"\r", b"\t", b"\0", b"\x7f"),
        *(character.encode() for character in ("\u0085", "\u2028", "\u2029", "\ufeff", "\u00e9", "\u202e")),
    ],
)
def test_a_byte_that_is_neither_printable_ascii_nor_a_line_feed_is_found(odd: bytes) -> None:
    clean = b"# first line\n# second line\n"
    assert odd_bytes(clean) == []
    hidden = clean.replace(b"second", b"sec" + odd + b"ond")
    assert odd_bytes(hidden) == [(2, byte) for byte in odd]


@pytest.mark.parametrize("name", SOURCES)
def test_the_sources_hold_plain_bytes_only(name: str) -> None:
    assert odd_bytes((HERE / name).read_bytes()) == []


def test_a_hidden_byte_stops_the_build_and_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in SOURCES:
        (tmp_path / name).write_bytes((HERE / name).read_bytes())
    with (tmp_path / "consortium.vy").open("ab") as source:
        source.write("# \u2028\n".encode())
    monkeypatch.setattr(build, "HERE", tmp_path)
    with pytest.raises(SystemExit, match=r"consortium\.vy:\d+: byte 0xe2 is neither printable ASCII nor LF"):
        compile_contracts()


def test_a_changed_source_is_stale_until_it_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in SOURCES:
        (tmp_path / name).write_bytes((HERE / name).read_bytes())
    (tmp_path / "artefacts.vy").write_text((HERE / "artefacts.vy").read_text() + "# one comment more\n")
    monkeypatch.setattr(build, "HERE", tmp_path)
    assert compile_contracts() != COMPILED.read_text()


def test_the_check_of_the_build_passes_as_it_stands() -> None:
    subprocess.run([sys.executable, "-m", "proml.contracts.build", "--check"], check=True)


@pytest.mark.parametrize("name", SOURCES)
def test_nothing_calls_out_of_the_contract(name: str) -> None:
    """No ether, no delegate call, no self-destruction, no other contract (threats, C12)."""
    source = (HERE / name).read_text()
    for word in (
        "raw_call",
        "send(",
        "selfdestruct",
        "create_",
        "@payable",
        "extcall",
        "staticcall",
        "__default__",
    ):
        assert word not in source


def test_the_code_holds_no_instruction_that_calls_destroys_or_creates() -> None:
    bundle = FilesystemInputBundle([HERE])
    compiled = CompilerData(bundle.load_file("artefacts.vy"), bundle, no_bytecode_metadata=True)
    assert compiled.bytecode_runtime == artefacts_contract().runtime
    used = [part for part in compiled.assembly_runtime if isinstance(part, str)]
    assert not set(used) & {"CREATE", "CREATE2", "CALL", "CALLCODE", "DELEGATECALL", "SELFDESTRUCT"}
    # One static call: the precompiled contract at address 1, ecrecover.
    assert used.count("STATICCALL") == 1
