"""The contract as it is shipped, deployed in titanoboa's machine and spoken to in bytes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from boa.environment import Env
from boa.util.abi import Address

from proml.contracts.abi import decode_event, decode_refusal, deployment
from proml.contracts.shipped import artefacts_contract
from proml.core.call import Founder
from proml.core.digest import keccak256, word
from proml.core.event import Event
from proml.core.lifecycle import Table
from proml.core.proposal import Governance
from proml.core.refusal import Reason

NOBODY = bytes(20)


@dataclass(frozen=True, slots=True)
class Reverted:
    """A revert that carries none of the contracts' reasons; `output` is its data."""

    output: bytes

    @property
    def message(self) -> str:
        """The text of an `Error(string)`, empty when there is none."""
        if self.output[:4] != bytes.fromhex("08c379a0"):
            return ""
        length = int.from_bytes(self.output[36:68], "big")
        return self.output[68 : 68 + length].decode()


Outcome = list[Event] | Reason | Reverted


@dataclass(slots=True)
class Deployed:
    """One deployment: its machine, its address (20 bytes), what its constructor emitted."""

    env: Env
    address: bytes
    founding: list[Event]
    gas_used: int = 0

    @classmethod
    def found(
        cls, env: Env, founders: Sequence[Founder], rules: Governance, tables: Sequence[Table]
    ) -> Deployed | Reverted:
        """Deploy the shipped bytecode; nothing is compiled here."""
        return cls.create(env, deployment(artefacts_contract().bytecode, founders, rules, tables))

    @classmethod
    def create(cls, env: Env, creation: bytes) -> Deployed | Reverted:
        """Deploy from raw creation data."""
        address, computation = env.deploy(sender=Address("0x" + "de" * 20), bytecode=creation)
        if computation.is_error:
            return Reverted(computation.output)
        return cls(env, bytes(address.canonical_address), _events(computation))

    @property
    def block(self) -> int:
        """The number of the block in which calls happen; tests move it."""
        return int(self.env.evm.patch.block_number)

    @block.setter
    def block(self, number: int) -> None:
        self.env.evm.patch.block_number = number

    @property
    def time(self) -> int:
        """The time of the block in which calls happen, in seconds since 1970; tests move it."""
        return int(self.env.evm.patch.timestamp)

    @time.setter
    def time(self, seconds: int) -> None:
        self.env.evm.patch.timestamp = seconds

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id of the machine."""
        return int(self.env.evm.patch.chain_id)

    def send(self, key: bytes, data: bytes, value: int = 0) -> Outcome:
        """A transaction of `key` with raw call data: its events, or how it was refused."""
        computation = self.env.execute_code(
            to_address=Address(self.address), sender=Address(key), data=data, value=value
        )
        self.gas_used = computation.get_gas_used()
        if not computation.is_error:
            return _events(computation)
        reason = decode_refusal(computation.output)
        return Reverted(computation.output) if reason is None else reason

    def view(self, data: bytes) -> bytes:
        """What a call returns that changes nothing."""
        computation = self.env.execute_code(
            to_address=Address(self.address), data=data, is_modifying=False, simulate=True
        )
        computation.raise_if_error()
        return bytes(computation.output)

    @property
    def code(self) -> bytes:
        """The runtime code at the address."""
        return bytes(self.env.get_code(Address(self.address)))

    @property
    def balance(self) -> int:
        """Wei held."""
        return int(self.env.get_balance(Address(self.address)))

    def slot(self, number: int) -> int:
        """One word of storage."""
        return int(self.env.get_storage(Address(self.address), number))

    def overwrite(self, number: int, value: int) -> None:
        """Change one word of storage, which no call can do."""
        self.env.set_storage(Address(self.address), number, value)
        self.env.sstore_trace.setdefault(Address(self.address), set()).add(number)

    def storage(self) -> dict[int, int]:
        """The whole storage: every slot that was ever written and is not zero."""
        written = self.env.sstore_trace.get(Address(self.address), set())
        found = {number: self.slot(number) for number in written}
        return {number: value for number, value in found.items() if value}


@cache
def place(base: int, *keys: int | bytes) -> int:
    """The slot of a map's entry: Vyper hashes the map's slot, then the key, 32 bytes each."""
    for key in keys:
        base = int.from_bytes(keccak256(word(base) + word(key)), "big")
    return base


def address_number(key: bytes) -> int:
    """A 20-byte address as the number that the machine sees."""
    return int.from_bytes(key, "big")


def signature(entry: dict[str, object]) -> str:
    """Canonical signature of an entry of the compiled ABI."""
    inputs = entry["inputs"]
    assert isinstance(inputs, list)
    return f"{entry['name']}({','.join(_type(field) for field in inputs)})"


def _type(field: dict[str, object]) -> str:
    kind = str(field["type"])
    if not kind.startswith("tuple"):
        return kind
    components = field["components"]
    assert isinstance(components, list)
    return f"({','.join(_type(part) for part in components)}){kind[5:]}"


def _events(computation: object) -> list[Event]:
    logs = computation.get_raw_log_entries()  # type: ignore[attr-defined]
    return [decode_event([word(topic) for topic in topics], data) for _, _, topics, data in logs]
