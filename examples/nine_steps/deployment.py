"""The operator's reader of forms: it loads a model only after the gate has opened for the very same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from network import Network, read_network
from stage import Stage

from proml.core.digest import sha256
from proml.core.verdict import Verdict
from proml.node.gatekeeping import Policy, decide
from proml.verify import ByDigest, ById

# What the operator asks of a model besides a valid verdict: tested and approved, by somebody else than its
# maker as the lifecycle has it, and handed over.
POLICY = Policy(("handed_over", "deployed"), {"evaluate": 1, "approve": 1, "hand_over": 1}, complete=True)


class FormReader:
    """Reads digits on forms with the model in a file.

    Attributes:
        file: where the model is expected.
        loads: how often a model was loaded.
    """

    def __init__(self, stage: Stage, file: Path) -> None:
        self.file = file
        self.loads = 0
        self._stage = stage
        self._network: Network | None = None

    def start(self, name: str = "") -> Verdict:
        """Load the model if the gate opens for its bytes; otherwise go on as before.

        The file is read once: what is loaded is what was verified, whatever happens to the file meanwhile.

        Args:
            name: the artefact of the story that it must be; whatever artefact has these bytes if empty.
        """
        content = self.file.read_bytes()
        digest = sha256(content)
        me = self._stage.consortium.client
        verdict = self._stage.ask(me, ById(self._stage.id_of(name), digest) if name else ByDigest(digest))
        if all(demand.met for demand in decide(POLICY, verdict)):
            self._network = read_network(content)
            self.loads += 1
        return verdict

    def answer(self, features: np.ndarray) -> np.ndarray:
        """The digit on each form."""
        if self._network is None:
            raise RuntimeError("no model was loaded")
        return self._network.predict(features)
