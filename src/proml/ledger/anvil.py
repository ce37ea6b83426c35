"""The embedded chain: a real EVM chain on one machine that keeps what it was given.

    with EmbeddedChain.create(Path(".proml/chain")) as chain:   # up() and, at the end, down()
        transaction = chain.send_raw(signed_bytes)              # in a block when it returns
        Rpc(chain.url).call("eth_getTransactionReceipt", ["0x" + transaction.hex()])

The program behind it, anvil, forgets on kill -9 whatever was not dumped. So nothing rests on it:

- every transaction is in ProML's own log (`chain_log.py`), on the disk, before anvil hears of it;
- anvil makes blocks only when told to, and is told to right after each transaction: the n-th transaction
  of the log is block n, at the time noted in the log, and no other block exists;
- with that, giving an empty anvil the log again makes the same chain, down to every block hash. Saved
  states (`chain_dump.py`) only make that quick.

What sends and what repairs is the same code: sending is "append to the log, then bring the chain up to the
log", and so is every recovery.

Block time: the sending machine's clock in whole seconds, but never earlier than the block before. Several
blocks may have the same time; when the clock is set back, blocks keep the last time until it has caught up.

Not defended against: whoever may open connections to 127.0.0.1 on this machine can use anvil's own commands
to alter the running state, and a state saved then carries it on; starting from the log alone, with the dumps
removed, shows and undoes it. Transactions that reach anvil past `send_raw` never get into a block.

Files of the folder: `chain.json` (what the chain is), `lock` (held while anything changes),
`transactions.log`, `state-*.dump`, `alive`, `runtime.json`, `anvil.log`, and `anvil-home`, which holds
nothing worth keeping.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from proml.core.digest import keccak256
from proml.errors import Busy, LedgerProblem, WrongLedger
from proml.ledger.anvil_binary import VERSION, find_anvil
from proml.ledger.anvil_process import AnvilProcess, Running
from proml.ledger.chain_dump import ChainDump, sound_dumps, write_dump
from proml.ledger.chain_folder import LOG, ChainStatus, alone, create_chain, read_settings
from proml.ledger.chain_log import MAX_TRANSACTION_BYTES, ChainLog, Entry, Position
from proml.ledger.rpc import Rpc, RpcError

DUMP_EVERY = 500
_ANSWER_SECONDS = 60.0
_PROBE_SECONDS = 5.0
_LARGEST_DUMP_BYTES = 1 << 32
_SEND = "eth_sendRawTransaction"
# The code most nodes use for a transaction that they will not take.
_REFUSED = -32000


class EmbeddedChain:
    """The chain in one folder; any number of processes and threads may use the same folder.

    Args:
        folder: a folder made by `create`.
        dump_every: save the state after this many blocks.
        clock: seconds since 1970 UTC.

    Raises:
        NotFound: there is no chain in the folder.
        LedgerProblem: its settings cannot be read.
    """

    def __init__(
        self, folder: Path, dump_every: int = DUMP_EVERY, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder = folder.resolve()
        self.settings = read_settings(self.folder)
        self._dump_every = dump_every
        self._clock = clock
        chain_id, genesis_time = self.settings.chain_id, self.settings.genesis_time
        self._log = ChainLog(self.folder / LOG, chain_id, genesis_time)
        self._process = AnvilProcess(self.folder, chain_id, genesis_time)
        self._connection: tuple[Running, Rpc] | None = None

    @classmethod
    def create(
        cls, folder: Path, dump_every: int = DUMP_EVERY, clock: Callable[[], float] = time.time
    ) -> Self:
        """Make a new chain, with a chain id of its own; it does not run yet.

        Raises:
            LedgerProblem: there is a chain in the folder already, or it cannot be written.
        """
        create_chain(folder, int(clock()))
        return cls(folder, dump_every, clock)

    @property
    def url(self) -> str:
        """JSON-RPC address for reading; send through `send_raw`.

        Raises:
            LedgerProblem: the chain does not run.
        """
        return self._running().url

    def up(self) -> ChainStatus:
        """See to it that the chain runs and holds every transaction of its log; harmless to repeat.

        The program goes on when this process ends, until `down`.

        Raises:
            LedgerProblem: the program is missing or does not start, or the log is damaged.
            Busy: another process has been at work on this chain for two minutes.
        """
        with self._at_work():
            self._catch_up()
            running = self._process.running()
            if running is not None and self._answers(running):
                self._bring_up_to_log()
            else:
                self._revive()
        return self.status()

    def down(self) -> None:
        """Save the state and end the program; nothing happens when it does not run.

        Raises:
            LedgerProblem: the program cannot be ended.
            Busy: another process has been at work on this chain for two minutes.
        """
        with self._at_work():
            running = self._process.running()
            # A state that cannot be saved costs time at the next start and nothing else.
            with contextlib.suppress(LedgerProblem, OSError):
                if running is not None and self._answers(running):
                    self._catch_up()
                    self._bring_up_to_log()
                    self._save()
            self._process.stop()

    def kill(self) -> None:
        """End the program at once and save nothing, as a power cut would."""
        self._process.kill()

    def status(self) -> ChainStatus:
        """What the chain is doing now; changes nothing and waits for nobody.

        Raises:
            LedgerProblem: the log is damaged.
        """
        saved = self._newest_saved()
        blocks = self._log.count_blocks(saved)
        running = self._process.running()
        return ChainStatus(
            folder=self.folder,
            chain_id=self.settings.chain_id,
            genesis_time=self.settings.genesis_time,
            blocks=blocks,
            unsaved=blocks - saved.blocks,
            url=running.url if running else None,
            pid=running.pid if running else None,
            set_aside=tuple(sorted([*self.folder.glob("*.cut-short-at-*"), *self.folder.glob("*.damaged")])),
        )

    def send_raw(self, raw: bytes) -> bytes:
        """Put a signed transaction into the next block.

        On return it is in a block and on the disk, and stays there whatever happens to the program. It
        may have failed inside the EVM all the same: its receipt tells. Sending the same bytes again
        changes nothing. `raw` has the form of its type (EIP-2718), at most 1 MiB. Returns its hash.

        Raises:
            RpcError: the chain refused it (nonce used or ahead of its turn, wrong chain id, too little gas
                to begin with, not a transaction); it is in no block and changed nothing.
            LedgerProblem: otherwise, and then it is unknown whether it will get into a block: call `up`, and
                send the same bytes again.
        """
        (problem,) = self.send_all([raw])
        if problem is not None:
            raise problem
        return keccak256(raw)

    def send_all(self, raws: Sequence[bytes]) -> list[LedgerProblem | None]:
        """Put signed transactions into the next blocks, in their order, as by `send_raw` each.

        Returns what `send_raw` would have raised for each. Behind one that may or may not get into a block
        nothing is tried any more, and the problem of those behind it is the same.
        """
        problems: list[LedgerProblem | None] = []
        try:
            with self._at_work():
                self._running()
                self._catch_up()
                time_of_last = self._bring_up_to_log()
                for raw in raws:
                    try:
                        time_of_last = self._send(raw, time_of_last)
                        problems.append(None)
                    except RpcError as refusal:
                        problems.append(refusal)
        except (LedgerProblem, Busy) as problem:
            unknown = problem if isinstance(problem, LedgerProblem) else LedgerProblem(problem.message)
            problems += [unknown] * (len(raws) - len(problems))
        return problems

    def _send(self, raw: bytes, time_of_last: int) -> int:
        """One of `send_all`; returns the time of the newest block."""
        if not 0 < len(raw) <= MAX_TRANSACTION_BYTES:
            raise RpcError(_SEND, _REFUSED, f"a transaction has 1 to {MAX_TRANSACTION_BYTES:,} bytes")
        if self._ask("eth_getTransactionByHash", _hex(keccak256(raw))) is not None:
            return time_of_last
        entry = self._log.append(raw, max(time_of_last, int(self._clock())))
        self._make_block(entry)
        if self._log.end.blocks % self._dump_every == 0:
            # The transaction is safe; a full disk must not make its sender think otherwise.
            with contextlib.suppress(LedgerProblem, OSError):
                self._save()
        return entry.time

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    # Bringing the chain up to the log

    def _catch_up(self) -> None:
        fresh = self._log.end == self._log.start
        self._log.catch_up(self._newest_saved() if fresh else None)

    def _bring_up_to_log(self) -> int:
        """Make the blocks that the log holds and the program does not; return the time of the last block.

        After a kill of the program that is everything since the saved state; after a kill of a sender
        between log and program it is one block; ordinarily it is none.
        """
        latest = self._ask("eth_getBlockByNumber", "latest", False)
        height, last_time = int(latest["number"], 16), int(latest["timestamp"], 16)
        if height > self._log.end.blocks:
            raise WrongLedger(
                f"the embedded chain has {height} blocks and its log {self._log.end.blocks}: "
                "somebody made blocks past ProML, or put an older log here",
                "`proml ledger down` and `up` go back to what the log holds",
            )
        if height == self._log.end.blocks:
            return last_time
        for entry in self._log.entries(self._place_before(height)):
            if entry.block > height:
                # The last of the log may be refused: its sender was killed before it could be told.
                with contextlib.suppress(RpcError):
                    self._make_block(entry)
                    last_time = entry.time
        return last_time

    def _make_block(self, entry: Entry) -> None:
        """Give one transaction of the log to the program and have it make its block.

        Raises:
            RpcError: it was refused; it was the last of the log and has been taken back there.
            LedgerProblem: anything else.
        """
        try:
            self._put_into_pool(_hex(entry.raw))
        except RpcError as refusal:
            self._take_back(entry, refusal.text)
            raise
        self._ask("evm_mine", {"timestamp": entry.time})
        if entry.block < self._log.end.blocks:
            return
        # anvil lets some transactions into its pool that cannot be in a block, and then makes an empty one.
        if self._ask("eth_getTransactionReceipt", _hex(keccak256(entry.raw))) is None:
            reason = "dropped while its block was made; its gas may not even pay for its bytes"
            self._take_back(entry, reason)
            self._revive()
            raise RpcError(_SEND, _REFUSED, reason)

    def _put_into_pool(self, raw: str) -> None:
        """Make this transaction the only one that the next block can hold, or raise RpcError."""
        rpc = self._rpc()
        with contextlib.suppress(RpcError):
            # A refusal may be for good, or due to what others left in the pool: the second try tells.
            rpc.call(_SEND, [raw])
            if _is_alone(rpc):
                return
        rpc.call("anvil_dropAllTransactions")
        rpc.call(_SEND, [raw])
        if not _is_alone(rpc):
            rpc.call("anvil_dropAllTransactions")
            raise RpcError(_SEND, _REFUSED, "nonce too high: transactions before it are missing")

    def _take_back(self, entry: Entry, reason: str) -> None:
        if entry.block != self._log.end.blocks:
            raise LedgerProblem(
                f"the embedded chain refuses block {entry.block} of its log, which it once made: {reason}",
                f"is its program another than anvil {VERSION}? Nothing was changed",
            )
        self._log.take_back(reason)

    # Starting from saved states

    def _revive(self) -> None:
        """Start the program anew, from the newest saved state that it accepts, or else from nothing."""
        self._process.stop()
        program = find_anvil()
        for saved in self._saved():
            self._process.start(program, self._answers)
            if self._load(saved):
                break
            self._process.kill()
            saved.set_aside()
        else:
            self._process.start(program, self._answers)
        self._bring_up_to_log()

    def _load(self, saved: ChainDump) -> bool:
        """Whether the program took a saved state and stands at its last block."""
        content = saved.content()
        if content is None:
            return False
        try:
            self._rpc().call("anvil_loadState", [_hex(content)])
        except RpcError:
            return False
        latest = self._ask("eth_getBlockByNumber", "latest", False)
        return bool(latest["hash"] == saved.head and int(latest["number"], 16) == saved.position.blocks)

    def _save(self) -> None:
        if self._newest_saved().blocks == self._log.end.blocks:
            return
        latest = self._ask("eth_getBlockByNumber", "latest", False)
        content = bytes.fromhex(self._ask("anvil_dumpState").removeprefix("0x"))
        write_dump(self.folder, VERSION, self.settings.chain_id, (self._log.end, latest["hash"]), content)

    def _saved(self) -> Iterator[ChainDump]:
        return sound_dumps(self.folder, VERSION, self.settings.chain_id)

    def _newest_saved(self) -> Position:
        return next((saved.position for saved in self._saved()), self._log.start)

    def _place_before(self, height: int) -> Position:
        """A place in the log known to lie before block height + 1, as late as possible."""
        places = (saved.position for saved in self._saved() if saved.position.blocks <= height)
        return next(places, self._log.start)

    # Talking to the program

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        """Hold the chain's lock, and close the connection to the program in the end."""
        with alone(self.folder):
            try:
                yield
            finally:
                self._hang_up()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    def _running(self) -> Running:
        running = self._process.running()
        if running is None:
            raise LedgerProblem(
                f"the embedded chain in {self.folder} does not run", "start it: `proml ledger up`"
            )
        return running

    def _rpc(self) -> Rpc:
        """The connection to the program that runs now."""
        running = self._running()
        if self._connection is None or self._connection[0] != running:
            self._hang_up()
            self._connection = running, Rpc(running.url, _ANSWER_SECONDS, _LARGEST_DUMP_BYTES)
        return self._connection[1]

    def _ask(self, method: str, *params: Any) -> Any:
        """Call what can only be refused when something is wrong with the program itself."""
        try:
            return self._rpc().call(method, params)
        except RpcError as problem:
            raise LedgerProblem(
                f"the embedded chain does not know how to do its work: {problem.message}",
                f"is its program another than anvil {VERSION}?",
            ) from problem

    def _answers(self, running: Running) -> bool:
        """Whether this chain answers at that port; another chain may listen there."""
        with Rpc(running.url, _PROBE_SECONDS) as probe, contextlib.suppress(LedgerProblem):
            return bool(probe.call("eth_chainId") == hex(self.settings.chain_id))
        return False


def _is_alone(rpc: Rpc) -> bool:
    """Whether the pool holds one transaction that is ready for the next block, and nothing else."""
    pool = rpc.call("txpool_status")
    return int(pool["pending"], 16) == 1 and int(pool["queued"], 16) == 0


def _hex(content: bytes) -> str:
    return "0x" + content.hex()
