"""The keyring: the keys of a participant's organisation, and how they change.

keys = Keyring(Participant.open())
keys.add("ci", ["record"], expires=50_000)     # the present key signs, the new one consents
keys.rotate("second")                          # the present key gives way to a new one
keys.revoke("laptop", since=1204)              # what it signed from that block on is suspect
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from proml.config import choose_key
from proml.core.call import AddKeyCall, RevokeKeyCall
from proml.core.consortium import ALL_SCOPES, Key, scope_mask
from proml.core.digest import hexed, unhexed
from proml.core.refusal import Reason
from proml.errors import KeyProblem, RecordInvalid, UsageProblem
from proml.node.consents import NEW, Consent, Joining, give_consent, read_consent
from proml.node.papers import Papers
from proml.node.participant import Participant
from proml.signing import create_key, key_address
from proml.trust import new_profile


class Keyring:
    """The keys of one participant's organisation."""

    def __init__(self, me: Participant) -> None:
        """Nothing is read or signed yet."""
        self._me = me

    def file(self, name: str) -> Path:
        """The file of a key of this project by its name.

        Raises:
            UsageProblem: when that cannot name a key.
        """
        return key_file(self._me.config.folder, name)

    def address(self, text: str) -> bytes:
        """The address that the name of a key file here, or a 0x address, means (20 bytes).

        Raises:
            UsageProblem, KeyProblem: when it is no address, or there is no such file.
        """
        if not text.startswith("0x"):
            return key_address(self.file(text))
        try:
            return unhexed(text, 20)
        except RecordInvalid:
            raise UsageProblem(
                f"{text!r} is no address", "an address is 0x and 40 lower-case digits"
            ) from None

    def known(self, address: bytes) -> Key | None:
        """What the ledger holds of a key, None where it belongs to nobody."""
        return self._me.chronicle().shared.keys.get(address)

    def apply_for_admission(self) -> Consent:
        """The consent of this project's key to a new organisation of this project's name; kept here, too."""
        profile = new_profile(self._me.config.organisation)
        given = give_consent(self._me.ledger.terms, self._me.signer, Joining(NEW, profile=profile))
        Papers(self._me.config).keep_consent(given)
        return given

    def consent(self, organisation: int, scopes: Iterable[str] = (), expires: int = 0) -> Consent:
        """The consent of this project's key to belong to a member; every scope if none is named."""
        mask = scope_mask(scopes) or ALL_SCOPES
        return give_consent(self._me.ledger.terms, self._me.signer, Joining(organisation, mask, expires))

    def add(self, name: str, scopes: Iterable[str] = ("record",), expires: int = 0) -> bytes:
        """Give the organisation one more key, whose file is here; returns its address.

        Args:
            name: of the key file.
            scopes: what it may do.
            expires: block from which it is refused, 0 for never.

        Raises:
            StepRefused: when the present key may not, or the new one is somebody's already.
            KeyProblem, UsageProblem: when a key cannot be opened, or for an unknown scope.
        """
        fresh = self._me.other_key(self.file(name))
        joining = Joining(self._me.organisation, scope_mask(scopes), expires)
        return self._add(give_consent(self._me.ledger.terms, fresh, joining))

    def add_consenting(self, path: Path) -> bytes:
        """Give the organisation the key of a consent file, with the scope and end it names.

        Raises:
            ConfigInvalid, UsageProblem: when it is no such file, or is for another ledger or organisation.
            StepRefused: as `add`.
        """
        given = read_consent(path)
        given.check(self._me.ledger.terms)
        if given.organisation != self._me.organisation:
            raise UsageProblem(f"{path} agrees to belong to another organisation", "ask for one of your own")
        return self._add(given)

    def revoke(self, address: bytes, since: int | None = None) -> int:
        """Revoke a key for good.

        Args:
            address: of the key, 20 bytes.
            since: block since which it is suspect; by default nothing that is on the ledger is.

        Returns:
            The block from which what it signed is suspect.

        Raises:
            StepRefused: when the key is not ours, was revoked, or `since` is out of range.
        """
        head = self._me.ledger.head().number
        boundary = head + 1 if since is None else since
        known = self.known(address)
        began = f"; the key began in block {known.start}" if known else ""
        hints = {Reason.OUT_OF_RANGE: f"--since is a block up to {head + 1}{began}"}
        self._me.make(RevokeKeyCall(address, boundary), hints=hints)
        return boundary

    def rotate(self, name: str, passphrase: str | None = None) -> bytes:
        """Let a new key take the place of the one that signs, with the same scope and end.

        The new key signs that it will, the old one adds it and then revokes itself, and the setting `key`
        names the new one. Interrupted anywhere, it goes on when it is called again with the same name.

        Args:
            name: of the new key file, which is made if it is not there.
            passphrase: encrypts it, where it is made.

        Returns:
            The new key's address, 20 bytes.

        Raises:
            UsageProblem: when something waits to be published with the old key, or the name is taken.
            StepRefused: when the old key may not govern.
        """
        me, path = self._me, self.file(name)
        if me.config.signer != "file":
            raise UsageProblem(
                "the key is not in a file of this project",
                "add the new one by its consent file and revoke the old one",
            )
        if name == me.config.key:
            raise UsageProblem(f"{name!r} is the key that signs now", "choose another name for the new one")
        backlog = me.backlog()
        if backlog is None or backlog.waiting or backlog.sent:
            raise UsageProblem(
                "something waits to be published with the present key", "`proml push` first, then rotate"
            )
        old = self.known(me.address)
        if old is None:
            raise KeyProblem("this project's key belongs to no member", "use the key of a member")
        address = key_address(path) if path.exists() else create_key(path, passphrase).address
        known = self.known(address)
        if known is None:
            joining = Joining(old.organisation, old.scope, old.expires)
            self._add(give_consent(me.ledger.terms, me.other_key(path), joining))
        elif known.organisation != old.organisation or known.revoked:
            raise UsageProblem(
                f"the key {hexed(address)} cannot take over", "choose a name that is not taken"
            )
        if not old.revoked:
            self.revoke(me.address)
        choose_key(me.config, name)
        return address

    def _add(self, given: Consent) -> bytes:
        self._me.make(AddKeyCall(given.key, given.scope, given.expires, given.signature))
        return given.key


def key_file(folder: Path, name: str) -> Path:
    """Where a key of that name is, under a project's `.proml` folder.

    Raises:
        UsageProblem: when that cannot name a key.
    """
    if not name.replace("-", "").replace("_", "").isalnum() or len(name) > 64:
        raise UsageProblem(f"{name!r} cannot name a key", "use letters, digits, - and _")
    return folder / "keys" / f"{name}.json"
