"""A seeded simulation: a real chain, real publishing processes, every fault, and a model that must agree.

    python -m tests.faults.chain.simulate --seeds 50          # 50 seeds, from 0
    python -m tests.faults.chain.simulate --seed 4711         # one, to look at

One seed picks every parameter. Work is written to a journal; processes publish it through a proxy that fails
in every way it knows; they are killed at random; meanwhile the chain drops transactions, reorganises,
changes its price and hears of the same key from elsewhere. Then everything calms down, one more process
publishes what is left, and what the ledger, the storage and the outbox say is compared with the model.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from proml.capture.draft import Observed, Reference, RunEnded, RunStarted, StepAsked, Subject, encode
from proml.core.artefact import artefact_id
from proml.core.call import BatchCall, Founder
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import hexed, sha256, unhexed
from proml.core.proposal import Governance
from proml.core.record import is_named
from proml.errors import LedgerProblem, ProMLError
from proml.interfaces import Terms
from proml.journal import Journal
from proml.ledger.evm import EvmLedger
from proml.ledger.founding import Founding, found
from proml.ledger.rpc import Rpc, RpcError
from proml.lifecycles import shipped
from proml.node import publisher, sending
from proml.node.outbox import open_outbox
from proml.node.publisher import Publisher, Settings
from proml.node.transactions import FINAL
from proml.node.view import chronicle_of
from proml.signing import throwaway_key
from proml.storage.file import FileStorage
from tests.faults.chain.model import Model, World, accepted, read_batches
from tests.faults.chain.node import anvil
from tests.faults.chain.plan import Plan
from tests.faults.chain.proxy import QUIET, Faults, serve_in_child

TICK_SECONDS = 0.02
CALM_SECONDS = 180.0
DONE, AGAIN, BROKEN = 0, 1, 3
GWEI = 10**9
RICH = 10**24
LONGEST = 1_500
# anvil 1.7.1 loses its state in reorganisations of longer chains: not even the contract is there after them.
LONGEST_CHAIN = 400


class Diverged(AssertionError):
    """What happened is not what must have happened."""


class Room:
    """One seed's participant, its chain, and what was asked of it."""

    def __init__(self, plan: Plan, folder: Path, address: tuple[str, int]) -> None:
        self.plan, self.folder = plan, folder
        self.chance = plan.draw("events")
        self.signer = throwaway_key()
        self.direct = Rpc(f"http://{address[0]}:{address[1]}")
        self.terms = self._found()
        self.model = Model()
        self.ids: dict[str, bytes] = {}
        self.faults = Faults(plan.seed, plan.rate)
        self.proxy, self.url = serve_in_child(address, self.faults)
        self.happened: Counter[str] = Counter()
        self._subjects: dict[str, Subject] = {}

    def _found(self) -> Terms:
        for key in (self.signer, deployer := throwaway_key()):
            self.direct.call("anvil_setBalance", [hexed(key.address), hex(RICH)])
        founding = Founding(
            [Founder(self.signer.address, role_mask(ROLES), b"\x01" * 32)],
            Governance(1),
            [lifecycle.table for lifecycle in shipped()],
        )

        def send(raw: bytes) -> None:
            self.direct.call("eth_sendRawTransaction", [hexed(raw)])
            self.mine(self.plan.finality + 70)

        return found(self.direct, send, deployer, founding, self.plan.finality)

    def mine(self, blocks: int = 1) -> None:
        self.direct.call("anvil_mine", [hex(blocks)])

    # --- work -------------------------------------------------------------------------------

    def write(self, count: int) -> None:
        """Write some work to the journal, and tell the model what was acknowledged."""
        with Journal(self.folder / "journal") as journal:
            for _ in range(count):
                for draft in self._run() if self.chance.random() < 0.3 else [self._step()]:
                    journal.append(encode(draft))

    def _run(self) -> list[Any]:
        salt = self._salt()
        measured = [(step, self.chance.randint(0, 9) + 0.5) for step in range(self.chance.randint(0, 30))]
        self.model.run(salt, measured)
        observed = [Observed(salt, 1.0, step, {"loss": loss}) for step, loss in measured]
        return [RunStarted(salt, "train", 1.0), *observed, RunEnded(salt, 2.0, "finished")]

    def _step(self) -> StepAsked:
        open_ones = [salt for salt in self._subjects if self.model.may_go_on(salt)]
        if not open_ones or self.chance.random() < 0.4:
            salt = self._salt()
            self._subjects[salt] = Subject("t.csv", 1, hexed(sha256(salt.encode())), hexed(bytes(32)))
            self.model.ask(salt, "collect")
            return StepAsked("dataset", "collect", 1.0, salt, None, "d", self._subjects[salt])
        salt = self.chance.choice(open_ones)
        action = self.chance.choice(("amend", "amend", "approve", "retire"))
        if ("approved", action) == (self.model.state(salt), "approve"):
            action = "amend"
        self.model.ask(salt, action)
        # Named by its id, which a step finds whatever else has the same bytes.
        return StepAsked(
            "dataset",
            action,
            1.0,
            None,
            Reference(artefact=hexed(self.ids[salt])),
            None,
            self._subjects[salt],
        )

    def _salt(self) -> str:
        salt = hexed(self.chance.randbytes(32))
        self.ids[salt] = artefact_id(
            self.terms.chain_id, self.terms.contract, self.signer.address, unhexed(salt)
        )
        return salt

    # --- publishing -------------------------------------------------------------------------

    def publish(self, pushes: int) -> int:
        """Start a process that publishes, and gives its word back after so many tries; returns its id."""
        child = os.fork()
        if child:
            return child
        code = BROKEN
        try:
            sys.stderr = (self.folder / "child.log").open("a", buffering=1)
            code = self._publish(pushes)
        except BaseException:  # noqa: BLE001 -- told by the exit code, and read from the file
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def _publish(self, pushes: int) -> int:
        for module, name, value in (
            (publisher, "LAST_POLL_SECONDS", 0.05),
            (sending, "RESEND_SECONDS", 0.3),
            (sending, "RAISE_SECONDS", 0.6),
            (sending, "DISPLACED_SECONDS", 0.2),
            (sending, "GAP_SECONDS", 0.4),
        ):
            setattr(module, name, value)
        settings = Settings(self.folder / "journal", (), shipped(), items=self.plan.items, patience=5.0)
        for _ in range(pushes):
            with told(), Rpc(self.url, 0.5) as rpc, open_outbox(self.outbox, 5) as outbox:
                ledger = EvmLedger(rpc, self.terms)
                ledger.check()
                Publisher(outbox, ledger, self.signer, self.storage, settings).push()
                return DONE
        return AGAIN

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox.sqlite"

    @property
    def storage(self) -> FileStorage:
        return FileStorage(self.folder / "storage", is_named)

    # --- the chain --------------------------------------------------------------------------

    def disturb(self) -> None:
        """What chains, other programs and prices do."""
        plan, chance = self.plan, self.chance
        happenings = {
            "reorganise": (
                plan.often("reorganise", 0, 0.02, 0.1) if plan.finality > 1 else 0,
                self._reorganise,
            ),
            "drop": (plan.often("drop", 0, 0.02, 0.1), self._drop),
            "use elsewhere": (plan.often("elsewhere", 0, 0, 0.01, 0.05), self._use_elsewhere),
            "price": (plan.often("price", 0, 0.05), self._change_price),
            "poor": (plan.often("poor", 0, 0, 0.02), self._make_poor),
        }
        for name, (often, happen) in happenings.items():
            if chance.random() < often:
                self.happened[name] += 1
                happen()
        if chance.random() < plan.often("mine", 0.3, 0.6, 1.0):
            self.mine(chance.choice((1, 1, 1, 2, min(8, plan.finality))))

    def _reorganise(self) -> None:
        if int(self.direct.call("eth_blockNumber"), 16) > LONGEST_CHAIN:
            return
        self.direct.call("anvil_reorg", [self.chance.randint(1, min(64, self.plan.finality - 1)), []])

    def _drop(self) -> None:
        self.direct.call("anvil_dropAllTransactions")

    def _use_elsewhere(self) -> None:
        """Another program uses the key, and does nothing of ours with it."""
        self._drop()
        ledger = EvmLedger(self.direct, self.terms)
        nothing = ledger.prepare(BatchCall(), ledger.nonce(self.signer.address))
        with suppress(RpcError):  # it has no money, or the publisher was quicker
            self.direct.call("eth_sendRawTransaction", [hexed(self.signer.sign_transaction(nothing).raw)])
            self.mine()

    def _change_price(self) -> None:
        price = self.chance.choice((1, GWEI, 10 * GWEI, 40 * GWEI))
        self.direct.call("anvil_setNextBlockBaseFeePerGas", [hex(price)])

    def _make_poor(self) -> None:
        self._set_balance(self.chance.choice((0, RICH)))

    def _set_balance(self, amount: int) -> None:
        self.direct.call("anvil_setBalance", [hexed(self.signer.address), hex(amount)])

    def calm(self) -> None:
        with Rpc(self.url) as rpc:
            self.happened.update(rpc.call(QUIET))
        self._set_balance(RICH)
        self.direct.call("anvil_setNextBlockBaseFeePerGas", [hex(GWEI)])

    # --- the end ----------------------------------------------------------------------------

    def world(self) -> World:
        ledger = EvmLedger(self.direct, self.terms)
        chronicle = chronicle_of(ledger)
        steps, roots = accepted(list(ledger.events(self.terms.deployed, ledger.head().number)))
        numbers = {document: number for number, document in chronicle.documents.items()}
        with open_outbox(self.outbox) as outbox:
            intents = outbox.intents()
            finals = outbox.txs(FINAL)
        if len({sent.nonce for sent in finals}) != len(finals):
            raise Diverged("two transactions are held for final that have one nonce")
        for sent in finals:
            if ledger.receipt(sent.hash) is None:
                raise Diverged(f"{hexed(sent.hash)} is held for final and is in no block")
        names = {
            (numbers[each.table.document], each.action_number(name)): name
            for each in shipped()
            for name in each.actions
        }
        return World(chronicle, steps, roots, read_batches(self.storage), intents, self.ids, names)

    def standing(self) -> str:
        """What is under way, and what the chain says of the first of it."""
        with open_outbox(self.outbox) as outbox:
            under_way = outbox.unsettled(100)
            waiting, drafts = outbox.count("waiting"), outbox.count_drafts()
        states = Counter(sent.state for sent in under_way)
        code = self.direct.call("eth_getCode", [hexed(self.terms.contract), "latest"])
        receipt = under_way and self.direct.call("eth_getTransactionReceipt", [hexed(under_way[0].hash)])
        return (
            f"{dict(states)} under way, {waiting} waiting, {drafts} not sealed, {len(code)} digits of code, "
            f"the first has the receipt {receipt}; {(self.folder / 'child.log').read_text()[-500:]}"
        )

    def close(self) -> None:
        self.direct.close()
        os.kill(self.proxy, signal.SIGKILL)
        os.waitpid(self.proxy, 0)


