"""Measures gas, as whole transactions pay it: on the real chain program, each in a block of its own.

python bench/gas.py
"""

import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from eth_account import Account

from proml.contracts.abi import encode_call
from proml.contracts.forms import arrays, selector
from proml.contracts.shipped import artefacts_contract
from proml.contracts.typed import sign_approval, sign_step
from proml.core.artefact import artefact_id
from proml.core.call import (
    ActForCall,
    AnchorCall,
    ApproveCall,
    BatchCall,
    BatchForCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    Founder,
    ProposeCall,
    SignedStep,
    StepCall,
    VoteCall,
)
from proml.core.consortium import role_mask
from proml.core.digest import hexed, keccak256, word
from proml.core.event import Input
from proml.core.lifecycle import Alike, Rule, Table, kind_tag
from proml.core.proposal import Change, ChangeKind, Governance
from proml.interfaces import Transaction
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.founding import Founding, found
from proml.ledger.rpc import Rpc
from proml.lifecycles import shipped
from proml.signing import LocalSigner

RUNS = 5
BATCH = 50
GAS = 20_000_000
FAR_AWAY = 2**40
_INPUTS = "(bytes32,uint256)[]"
REGISTER = selector(f"register(uint16,uint8,bytes32,bytes32,bytes32,{_INPUTS})")
ACT = selector(f"act(bytes32,uint8,uint256,bytes32,bytes32,{_INPUTS})")
ANCHOR = selector("anchor(bytes32,uint256)")

MAKER, VERIFIER, APPROVER = range(3)
ROLES = (["data_admin", "developer"], ["labeller", "verifier"], ["approver"])
KINDS = {lifecycle.kind: (number, lifecycle) for number, lifecycle in enumerate(shipped(), start=1)}


# A lifecycle in which a step needs an approval, which none of the shipped ones does.
RELEASE_NUMBER = len(KINDS) + 1
RELEASE = Table(
    kind_tag("release"),
    0,
    0,
    0,
    bytes(32),
    (
        Rule(0, 1, 1, role_mask(["developer"])),
        Rule(1, 2, 2, role_mask(["developer"]), approvals=1, approver_roles=role_mask(["approver"])),
    ),
)


class Consortium:
    """Three organisations on a chain of their own, and what each transaction of theirs has cost."""

    def __init__(self, chain: EmbeddedChain, rpc: Rpc) -> None:
        # Made from numbers, so that every run pays for the same bytes.
        self.keys = [LocalSigner(Account.from_key(number.to_bytes(32, "big"))) for number in range(1, 4)]
        self.chain, self.rpc = chain, rpc
        self.numbers, self.nonces = count(1), [0] * len(self.keys)
        founders = [
            Founder(key.address, role_mask(roles), self.fresh())
            for key, roles in zip(self.keys, ROLES, strict=True)
        ]
        deployer = LocalSigner(Account.from_key((99).to_bytes(32, "big")))
        tables = [lifecycle.table for lifecycle in shipped()]
        self.terms = found(rpc, chain.send_raw, deployer, Founding(founders, Governance(2), tables), 1)

    def fresh(self) -> bytes:
        """32 bytes that were not used before."""
        return keccak256(next(self.numbers).to_bytes(32, "big"))

    def send(self, who: int, data: bytes) -> int:
        """One signed transaction; its gas."""
        nonce, self.nonces[who] = self.nonces[who], self.nonces[who] + 1
        transaction = Transaction(self.terms.chain_id, nonce, self.terms.contract, data, GAS, 0, 0)
        signed = self.keys[who].sign_transaction(transaction)
        self.chain.send_raw(signed.raw)
        receipt = self.rpc.call("eth_getTransactionReceipt", [hexed(signed.hash)])
        assert receipt["status"] == "0x1", receipt
        return int(receipt["gasUsed"], 16)

    def register(self, who: int, kind: str, action: str, inputs: Sequence[Input] = ()) -> tuple[bytes, int]:
        """A registration by the single-call form: the id, and the gas."""
        number, lifecycle = KINDS[kind]
        salt = self.fresh()
        words = [number, lifecycle.action_number(action), salt, self.fresh(), self.fresh()]
        gas = self.send(who, REGISTER + arrays(words, [(each.artefact, each.sequence) for each in inputs]))
        return self.id_of(who, salt), gas

    def act(self, who: int, kind: str, action: str, after: Input, inputs: Sequence[Input] = ()) -> int:
        """The step after `after` by the single-call form; its gas."""
        number = KINDS[kind][1].action_number(action)
        return self.take(who, number, after, self.fresh(), inputs)

    def take(self, who: int, number: int, after: Input, subject: bytes, inputs: Sequence[Input] = ()) -> int:
        """The same by the number of the action, with a subject."""
        words = [after.artefact, number, after.sequence + 1, self.fresh(), subject]
        return self.send(who, ACT + arrays(words, [(each.artefact, each.sequence) for each in inputs]))

    def batch(self, who: int, *steps: StepCall) -> float:
        """Gas of each step in one transaction."""
        return self.send(who, encode_call(BatchCall(steps=steps))) / len(steps)

    def step(self, kind: str, action: str, artefact: bytes, sequence: int) -> StepCall:
        """A step for a batch; at sequence 1 a registration with that salt."""
        number, lifecycle = KINDS[kind]
        asked = lifecycle.action_number(action)
        return StepCall(artefact, number if sequence == 1 else 0, asked, sequence, self.fresh(), self.fresh())

    def id_of(self, who: int, salt: bytes) -> bytes:
        """The id that a key's registration with `salt` gets."""
        return artefact_id(self.terms.chain_id, self.terms.contract, self.keys[who].address, salt)


