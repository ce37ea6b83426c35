"""What signs for a project: the signer its settings name, confined to its ledger."""

from __future__ import annotations

from proml.config import Config
from proml.contracts.abi import CALLS
from proml.contracts.consent import domain_separator
from proml.contracts.typed import STATEMENTS
from proml.extensions import signer_module
from proml.interfaces import KeySource, Signer, Terms
from proml.signing import Passphrase
from proml.signing.policy import Policy, PolicySigner


def open_signer(config: Config, passphrase: Passphrase | None) -> Signer:
    """Open the signer of the setting `signer`; it signs whatever it is asked.

    Raises:
        ConfigInvalid: when no signer has that name, or what follows it makes no sense.
        KeyProblem: when it cannot be used.
    """
    name, _, where = config.signer.partition(":")
    signer: Signer = signer_module(name).open_signer(KeySource(where, config.key_file, passphrase))
    return signer


def signer_address(config: Config) -> bytes:
    """The 20-byte address of what signs, without unlocking it; raises as `open_signer`."""
    name, _, where = config.signer.partition(":")
    address: bytes = signer_module(name).signer_address(KeySource(where, config.key_file))
    return address


def confined(signer: Signer, terms: Terms) -> Signer:
    """The same signer, for calls and statements of one ledger only."""
    domain = domain_separator(terms.chain_id, terms.contract)
    return PolicySigner(signer, Policy(terms.chain_id, terms.contract, CALLS, domain, STATEMENTS))
