"""Key files and signing: with `environment.py` the only place that ever sees a private key.

A key is a secp256k1 private key; its address is the last 20 bytes of the Keccak-256 of the public key.
It lives in one file of mode 0600, either as a version 3 keystore (Web3 Secret Storage: scrypt and
AES-128-CTR, opened by a passphrase) or, where no passphrase was wanted, in the open:

    {"type": "proml/key", "version": 1, "address": "0x…", "private_key": "0x…"}
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Callable
from errno import ENOTDIR
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32

from proml.core.digest import hexed, unhexed
from proml.core.document import parse
from proml.errors import KeyProblem, RecordInvalid
from proml.interfaces import KeySource, SignedTransaction, Statement, Transaction

KEY_TYPE = "proml/key"
Passphrase = Callable[[], str]
# A key file is a few hundred bytes; anything large is something else.
MAX_FILE_BYTES = 64 * 1024


class LocalSigner:
    """Signs with a private key held in this process. Its `repr` shows the address only."""

    def __init__(self, account: LocalAccount) -> None:
        """Take an eth-account account; use `open_key` or `create_key` instead."""
        self._account = account

    @property
    def address(self) -> bytes:
        """The key's 20-byte address."""
        return bytes.fromhex(self._account.address[2:])

    def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        """Sign an EIP-1559 transaction; deterministic (RFC 6979), so the same bytes every time."""
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": transaction.chain_id,
            "nonce": transaction.nonce,
            "to": transaction.to,
            "value": 0,
            "data": transaction.call,
            "gas": transaction.gas,
            "maxFeePerGas": transaction.max_fee,
            "maxPriorityFeePerGas": transaction.max_tip,
        }
        signed = self._account.sign_transaction(fields)
        return SignedTransaction(bytes(signed.raw_transaction), bytes(signed.hash))

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest: 65 bytes r, s, v with low s (EIP-2) and v 27 or 28."""
        return bytes(self._account.unsafe_sign_hash(Hash32(digest)).signature)

    def sign_statement(self, statement: Statement) -> bytes:
        """Sign an EIP-712 statement, as `sign_digest` its digest."""
        return self.sign_digest(statement.digest)

    def __repr__(self) -> str:
        return f"LocalSigner({hexed(self.address)})"


def create_key(path: Path, passphrase: str | None = None) -> LocalSigner:
    """Make a new random key and write its file, mode 0600, never over an existing one.

    Args:
        path: where the file shall be; its folder is made with mode 0700.
        passphrase: encrypts the file (about a second of scrypt); None leaves it in the open.

    Raises:
        KeyProblem: when the file exists or cannot be written.
    """
    account = Account.from_key(secrets.token_bytes(32))
    if passphrase is None:
        content: dict[str, Any] = {
            "type": KEY_TYPE,
            "version": 1,
            "address": account.address.lower(),
            "private_key": hexed(bytes(account.key)),
        }
    else:
        content = Account.encrypt(bytes(account.key), passphrase)
    try:
        _make_folder(path.parent)
        _write_new(path, json.dumps(content, indent=1).encode("ascii"))
    except FileExistsError:
        raise KeyProblem(
            f"there is a key at {path} already", "choose another name: keys are never overwritten"
        ) from None
    except OSError as error:
        raise KeyProblem(f"the key file {path} cannot be written: {error.strerror}") from error
    return LocalSigner(account)


def open_signer(source: KeySource) -> LocalSigner:
    """The signer of a key file, for the setting `signer = "file"`; raises as `open_key`."""
    _refuse_rest(source)
    return open_key(source.file, source.passphrase)


def signer_address(source: KeySource) -> bytes:
    """The 20-byte address of the key file; raises as `key_address`."""
    _refuse_rest(source)
    return key_address(source.file)


def _refuse_rest(source: KeySource) -> None:
    if source.where:
        raise KeyProblem("the signer `file` takes nothing after its name", "the setting `key` names the file")


def throwaway_key() -> LocalSigner:
    """A random key that is never written anywhere: for a deployment, whose sender gets no right."""
    return LocalSigner(Account.from_key(secrets.token_bytes(32)))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR)) from None


def _write_new(path: Path, content: bytes) -> None:
    """Make a file that is there whole and on the disk, or not at all; FileExistsError when it is there."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link, because a rename would take the place of a key that is there.
        path.hardlink_to(temporary)
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def key_address(path: Path) -> bytes:
    """The 20-byte address a key file says it holds, without opening the key (not checked against it).

    Raises:
        KeyProblem: when the file is missing or is no key file.
    """
    content = _read(path)
    address = str(content.get("address", ""))
    try:
        return unhexed("0x" + address.removeprefix("0x").lower(), 20)
    except RecordInvalid:
        raise KeyProblem(f"{path} names no address", "restore the key file from its backup") from None


def open_key(path: Path, passphrase: Passphrase | None = None) -> LocalSigner:
    """Open a key file.

    Args:
        path: the key file.
        passphrase: called only when the file is encrypted.

    Raises:
        KeyProblem: when the file is missing, readable by others, damaged, or the passphrase is wrong.
    """
    content = _read(path)
    if content.get("type") == KEY_TYPE:
        if content.get("version") != 1:
            raise KeyProblem(
                f"{path} is of a version this ProML does not know", "use the ProML that wrote it"
            )
        secret = content.get("private_key")
    elif passphrase is None:
        raise KeyProblem(f"the key {path} needs a passphrase", "set PROML_PASSPHRASE_FILE, or use a terminal")
    else:
        secret = _decrypt(path, content, passphrase())
    try:
        account = Account.from_key(secret)
    except (ValueError, TypeError, AttributeError):
        raise KeyProblem(
            f"{path} holds no usable private key", "restore the key file from its backup"
        ) from None
    signer = LocalSigner(account)
    if signer.address != key_address(path):
        raise KeyProblem(
            f"{path} names another address than its key has", "restore the key file from its backup"
        )
    return signer


def _decrypt(path: Path, content: dict[str, Any], passphrase: str) -> bytes:
    try:
        return bytes(Account.decrypt(content, passphrase))
    except ValueError as error:
        if "MAC mismatch" in str(error):
            raise KeyProblem(f"wrong passphrase for {path}", "nothing was changed; try again") from None
        raise KeyProblem(f"{path} is not a version 3 keystore: {error}") from None
    except (KeyError, TypeError, AttributeError, NotImplementedError) as error:
        raise KeyProblem(f"{path} is not a version 3 keystore: {error!r}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        # Not to wait for the writer of a pipe; what is no ordinary file is refused below.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(MAX_FILE_BYTES + 1) if stat.S_ISREG(mode) else b""
    except FileNotFoundError:
        raise KeyProblem(f"there is no key at {path}", "make one with `proml key new`") from None
    except OSError as error:
        raise KeyProblem(f"the key file {path} cannot be read: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise KeyProblem(f"the key file {path} can be read by others", f"chmod 600 {path}")
    try:
        return parse(raw, str(path), MAX_FILE_BYTES)
    except RecordInvalid:
        raise KeyProblem(f"{path} is not a key file", "restore the key file from its backup") from None
