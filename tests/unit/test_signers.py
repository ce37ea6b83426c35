"""Every signer signs the same way, for one ledger only, and none shows its key."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from coincurve import PrivateKey
from eth_account import Account

from proml.config import Config
from proml.contracts.abi import BATCH
from proml.contracts.consent import consent_statement
from proml.core.digest import hexed, keccak256
from proml.errors import ConfigInvalid, KeyProblem, ProMLError
from proml.extensions import SIGNERS
from proml.interfaces import Signer, Terms, Transaction
from proml.node.signers import confined, open_signer, signer_address
from proml.signing import KEY_TYPE, LocalSigner
from proml.signing.environment import VARIABLE
from proml.signing.recovery import signer_of
from tests.unit.signing_server import SigningServer, signing_server

SECRET = bytes.fromhex("c0ffee" + "5e" * 28 + "01")
ADDRESS = keccak256(PrivateKey(SECRET).public_key.format(compressed=False)[1:])[12:]
TERMS = Terms(31337, bytes(32), b"\x0c" * 20, 1, bytes(32), 1)
CALL = Transaction(31337, 4, TERMS.contract, BATCH + b"\x02", 100_000, 7, 3)
STATEMENT = consent_statement(TERMS, 1, ADDRESS, 7, 0)


def opened(setting: str, root: Path = Path("nowhere"), secret: Callable[[], str] | None = None) -> Signer:
    return open_signer(Config(root, signer=setting), secret)


@dataclass
class Way:
    """A setting that leads to the key, and the project."""

    setting: str
    root: Path
    passphrase: Callable[[], str] | None = None

    def open(self) -> Signer:
        return opened(self.setting, self.root, self.passphrase)


@pytest.fixture
def server() -> Iterator[SigningServer]:
    with signing_server(SECRET) as made:
        yield made


@pytest.fixture(params=["file", "keystore", "environment", "web3signer"])
def way(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: SigningServer
) -> Way:
    file = Config(tmp_path).key_file
    file.parent.mkdir(parents=True)
    match request.param:
        case "file":
            open_ = {"type": KEY_TYPE, "version": 1, "address": hexed(ADDRESS), "private_key": hexed(SECRET)}
            write(file, open_)
            return Way("file", tmp_path)
        case "keystore":
            write(file, Account.encrypt(SECRET, "correct horse", iterations=2048))
            return Way("file", tmp_path, lambda: "correct horse")
        case "environment":
            monkeypatch.setenv(VARIABLE, hexed(SECRET))
            return Way("environment", tmp_path)
        case _:
            return Way(f"web3signer:{server.url}", tmp_path)


def write(file: Path, content: object) -> None:
    file.write_text(json.dumps(content))
    file.chmod(0o600)


def test_every_signer_makes_the_same_signatures(way: Way) -> None:
    signer = way.open()
    assert signer.address == ADDRESS == signer_address(Config(way.root, signer=way.setting))
    signed = signer.sign_transaction(CALL)
    assert signed == signer.sign_transaction(CALL)
    assert signed.hash == keccak256(signed.raw)
    assert bytes.fromhex(Account.recover_transaction(signed.raw)[2:]) == ADDRESS
    assert signer_of(STATEMENT.digest, signer.sign_statement(STATEMENT)) == ADDRESS


def test_every_signer_gives_the_bytes_of_the_reference(way: Way) -> None:
    fields = {
        "type": 2, "chainId": 31337, "nonce": 4, "to": TERMS.contract, "value": 0, "data": CALL.call,
        "gas": 100_000, "maxFeePerGas": 7, "maxPriorityFeePerGas": 3,
    }  # fmt: skip
    reference = Account.from_key(SECRET).sign_transaction(fields)
    assert way.open().sign_transaction(CALL).raw == bytes(reference.raw_transaction)


def test_no_signer_shows_its_key(way: Way, caplog: pytest.LogCaptureFixture, server: SigningServer) -> None:
    caplog.set_level(logging.DEBUG)
    signer = way.open()
    signer.sign_transaction(CALL)
    shown = [repr(signer), str(signer), repr([signer]), repr(confined(signer, TERMS)), caplog.text]
    server.mood = "refuse"
    for broken in (
        replace(way, root=way.root / "none"),
        replace(way, setting=way.setting + "x"),
    ):
        try:
            broken.open()
        except ProMLError as error:
            shown.append("".join(traceback.format_exception(error)))
    for text in shown:
        assert SECRET.hex() not in text.lower()
        assert str(int.from_bytes(SECRET, "big")) not in text


@pytest.mark.parametrize("value", ["", "0x", "0x12", "nonsense", hexed(bytes(32)), hexed(b"\xff" * 32)])
def test_a_variable_without_a_key_is_named_and_its_value_is_not(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CI_KEY", value)
    with pytest.raises(KeyProblem, match="CI_KEY holds no private key") as caught:
        opened("environment:CI_KEY")
    assert len(value) < 3 or value not in "".join(traceback.format_exception(caught.value))
    monkeypatch.delenv("CI_KEY")
    with pytest.raises(KeyProblem, match="CI_KEY is not set"):
        opened("environment:CI_KEY")


# --- behind HTTP -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("refuse", "refused with status 500"),
        ("garbage", "no signature"),
        ("endless", "too much"),
        ("other", "signed with another key"),
        ("redirect", "refused with status 302"),
    ],
)
def test_an_answer_that_is_no_signature_of_this_key_is_refused(
    server: SigningServer, mood: str, said: str
) -> None:
    signer = opened(f"web3signer:{server.url}")
    server.mood = mood
    with pytest.raises(KeyProblem, match=said):
        signer.sign_statement(STATEMENT)
    server.mood = ""
    assert signer.sign_statement(STATEMENT)


def test_a_signer_with_several_keys_wants_one_to_be_named() -> None:
    with signing_server(SECRET, b"\x02" * 32) as server:
        with pytest.raises(ConfigInvalid, match="has 2 keys"):
            opened(f"web3signer:{server.url}")
        for address in server.addresses:
            setting = f"web3signer:{server.url}#{hexed(address)}"
            asked = len(server.asked)
            assert signer_address(Config(Path(), signer=setting)) == address
            assert len(server.asked) == asked, "the address is in the setting"
            signer = opened(setting)
            assert signer_of(STATEMENT.digest, signer.sign_statement(STATEMENT)) == address
        with pytest.raises(KeyProblem, match="does not have the key 0x0000"):
            opened(f"web3signer:{server.url}#0x{'00' * 20}")


@pytest.mark.parametrize(
    "where", ["", "nonsense", "ftp://h", "http://", "http://h:x", "http://h?x=1", "http://h#1"]
)
def test_an_address_that_is_none_is_told_with_how_to_write_it(where: str) -> None:
    with pytest.raises(ConfigInvalid, match="not one") as caught:
        opened(f"web3signer:{where}")
    assert "web3signer:https://host:port" in caught.value.hint


def test_a_signer_that_is_away_is_named_without_what_may_be_secret() -> None:
    with signing_server(SECRET) as server:
        gone = server.url
    secret = f"hunter{2}"
    with pytest.raises(KeyProblem, match="cannot be reached") as caught:
        opened(f"web3signer:{gone.replace('//', f'//user:{secret}@')}")
    assert secret not in "".join(traceback.format_exception(caught.value))


# --- finding and confining -------------------------------------------------------------------------


def test_an_unknown_signer_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigInvalid, match="no signer 'hsm'") as caught:
        opened("hsm:slot-1")
    assert all(name in caught.value.hint for name in SIGNERS)
    with pytest.raises(KeyProblem, match="takes nothing after its name"):
        opened("file:other.json")


@pytest.mark.parametrize(
    ("transaction", "said"),
    [
        (replace(CALL, chain_id=1), "chain 1"),
        (replace(CALL, to=bytes(20)), "the contract 0x0000"),
        (replace(CALL, to=b""), "the contract 0x"),
        (replace(CALL, call=b"\xa9\x05\x9c\xbb" + bytes(64)), "the call 0xa9059cbb"),
        (replace(CALL, call=b""), "the call 0x"),
    ],
)
def test_a_key_signs_no_call_but_those_of_its_ledger(transaction: Transaction, said: str) -> None:
    signer = confined(LocalSigner(Account.from_key(SECRET)), TERMS)
    assert signer.sign_transaction(CALL).raw
    with pytest.raises(KeyProblem, match=said):
        signer.sign_transaction(transaction)


def test_a_key_signs_no_statement_but_those_of_its_ledger() -> None:
    signer = confined(LocalSigner(Account.from_key(SECRET)), TERMS)
    assert signer.address == ADDRESS
    assert signer_of(STATEMENT.digest, signer.sign_statement(STATEMENT)) == ADDRESS
    for foreign, said in (
        (consent_statement(replace(TERMS, chain_id=1), 1, ADDRESS, 7, 0), "another ledger"),
        (consent_statement(replace(TERMS, contract=bytes(20)), 1, ADDRESS, 7, 0), "another ledger"),
        (replace(STATEMENT, content=bytes(160)), "that type"),
    ):
        with pytest.raises(KeyProblem, match=said):
            signer.sign_statement(foreign)
