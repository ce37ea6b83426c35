"""Papers: what proposals speak of and the ledger has no room for, kept in the project.

The ledger knows of a new member its key and a commitment to its name, and of a lifecycle its id. Whoever
proposes or votes keeps the consent here, and the lifecycle among the project's own, so that proposals can be
shown in words and executed.
"""

from __future__ import annotations

from pathlib import Path

from proml.config import Config
from proml.core.digest import ZERO, hexed
from proml.core.history import SharedHistory
from proml.core.lifecycle import Lifecycle
from proml.core.proposal import KEYED, Change, ChangeKind
from proml.errors import StorageProblem, UsageProblem
from proml.lifecycles import supplied
from proml.lifecycles.own import keep, kept, read_written, sound
from proml.node.consents import Consent, read_consent


class Papers:
    """The papers of one project. Made by anybody's hand, so everything read is compared with the proposal."""

    def __init__(self, config: Config) -> None:
        """Nothing is read or made yet."""
        self._config = config
        self._folder = config.papers

    def keep_consent(self, consent: Consent) -> None:
        """Keep a consent, in place of an older one of the same key."""
        path = self._consent_path(consent.key)
        temporary = path.with_suffix(".tmp")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(consent.written())
            temporary.replace(path)
        except OSError as error:
            raise StorageProblem(f"{path} cannot be written: {error.strerror}", "nothing was sent") from error

    def consent(self, change: Change) -> Consent | None:
        """The consent of a change's new key, None when it is not here or is not the one that is meant."""
        path = self._consent_path(change.key)
        if change.kind not in KEYED or not path.exists():
            return None
        consent = read_consent(path)
        return consent if _is_meant(consent, change) else None

    def keep_lifecycle(self, lifecycle: Lifecycle) -> None:
        """Keep a lifecycle among the project's own, unless it is at hand anyway."""
        if lifecycle not in self._lifecycles:
            keep(self._config.lifecycles, lifecycle)

    def lifecycle(self, change: Change) -> Lifecycle | None:
        """The lifecycle a change admits, None when its file is not here."""
        return next((each for each in self._lifecycles if each.table.id == change.profile), None)

    def lifecycle_meant(self, what: str) -> Lifecycle:
        """The lifecycle of a file, or the newest at hand of a kind.

        Raises:
            NotFound: when it is neither.
            LifecycleInvalid: when the file breaks a rule.
        """
        at_hand = {each.kind: each for each in self._lifecycles}
        if what in at_hand and not Path(what).exists():
            return at_hand[what]
        return sound(read_written(Path(what)))

    @property
    def _lifecycles(self) -> tuple[Lifecycle, ...]:
        return (*supplied(), *kept(self._config.lifecycles))

    def take(self, change: Change, path: Path) -> None:
        """Keep the file behind a change that somebody else proposed.

        Raises:
            UsageProblem: when the change has no file behind it, or another one.
            NotFound, ConfigInvalid, LifecycleInvalid: when there is no such file, or it is damaged.
        """
        if change.kind in KEYED:
            consent = read_consent(path)
            if not _is_meant(consent, change):
                raise UsageProblem(f"{path} is not the consent that was proposed", "ask the proposer for it")
            self.keep_consent(consent)
        elif change.kind == ChangeKind.ADMIT_LIFECYCLE:
            lifecycle = sound(read_written(path))
            if lifecycle.table.id != change.profile:
                raise UsageProblem(
                    f"{path} is not the lifecycle that was proposed", "ask the proposer for it"
                )
            self.keep_lifecycle(lifecycle)
        else:
            raise UsageProblem("there is no file behind this proposal", "leave --file away")

    def names(self, shared: SharedHistory) -> dict[int, Consent]:
        """Consents of members whose name they tell: the ledger commits to it. By number."""
        found = {}
        for path in sorted(self._folder.glob("0x" + "?" * 40 + ".json")):
            consent = read_consent(path)
            key = shared.keys.get(consent.key)
            if consent.profile and key:
                member = shared.organisations[key.organisation]
                if member.profile == consent.profile.commitment:
                    found[member.number] = consent
        return found

    def _consent_path(self, key: bytes) -> Path:
        return self._folder / f"{hexed(key)}.json"


def _is_meant(consent: Consent, change: Change) -> bool:
    profile = consent.profile.commitment if consent.profile else ZERO
    agreed = (consent.key, consent.organisation, profile)
    return consent.is_whole and agreed == (change.key, change.organisation, change.profile)
