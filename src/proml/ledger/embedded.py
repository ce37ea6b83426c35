"""The ledger on the embedded chain: starts it when it is down, and outlives its being killed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from proml.errors import LedgerProblem, NotFound
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.evm import EvmLedger
from proml.ledger.rpc import Rpc, RpcError
from proml.trust import LedgerFile


class RevivingRpc:
    """Questions to an embedded chain. One that goes unanswered starts the chain and is asked once more.

    For questions only: what changes the chain goes through `EmbeddedChain.send_raw`, which keeps it in the
    chain's log first.
    """

    def __init__(self, chain: EmbeddedChain) -> None:
        """Ask `chain`, wherever it listens at the time."""
        self._chain = chain
        self._rpc: Rpc | None = None

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """As `Rpc.call`."""
        try:
            return self._connected().call(method, params)
        except RpcError:
            raise
        except LedgerProblem:
            return self._connected(anew=True).call(method, params)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """As `Rpc.batch`."""
        try:
            return self._connected().batch(calls)
        except RpcError:
            raise
        except LedgerProblem:
            return self._connected(anew=True).batch(calls)

    def _connected(self, anew: bool = False) -> Rpc:
        if self._rpc is None or anew:
            status = self._chain.up()
            if status.url is None:
                raise LedgerProblem(f"the embedded chain in {self._chain.folder} did not start")
            self._rpc = Rpc(status.url)
        return self._rpc


def send_through(chain: EmbeddedChain, raw: bytes) -> None:
    """Put signed bytes on the chain; see `send_all_through`. Raises what went wrong."""
    (problem,) = send_all_through(chain, [raw])
    if problem is not None:
        raise problem


def send_all_through(chain: EmbeddedChain, raws: Sequence[bytes]) -> list[LedgerProblem | None]:
    """Put signed bytes on the chain, each in a block of its own, and say of each what went wrong.

    When the chain turns out to be down it is started, and they are sent again. Twice is harmless: the
    chain's log takes the same bytes once (`EmbeddedChain.send_all`).
    """
    problems = chain.send_all(raws)
    if any(problem is not None and not isinstance(problem, RpcError) for problem in problems):
        try:
            chain.up()
        except LedgerProblem as problem:
            return [problem] * len(raws)
        problems = chain.send_all(raws)
    return problems


def open_ledger(file: LedgerFile) -> EvmLedger:
    """Start the embedded chain of a ledger file if need be, and check that it is the pinned one."""
    try:
        chain = EmbeddedChain(Path(file.location))
    except NotFound as problem:
        raise LedgerProblem(
            problem.message, "was it moved? `reach` in .proml/ledger.json says where it is looked for"
        ) from problem
    ledger = EvmLedger(RevivingRpc(chain), file.terms, partial(send_all_through, chain))
    ledger.check()
    return ledger
