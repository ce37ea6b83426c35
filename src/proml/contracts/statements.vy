# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title statements: what keys sign for others to send
@license Apache-2.0
@notice EIP-712 statements, each worth something once, on one chain, for one contract: a key's consent to
        belong to an organisation, a step, an approval. One encoding of a signature only.
@dev    Module without storage. The domain separator is computed at call time from chain.id: a cached one
        would let a signature be replayed on a fork.
"""

# --- constants --------------------------------------------------------------------------------

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
CONSENT_TYPE: constant(bytes32) = keccak256(
    "KeyConsent(uint256 organisation,address key,uint256 scope,uint256 expires)"
)
# `artefact` is the salt where `lifecycle` is not 0, as in a step; `inputs` is the inputs digest, which
# covers the approvals that the step relies on, too.
STEP_TYPE: constant(bytes32) = keccak256(
    "Step(bytes32 artefact,uint256 lifecycle,uint256 action,uint256 sequence,bytes32 record,bytes32 subject,bytes32 inputs,uint256 deadline)"
)
APPROVAL_TYPE: constant(bytes32) = keccak256(
    "Approval(bytes32 artefact,uint256 action,uint256 sequence,bytes32 subject,bytes32 record,uint256 deadline)"
)
NAME_HASH: constant(bytes32) = keccak256("ProML")
VERSION_HASH: constant(bytes32) = keccak256("1")
# secp256k1 n / 2: a larger s is the malleable twin of another signature (EIP-2).
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

# Reasons 70-79 speak of what somebody signed and another sent; docs/contracts.md lists them all.
SIGNATURE_MALFORMED: constant(uint256) = 70
SIGNATURE_INVALID: constant(uint256) = 71
DEADLINE_PASSED: constant(uint256) = 72

# --- the rules --------------------------------------------------------------------------------

@internal
@view
def _domain() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPE, NAME_HASH, VERSION_HASH, chain.id, self))


@internal
@pure
def _typed(domain: bytes32, struct_hash: bytes32) -> bytes32:
    """
    @dev EIP-712: keccak256(0x19 0x01 || domain separator || struct hash).
    """
    return keccak256(concat(b"\x19\x01", domain, struct_hash))


@internal
@pure
def _flaw(signer: uint256, digest: bytes32, v: uint256, r: uint256, s: uint256) -> uint256:
    """
    @dev Why a signature is not the signer's: not in the one form there is (v 27 or 28, low s, r and s not
         zero), or somebody else's; 0 when it is. The signer, an address as a number, is named and compared,
         and is never zero; nor is it more than an address when this returns 0.
    """
    if (v != 27 and v != 28) or s > HALF_ORDER or s == 0 or r == 0:
        return SIGNATURE_MALFORMED
    if signer == 0 or convert(ecrecover(digest, v, r, s), uint256) != signer:
        return SIGNATURE_INVALID
    return 0