def measure() -> dict[str, float]:
    """Gas by operation, calldata and the 21,000 of a transaction included, storage cold; medians.

    `gas_register` starts a run. `gas_act` is the dearest of four guarded steps: labelling a dataset
    (performs a duty), approving one (separation of duties, subject, scope to approve), amending one
    (custodian only), approving a model (two duties looked at). `gas_act_with_1_input` is the evaluation of
    a model: two guards on the actor, a duty performed, and one input that must be usable and of the
    asked kind. `gas_act_in_batch_of_50` is the dearest of the dataset's steps, 50 datasets at a time.
    `gas_vote` is a vote that decides, `gas_recall` the recall of an approved dataset.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedChain.create(Path(name) / "chain") as chain,
        Rpc(chain.url) as rpc,
    ):
        members = Consortium(chain, rpc)
        gas = {
            "gas_register": _median(lambda: members.register(MAKER, "run", "start")[1]),
            **_anchors(members),
            **_acts(members),
            **_batches(members),
            **_together(members),
            **_delegated(members),
        }
        created = members.rpc.call("eth_getBlockByNumber", [hex(members.terms.deployed), False])
        gas["gas_deploy"] = float(int(created["gasUsed"], 16))
        gas["code_bytes"] = float(len(artefacts_contract().runtime))
        return gas


def _anchors(members: Consortium) -> dict[str, float]:
    """The first of an organisation fills two slots, every later one changes them."""

    def anchor() -> int:
        return members.send(MAKER, ANCHOR + arrays([members.fresh(), 10_000]))

    first = float(anchor())
    anchored = _median(anchor)
    return {"gas_anchor_first": first, "gas_anchor": anchored, "gas_per_observation": anchored / 10_000}


def _acts(members: Consortium) -> dict[str, float]:
    seen: dict[str, list[int]] = {}
    for _ in range(RUNS):
        dataset, _gas = members.register(MAKER, "dataset", "collect")
        for sequence, (who, action) in enumerate(
            [(VERIFIER, "label"), (MAKER, "approve"), (MAKER, "amend")], start=1
        ):
            gas = members.act(who, "dataset", action, Input(dataset, sequence))
            seen.setdefault(f"dataset {action}", []).append(gas)
        run, _gas = members.register(MAKER, "run", "start")
        seen.setdefault("run finish", []).append(members.act(MAKER, "run", "finish", Input(run, 1)))
        model, _gas = members.register(MAKER, "model", "propose", [Input(run, 2)])
        test, _gas = members.register(VERIFIER, "evaluation", "plan", [Input(model, 1)])
        members.act(VERIFIER, "evaluation", "pass", Input(test, 1))
        evaluated = members.act(VERIFIER, "model", "evaluate", Input(model, 1), [Input(test, 2)])
        seen.setdefault("model evaluate", []).append(evaluated)
        approved = members.act(APPROVER, "model", "approve", Input(model, 2))
        seen.setdefault("model approve", []).append(approved)
    medians = {step: float(statistics.median(gas)) for step, gas in seen.items()}
    with_input = medians.pop("model evaluate")
    return {"gas_act": max(medians.values()), "gas_act_with_1_input": with_input}


def _batches(members: Consortium) -> dict[str, float]:
    salts = [members.fresh() for _ in range(BATCH)]
    ids = [members.id_of(MAKER, salt) for salt in salts]
    registered = members.batch(MAKER, *(members.step("dataset", "collect", salt, 1) for salt in salts))
    acts = [
        members.batch(who, *(members.step("dataset", action, each, sequence) for each in ids))
        for sequence, (who, action) in enumerate(
            [(VERIFIER, "label"), (MAKER, "approve"), (MAKER, "amend")], start=2
        )
    ]
    alone = members.batch(MAKER, members.step("dataset", "approve", ids[0], 5))
    anchors = encode_call(BatchCall(anchors=(AnchorCall(members.fresh(), 10_000),)))
    return {
        "gas_register_in_batch_of_50": registered,
        "gas_act_in_batch_of_50": max(acts),
        "gas_act_in_batch_of_1": alone,
        "gas_anchor_in_batch_of_1": float(members.send(MAKER, anchors)),
    }


def _delegated(members: Consortium) -> dict[str, float]:
    """What one key signs and another sends: the dearest of the dataset's steps, alone and 50 at a time."""

    def signed(who: int, step: StepCall) -> SignedStep:
        return sign_step(members.keys[who], members.terms, step, FAR_AWAY)

    def together(who: int, action: str, ids: Sequence[bytes], sequence: int) -> float:
        steps = tuple(signed(who, members.step("dataset", action, each, sequence)) for each in ids)
        return members.send(APPROVER, encode_call(BatchForCall(steps))) / len(steps)

    def alone(who: int, step: StepCall) -> int:
        return members.send(APPROVER, encode_call(ActForCall(signed(who, step))))

    salts = [members.fresh() for _ in range(BATCH)]
    ids = [members.id_of(MAKER, salt) for salt in salts]
    registered = together(MAKER, "collect", salts, 1)
    acts = [
        together(who, action, ids, sequence)
        for sequence, (who, action) in enumerate(
            [(VERIFIER, "label"), (MAKER, "approve"), (MAKER, "amend")], start=2
        )
    ]
    singles: dict[str, list[int]] = {}
    for each in ids[:RUNS]:
        for sequence, (who, action) in enumerate(
            [(VERIFIER, "label"), (MAKER, "approve"), (MAKER, "amend")], start=5
        ):
            gas = alone(who, members.step("dataset", action, each, sequence))
            singles.setdefault(action, []).append(gas)
    approvals = []
    for _ in range(RUNS):
        release = members.fresh()
        members.batch(MAKER, StepCall(release, RELEASE_NUMBER, 1, 1, members.fresh(), members.fresh()))
        asked = ApproveCall(members.id_of(MAKER, release), 2, 2, members.fresh(), members.fresh())
        approval = sign_approval(members.keys[APPROVER], members.terms, asked, FAR_AWAY)
        approvals.append(members.send(MAKER, encode_call(approval)))
    return {
        "gas_act_for": max(float(statistics.median(gas)) for gas in singles.values()),
        "gas_act_for_in_batch_of_50": max(acts),
        "gas_register_for_in_batch_of_50": registered,
        "gas_approve_for": float(statistics.median(approvals)),
    }


