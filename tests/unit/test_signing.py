"""Key files: made once, opened only by who may, and never shown."""

import json
import os
import stat
import traceback
from pathlib import Path

import pytest
from coincurve import PublicKey
from eth_account import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proml.core.digest import hexed, keccak256
from proml.errors import KeyProblem
from proml.interfaces import Transaction
from proml.signing import MAX_FILE_BYTES, create_key, key_address, open_key, throwaway_key

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
CALL = Transaction(31337, 4, bytes(20), b"\x01\x02", 100_000, 7, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "default.json"


@pytest.fixture(scope="session")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encrypted") / "default.json"
    create_key(path, "correct horse")
    return path


def secret_of(path: Path) -> str:
    return json.loads(path.read_text())["private_key"]


def recovered(signature: bytes, digest: bytes) -> bytes:
    compact = signature[:64] + bytes([signature[64] - 27])
    public = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    return keccak256(public.format(compressed=False)[1:])[12:]


# --- making ----------------------------------------------------------------------------------------


def test_a_new_key_is_opened_as_the_same_key(path):
    made = create_key(path)
    assert open_key(path).address == made.address == key_address(path)
    assert len(made.address) == 20


def test_a_key_file_is_for_its_owner_alone_whatever_the_mask(path):
    before = os.umask(0)
    try:
        create_key(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("passphrase", [None, "secret"])
def test_a_key_is_never_overwritten(path, passphrase):
    create_key(path)
    before = path.read_bytes()
    with pytest.raises(KeyProblem, match="there is a key at"):
        create_key(path, passphrase)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_link_in_the_place_of_a_key_is_not_written_through(path, tmp_path):
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyProblem):
        create_key(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_no_half_a_key(path, monkeypatch):
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyProblem, match="cannot be written: No space left"):
        create_key(path)
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "keys").write_text("in the way")
    with pytest.raises(KeyProblem, match="cannot be written"):
        create_key(tmp_path / "keys" / "default.json")


def test_two_keys_are_two_keys(tmp_path):
    assert create_key(tmp_path / "a").address != create_key(tmp_path / "b").address
    assert throwaway_key().address != throwaway_key().address


# --- opening ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601, 0o610, 0o777])
def test_a_key_that_others_may_touch_is_refused_with_what_to_do(path, mode):
    create_key(path)
    path.chmod(mode)
    with pytest.raises(KeyProblem, match="read by others") as refused:
        open_key(path)
    assert refused.value.hint == f"chmod 600 {path}"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    path.chmod(0o400)
    open_key(path)


def test_an_encrypted_key_opens_with_its_passphrase_only(encrypted):
    before = encrypted.read_bytes()
    asked = []

    def ask(answer: str) -> str:
        asked.append(answer)
        return answer

    with pytest.raises(KeyProblem, match="wrong passphrase"):
        open_key(encrypted, lambda: ask("correct hors"))
    assert open_key(encrypted, lambda: ask("correct horse")).address == key_address(encrypted)
    assert asked == ["correct hors", "correct horse"]
    assert encrypted.read_bytes() == before


def test_an_encrypted_key_without_a_way_to_ask_says_so(encrypted):
    with pytest.raises(KeyProblem, match="needs a passphrase"):
        open_key(encrypted)


def test_an_open_key_asks_for_no_passphrase(path):
    create_key(path)
    open_key(path, lambda: pytest.fail("asked"))


def test_a_key_of_any_other_program_that_keeps_version_3_opens(path):
    content = Account.encrypt(b"\x11" * 32, "pw", kdf="pbkdf2", iterations=2)
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    assert hexed(open_key(path, lambda: "pw").address) == Account.from_key(b"\x11" * 32).address.lower()


