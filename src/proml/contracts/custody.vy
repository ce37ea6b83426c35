# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title custody: the steps that every lifecycle has alike
@license Apache-2.0
@notice Handing an artefact over takes two steps, one by each side: the custodian offers, the other accepts.
        Any member may contest an artefact; the custodian answers, and whoever contested it settles, or an
        auditor that is not the custodian. None of these steps changes the state.
        Where a custodian is no longer a member, the organisation that a vote named as its successor stands
        in for it; nothing it kept is out of reach for ever.
@dev    Module. Knows what such a step does to an artefact's word; artefacts.vy keeps words and heads.
"""

import consortium

uses: consortium

# --- types and constants ----------------------------------------------------------------------

OFFER: constant(uint256) = 240  # subject: the organisation's number; zero withdraws the offer
ACCEPT: constant(uint256) = 241
CONTEST: constant(uint256) = 242
ANSWER: constant(uint256) = 243
SETTLE: constant(uint256) = 244

# Of the artefact word.
CUSTODIAN: constant(uint256) = 104
OFFERED: constant(uint256) = 120
DISPUTED: constant(uint256) = 254
ORG_MASK: constant(uint256) = 2**16 - 1
AUDITOR: constant(uint256) = 2**5

# Reasons 60-69 speak of these steps; docs/contracts.md lists them all.
NOT_CUSTODIAN: constant(uint256) = 25
NO_MEMBER: constant(uint256) = 48
NOT_OFFERED: constant(uint256) = 60
DISPUTED_ALREADY: constant(uint256) = 61
NOT_DISPUTED: constant(uint256) = 62
NOT_YOUR_DISPUTE: constant(uint256) = 63
INPUTS_NOT_ASKED: constant(uint256) = 64

# --- storage ----------------------------------------------------------------------------------

# Who contested an artefact, while that is not settled.
disputes: HashMap[bytes32, uint256]
# Who stands in for an organisation that is no longer a member.
successors: HashMap[uint256, uint256]

# --- reading ----------------------------------------------------------------------------------

@external
@view
def dispute(artefact: bytes32) -> uint256:
    """
    @notice The organisation that contests an artefact, 0 if none does now.
    """
    return self.disputes[artefact]


@external
@view
def successor(organisation: uint256) -> uint256:
    """
    @notice The member that stands in for an organisation that went, 0 if none was named.
    """
    return self.successors[organisation]

# --- the rules --------------------------------------------------------------------------------

@internal
@view
def _keeps(word: uint256, organisation: uint256) -> bool:
    """
    @dev Whether an organisation is an artefact's custodian, or stands in for it.
    """
    custodian: uint256 = (word >> CUSTODIAN) & ORG_MASK
    return custodian == organisation or self.successors[custodian] == organisation


@internal
def _taken(
    artefact: bytes32, word: uint256, organisation: uint256, roles: uint256, action: uint256, subject: bytes32
) -> (uint256, uint256):
    """
    @dev `action` is OFFER to SETTLE. Returns the first reason against the step, or 0 and the artefact's next word, its sequence not yet
         raised. The caller has made sure of everything that does not depend on the action.
    """
    if action == OFFER:
        if not self._keeps(word, organisation):
            return NOT_CUSTODIAN, 0
        invited: uint256 = convert(subject, uint256)
        if invited != 0 and not consortium._is_member(invited):
            return NO_MEMBER, 0
        return 0, (word & ~(ORG_MASK << OFFERED)) | (invited << OFFERED)
    if action == ACCEPT:
        if (word >> OFFERED) & ORG_MASK != organisation:
            return NOT_OFFERED, 0
        return 0, (word & ~((ORG_MASK << OFFERED) | (ORG_MASK << CUSTODIAN))) | (organisation << CUSTODIAN)
    disputed: bool = (word >> DISPUTED) & 1 != 0
    if action == CONTEST:
        if disputed:
            return DISPUTED_ALREADY, 0
        self.disputes[artefact] = organisation
        return 0, word | (1 << DISPUTED)
    if not disputed:
        return NOT_DISPUTED, 0
    if action == ANSWER:
        if not self._keeps(word, organisation):
            return NOT_CUSTODIAN, 0
        return 0, word
    if self.disputes[artefact] != organisation:
        if roles & AUDITOR == 0 or self._keeps(word, organisation):
            return NOT_YOUR_DISPUTE, 0
    self.disputes[artefact] = 0
    return 0, word ^ (1 << DISPUTED)
