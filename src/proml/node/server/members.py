"""The members' keys as the ledger has them now, looked up anew every few seconds at most."""

from __future__ import annotations

import threading
import time

from proml.core.consortium import Key
from proml.core.history import SharedHistory
from proml.node.participant import Participant

FRESH_SECONDS = 2.0


class Members:
    """Which key belongs to whom; may be asked from several threads."""

    def __init__(self, me: Participant) -> None:
        """Ask the ledger of `me` when first asked."""
        self._me = me
        self._lock = threading.Lock()
        self._shared: SharedHistory | None = None
        self._block = 0
        self._asked = 0.0

    @property
    def own(self) -> int:
        """The number of the organisation that the project's key belongs to, 0 when to none."""
        shared, _ = self._now()
        key = shared.keys.get(self._me.signer.address)
        return key.organisation if key else 0

    def key(self, address: bytes) -> Key | None:
        """The key with this address, if it may act in the present block."""
        shared, block = self._now()
        key = shared.keys.get(address)
        if key is None or key.refusal(block) is not None:
            return None
        return None if shared.organisations[key.organisation].removed else key

    def _now(self) -> tuple[SharedHistory, int]:
        with self._lock:
            now = time.monotonic()
            if self._shared is None or now - self._asked > FRESH_SECONDS:
                self._block = self._me.ledger.head().number
                self._shared = self._me.chronicle().shared
                self._asked = now
            return self._shared, self._block
