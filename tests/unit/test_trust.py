"""The ledger file: read as written, and refused where anything in it is not what it should be."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proml.core.digest import hexed
from proml.core.document import canonical
from proml.core.merkle import leaf_hash
from proml.errors import ConfigInvalid
from proml.interfaces import Terms
from proml.trust import LedgerFile, Profile, new_profile, read_ledger_file, write_ledger_file

TERMS = Terms(31337, b"\x01" * 32, b"\x02" * 20, 1, b"\x03" * 32, 12)
PROFILES = {1: Profile("Rivers", b"\x04" * 32), 2: Profile("Café ☕", b"\x05" * 32)}
FILE = LedgerFile(TERMS, "rpc", "http://127.0.0.1:8545", PROFILES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.json"


digests = st.binary(min_size=32, max_size=32)
numbers = st.integers(1, 2**53 - 1)
files = st.builds(
    LedgerFile,
    st.builds(Terms, numbers, digests, st.binary(min_size=20, max_size=20), numbers, digests, numbers),
    st.just("rpc"),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.dictionaries(
        numbers,
        st.builds(Profile, st.text(st.characters(exclude_categories=["Cs"]), min_size=1), digests),
        max_size=4,
    ),
)


@given(files)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_is_read_back(path, file):
    write_ledger_file(path, file)
    assert read_ledger_file(path) == file
    assert list(path.parent.iterdir()) == [path]


def test_an_embedded_chain_is_found_from_the_files_own_folder(path):
    content = {**FILE.document(), "reach": {"embedded": "chain"}}
    path.write_text(json.dumps(content))
    assert read_ledger_file(path).location == str(path.parent / "chain")


def test_a_member_without_a_profile_is_named_by_number():
    assert FILE.name_of(1) == "Rivers"
    assert FILE.name_of(3) == "organisation 3"


def test_a_profile_commits_to_its_name_under_its_salt():
    assert PROFILES[1].commitment == leaf_hash(b"\x04" * 32 + canonical(["name", "Rivers"]))
    assert new_profile("Rivers").commitment != new_profile("Rivers").commitment


def test_a_missing_file_says_whom_to_ask(path):
    with pytest.raises(ConfigInvalid, match="there is no ledger file") as refused:
        read_ledger_file(path)
    assert "member" in refused.value.hint


def test_a_folder_in_its_place_is_refused(path):
    path.mkdir()
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        read_ledger_file(path)


def with_(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(FILE.document()), **changes}


SALT = hexed(b"\x04" * 32)
DAMAGED = [
    {},
    {key: value for key, value in FILE.document().items() if key != "code"},
    with_(more=1),
    with_(type="proml/record"),
    with_(version=2),
    with_(version=True),
    with_(chain_id=0),
    with_(chain_id=-1),
    with_(chain_id=True),
    with_(chain_id="31337"),
    with_(chain_id=1.5),
    with_(finality=0),
    with_(deployed=None),
    with_(genesis="0x00"),
    with_(genesis=hexed(b"\x01" * 32).upper()),
    with_(contract=hexed(b"\x01" * 32)),
    with_(code=None),
    with_(reach={}),
    with_(reach=[]),
    with_(reach="rpc"),
    with_(reach={"rpc": "http://a", "embedded": "b"}),
    with_(reach={"carrier pigeon": "home"}),
    with_(reach={"rpc": 5}),
    with_(organisations={}),
    with_(organisations=None),
    with_(organisations=[5]),
    with_(organisations=[{}]),
    with_(organisations=[{"number": 1, "name": "A", "salt": SALT}] * 2),
    with_(organisations=[{"number": 0, "name": "A", "salt": SALT}]),
    with_(organisations=[{"number": 1, "name": 5, "salt": SALT}]),
    with_(organisations=[{"number": 1, "name": "", "salt": SALT}]),
    with_(organisations=[{"number": 1, "name": "A", "salt": "0x"}]),
    with_(organisations=[{"number": 1, "name": "A", "salt": SALT, "roles": 7}]),
]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_anything_that_does_not_belong_there_is_refused(path, content):
    path.write_text(json.dumps(content))
    before = path.read_bytes()
    with pytest.raises(ConfigInvalid, match="damaged"):
        read_ledger_file(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"null", b"[]", b"[" * 10_000, b'{"type":1,"type":2}', b"{}x"]
)
def test_what_is_no_json_object_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid, match="damaged"):
        read_ledger_file(path)


def test_no_single_changed_byte_is_overlooked_or_falls_over(path):
    write_ledger_file(path, FILE)
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x08]) + content[position + 1 :])
        try:
            changed = read_ledger_file(path)
        except ConfigInvalid:
            continue
        # Accepted: then it says something else, or white space alone was changed.
        assert changed != FILE or bytes([content[position]]).isspace()


def test_a_full_disk_leaves_the_old_file(path, monkeypatch):
    write_ledger_file(path, FILE)
    before = path.read_bytes()

    def full(self: Path, *args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigInvalid, match="cannot be written: No space left"):
        write_ledger_file(path, FILE)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