def test_a_missing_key_says_how_to_make_one(path):
    with pytest.raises(KeyProblem, match="there is no key") as refused:
        open_key(path)
    assert "proml key new" in refused.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"private_key": None},
        {"private_key": 5},
        {"private_key": ""},
        {"private_key": "0x" + "00" * 32},
        {"private_key": "0x" + "ff" * 32},
        {"private_key": "0x" + "11" * 31},
        {"private_key": "0x" + "zz" * 32},
        {"private_key": "0x" + "11" * 32},
        {"private_key": []},
        {"address": None},
        {"address": "0x00"},
        {"address": "0x" + "00" * 20},
        {"version": 2},
        {"type": "proml/lock"},
    ],
    ids=str,
)
def test_a_damaged_key_is_refused_and_its_secret_not_shown(path, change):
    create_key(path)
    content = json.loads(path.read_text())
    secret = content["private_key"]
    path.write_text(json.dumps({**content, **change}))
    before = path.read_bytes()
    with pytest.raises(KeyProblem) as refused:
        open_key(path, lambda: "passphrase")
    assert secret[2:] not in "".join(traceback.format_exception(refused.value))
    assert path.read_bytes() == before


@given(
    content=st.binary(max_size=64)
    | st.sampled_from([b"[]", b"5", b"{}", b'{"version":3,"crypto":{}}', b"[" * 5000])
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_that_is_no_key_is_refused(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyProblem):
        open_key(path, lambda: "passphrase")
    with pytest.raises(KeyProblem):
        key_address(path)


def test_a_flipped_bit_in_an_open_key_never_gives_another_key(path):
    address = create_key(path).address
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        try:
            opened = open_key(path)
        except KeyProblem:
            continue
        assert opened.address == address


@pytest.mark.parametrize(
    "change",
    [
        {"mac": "00" * 32},
        {"kdf": "md5"},
        {"kdfparams": {}},
        {"kdfparams": {"n": 3, "r": 8, "p": 1, "dklen": 32, "salt": "00"}},
        {"kdfparams": {"n": 2**40, "r": 8, "p": 1, "dklen": 32, "salt": "00"}},
        {"ciphertext": "zz"},
        {"cipherparams": None},
    ],
    ids=str,
)
def test_a_damaged_keystore_is_refused(encrypted, path, change):
    content = json.loads(encrypted.read_text())
    content["crypto"] = {**content["crypto"], **change}
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    with pytest.raises(KeyProblem):
        open_key(path, lambda: "correct horse")


def test_a_keystore_that_names_another_address_is_refused(path):
    content = Account.encrypt(b"\x11" * 32, "pw", kdf="pbkdf2", iterations=2)
    path.parent.mkdir()
    path.write_text(json.dumps({**content, "address": "00" * 20}))
    path.chmod(0o600)
    with pytest.raises(KeyProblem, match="another address"):
        open_key(path, lambda: "pw")


def test_neither_folders_nor_pipes_nor_large_files_are_keys(tmp_path):
    folder, pipe, large = tmp_path / "folder", tmp_path / "pipe", tmp_path / "large"
    folder.mkdir(mode=0o700)
    os.mkfifo(pipe, 0o600)
    large.write_bytes(b" " * MAX_FILE_BYTES + b"{}")
    large.chmod(0o600)
    for path in (folder, pipe, large):
        with pytest.raises(KeyProblem):
            open_key(path)


# --- signing ---------------------------------------------------------------------------------------


def test_the_same_transaction_gives_the_same_bytes(path):
    create_key(path)
    first, second = open_key(path), open_key(path)
    assert first.sign_transaction(CALL) == second.sign_transaction(CALL)
    assert first.sign_transaction(CALL).hash == keccak256(first.sign_transaction(CALL).raw)


def test_a_signed_transaction_is_by_this_key_and_says_what_was_asked(path):
    signer = create_key(path)
    raw = signer.sign_transaction(CALL).raw
    assert raw[0] == 2
    assert bytes.fromhex(Account.recover_transaction(raw)[2:]) == signer.address


@given(st.binary(min_size=32, max_size=32))
def test_a_signature_is_by_this_key_with_low_s_and_v_27_or_28(digest):
    signer = throwaway_key()
    signature = signer.sign_digest(digest)
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    assert 0 < int.from_bytes(signature[32:64], "big") <= HALF_ORDER
    assert recovered(signature, digest) == signer.address
    assert signer.sign_digest(digest) == signature


def test_nothing_shows_the_secret(path):
    signer = create_key(path)
    secret = secret_of(path).removeprefix("0x")
    for shown in (repr(signer), str(signer), f"{signer!r}", repr([signer]), repr(vars(signer))):
        assert secret not in shown.lower()
    assert hexed(signer.address) in repr(signer)
