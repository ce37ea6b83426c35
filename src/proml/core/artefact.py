"""Where an artefact stands: the values its contract word and head hold, and how an id is made."""

from __future__ import annotations

from dataclasses import dataclass, replace

from proml.core.digest import keccak_words
from proml.core.lifecycle import MAX_DUTIES, Rule


def artefact_id(chain_id: int, contract: bytes, creator: bytes, salt: bytes) -> bytes:
    """keccak256(abi_encode(chain id, contract, creator, salt)), 32 bytes.

    The creator's key is part of it, so nobody else can register the same id first.

    Args:
        chain_id: EIP-155 chain id.
        contract: 20-byte address of the contract.
        creator: 20-byte address of the registering key.
        salt: 32 random bytes.
    """
    return keccak_words(chain_id, int.from_bytes(contract, "big"), int.from_bytes(creator, "big"), salt)


@dataclass(frozen=True, slots=True)
class Artefact:
    """Present standing of one artefact.

    Attributes:
        id: 32 bytes.
        lifecycle: number of its lifecycle.
        state: number of its state in that lifecycle, never 0.
        sequence: how many steps it has made; the registration is 1.
        usable_from: sequence since which it has been usable without interruption; 0 when it is not.
        custodian, creator: organisation numbers.
        offered: organisation that was offered custody, 0 for nobody.
        contester: organisation that contests the artefact, 0 for nobody; a slot of its own in the contract.
        performers: organisation that first performed duty 1..6, 0 for nobody.
        several: mask of duties (bit d - 1) performed by more than one organisation.
        head: 32 bytes, hash over its complete history.
    """

    id: bytes
    lifecycle: int
    state: int
    sequence: int
    usable_from: int
    custodian: int
    creator: int
    performers: tuple[int, ...]
    several: int
    head: bytes
    offered: int = 0
    contester: int = 0

    @property
    def word(self) -> int:
        """The contract's packed form."""
        packed = (
            self.state
            | self.lifecycle << 8
            | self.sequence << 24
            | self.usable_from << 64
            | self.custodian << 104
            | self.offered << 120
            | self.creator << 136
            | self.several << 248
            | bool(self.contester) << 254
        )
        for duty, organisation in enumerate(self.performers):
            packed |= organisation << 152 + 16 * duty
        return packed

    @classmethod
    def from_word(cls, artefact: bytes, word: int, head: bytes, contester: int = 0) -> Artefact:
        """The artefact of that id behind its packed form, its head and its contester, if any."""
        return cls(
            id=artefact,
            state=word & 255,
            lifecycle=word >> 8 & 0xFFFF,
            sequence=word >> 24 & 2**40 - 1,
            usable_from=word >> 64 & 2**40 - 1,
            custodian=word >> 104 & 0xFFFF,
            offered=word >> 120 & 0xFFFF,
            creator=word >> 136 & 0xFFFF,
            performers=tuple(word >> 152 + 16 * duty & 0xFFFF for duty in range(MAX_DUTIES)),
            several=word >> 248 & 2**MAX_DUTIES - 1,
            head=head,
            contester=contester,
        )

    def moved(self, rule: Rule, organisation: int, head: bytes) -> Artefact:
        """The standing after an accepted step of `organisation` under `rule`."""
        sequence = self.sequence + 1
        performers, several = self.performers, self.several
        if rule.duty:
            first = performers[rule.duty - 1]
            if first == 0:
                performers = (*performers[: rule.duty - 1], organisation, *performers[rule.duty :])
            elif first != organisation:
                several |= 1 << rule.duty - 1
        return replace(
            self,
            state=rule.following,
            sequence=sequence,
            usable_from=(self.usable_from or sequence) if rule.usable else 0,
            performers=performers,
            several=several,
            head=head,
        )


def unregistered(artefact: bytes, lifecycle: int, organisation: int) -> Artefact:
    """The standing just before registration: state 0, sequence 0, the head equal to the id."""
    return Artefact(
        id=artefact,
        lifecycle=lifecycle,
        state=0,
        sequence=0,
        usable_from=0,
        custodian=organisation,
        creator=organisation,
        performers=(0,) * MAX_DUTIES,
        several=0,
        head=artefact,
    )