@contextmanager
def told() -> Iterator[None]:
    """A push that does not end well says so where failures are looked for, and is tried again."""
    try:
        yield
    except ProMLError as problem:
        sys.stderr.write(f"{problem.message}\n")


def play(room: Room) -> None:
    """The troubled time: work, faults, kills."""
    plan, chance = room.plan, room.chance
    child = 0
    for _ in range(plan.ticks):
        if chance.random() < plan.often("work", 0.1, 0.3):
            room.write(chance.randint(1, 6))
        if not child:
            child = room.publish(chance.randint(1, 3))
        room.disturb()
        if chance.random() < plan.often("kill", 0, 0.02, 0.1):
            room.happened["kill"] += 1
            os.kill(child, signal.SIGKILL)
        time.sleep(TICK_SECONDS)
        child = _gone(room, child)
    if child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _gone(room: Room, child: int) -> int:
    """The child, 0 when it has ended."""
    found, status = os.waitpid(child, os.WNOHANG)
    if found and os.WIFEXITED(status) and os.WEXITSTATUS(status) == BROKEN:
        raise Diverged((room.folder / "child.log").read_text())
    return 0 if found else child


def settle(room: Room) -> None:
    """The quiet time: what is left is published, within a minute of blocks."""
    room.calm()
    deadline = time.monotonic() + CALM_SECONDS
    child = 0
    while time.monotonic() < deadline:
        child = child or room.publish(1)
        room.mine(1 + room.plan.finality // 8)
        time.sleep(TICK_SECONDS / 2)
        found, status = os.waitpid(child, os.WNOHANG)
        if not found:
            continue
        child = 0
        if os.WEXITSTATUS(status) == BROKEN:
            raise Diverged((room.folder / "child.log").read_text())
        if os.WEXITSTATUS(status) == DONE:
            return
    raise Diverged(f"not everything is settled {CALM_SECONDS:.0f} s after the last fault: {room.standing()}")


@contextmanager
def room_of(seed: int) -> Iterator[Room]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder, anvil() as address:
        room = Room(Plan(seed), Path(folder), address)
        try:
            yield room
        finally:
            room.close()


def simulate(seed: int) -> Counter[str]:
    """Play one seed; returns what happened in it, or raises what diverged."""
    with room_of(seed) as room:
        play(room)
        settle(room)
        room.model.check(room.world())
        room.happened["items"] += len(room.ids)
        return room.happened


def main() -> int:
    """Play many seeds; the exit code says whether all agreed with the model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one")
    asked = parser.parse_args()
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    failed: list[int] = []
    total: Counter[str] = Counter()
    for seed in seeds:
        try:
            total += simulate(seed)
        except (AssertionError, LedgerProblem) as error:
            failed.append(seed)
            print(f"SIM_SEED={seed} failed: {type(error).__name__}: {str(error)[-LONGEST:]}", flush=True)
    print(f"{len(seeds) - len(failed)} passed, {len(failed)} failed; {dict(sorted(total.items()))}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