def _together(members: Consortium) -> dict[str, float]:
    """What takes more than one organisation: approving, voting, handing over; and a recall."""
    seen: dict[str, list[int]] = {}
    members.send(MAKER, encode_call(ProposeCall(Change(ChangeKind.ADMIT_LIFECYCLE, profile=RELEASE.id))))
    members.send(VERIFIER, encode_call(VoteCall(1)))
    words = tuple(rule.word for rule in RELEASE.rules)
    members.send(MAKER, encode_call(ExecuteLifecycleCall(1, RELEASE.properties, RELEASE.document, words)))
    for proposal in range(2, RUNS + 2):
        release = members.fresh()
        members.batch(MAKER, StepCall(release, RELEASE_NUMBER, 1, 1, members.fresh(), members.fresh()))
        asked = ApproveCall(members.id_of(MAKER, release), 2, 2, members.fresh(), members.fresh())
        seen.setdefault("gas_approve", []).append(members.send(APPROVER, encode_call(asked)))
        change = Change(ChangeKind.SET_ROLES, APPROVER + 1, role_mask(["approver"]) | proposal << 32)
        # Another proposes each time: an organisation has one open proposal.
        proposer, voter = (MAKER, VERIFIER) if proposal % 2 else (VERIFIER, MAKER)
        members.send(proposer, encode_call(ProposeCall(change)))
        seen.setdefault("gas_vote", []).append(members.send(voter, encode_call(VoteCall(proposal))))
        members.send(proposer, encode_call(ExecuteCall(proposal, change)))
        dataset, _gas = members.register(MAKER, "dataset", "collect")
        members.act(MAKER, "dataset", "approve", Input(dataset, 1))
        offer = members.take(MAKER, Alike.OFFER_CUSTODY, Input(dataset, 2), word(VERIFIER + 1))
        accept = members.take(VERIFIER, Alike.ACCEPT_CUSTODY, Input(dataset, 3), bytes(32))
        members.take(VERIFIER, Alike.OFFER_CUSTODY, Input(dataset, 4), word(MAKER + 1))
        members.take(MAKER, Alike.ACCEPT_CUSTODY, Input(dataset, 5), bytes(32))
        recall = KINDS["dataset"][1].action_number("recall")
        gas = members.take(MAKER, recall, Input(dataset, 6), bytes(32))
        seen.setdefault("gas_custody_offer", []).append(offer)
        seen.setdefault("gas_custody_accept", []).append(accept)
        seen.setdefault("gas_recall", []).append(gas)
    return {name: float(statistics.median(gas)) for name, gas in seen.items()}


def _median(cost: Callable[[], int]) -> float:
    return float(statistics.median(cost() for _ in range(RUNS)))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
