"""Steps asked for at random: mostly what the lifecycles allow, sometimes with one thing spoiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from proml.core.artefact import Artefact
from proml.core.call import ApproveCall, StepCall
from proml.core.consortium import Actor
from proml.core.digest import ZERO, keccak256, word
from proml.core.event import Approval, Input
from proml.core.history import SharedHistory
from proml.core.lifecycle import Alike, Rule, Table
from proml.core.proposal import CONCERNING, KEYED, Change, ChangeKind

digests = st.integers(1, 2**32).map(lambda value: keccak256(word(value)))
# Few salts, so that the same one is taken twice.
salts = st.integers(0, 30).map(word)
often = st.sampled_from((True, True, True, True, False))


# Lifecycles that a vote may admit; the last one cannot be admitted by any.
_EXTRA_TABLES = tuple(
    Table(9, 0, 2, 0, keccak256(b"extra %d" % number), (Rule(0, 1, following, 1),))
    for number, following in enumerate((1, 1, 1, 64))
)
EXTRA = {table.id: table for table in _EXTRA_TABLES}


@st.composite
def changes(draw: st.DrawFn, history: SharedHistory, pool: Sequence[bytes]) -> Change:
    """A change that may well be made; now and then one thing in it is strange."""
    kind = draw(st.sampled_from(ChangeKind))
    member = draw(st.sampled_from(tuple(history.organisations)))
    change = Change(kind)
    if kind in CONCERNING:
        change = replace(change, organisation=member)
    if kind == ChangeKind.NAME_SUCCESSOR:
        gone = [each.number for each in history.organisations.values() if each.removed]
        change = replace(change, organisation=draw(st.sampled_from(gone or (member,))), setting=member)
    if kind in KEYED:
        fresh = [key for key in pool if key not in history.keys]
        change = replace(change, key=draw(st.sampled_from((fresh if draw(often) else pool) or pool)))
    if kind in (ChangeKind.ADMIT, ChangeKind.SET_ROLES):
        change = replace(change, setting=draw(st.sampled_from((0, 1, 127, 1 << 63, 2**64 - 1))))
    if kind == ChangeKind.SET_THRESHOLD:
        change = replace(change, setting=draw(st.integers(1, min(4, history.member_count))))
    if kind == ChangeKind.ADMIT_LIFECYCLE:
        change = replace(change, profile=draw(st.sampled_from(tuple(EXTRA))))
    if kind == ChangeKind.ADMIT:
        change = replace(change, profile=draw(digests))
    if draw(often):
        return change
    strange = (
        {"kind": 0},
        {"kind": 8},
        {"kind": 2**256 - 1},
        {"organisation": 0},
        {"organisation": 99},
        {"organisation": 2**16 + 1},
        {"setting": 2**64},
        {"setting": history.member_count + 1},
        {"setting": 0},
        {"key": bytes(20)},
        {"key": pool[0]},
        {"profile": ZERO},
        {"profile": keccak256(b"?")},
        {"profile": history.tables[1].id},
    )
    return replace(change, **draw(st.sampled_from(strange)))


@st.composite
def steps(draw: st.DrawFn, history: SharedHistory, caller: bytes) -> StepCall:
    """One step that `caller` may well take; `history` is what there is to act on and to derive from."""
    known = tuple(history.artefacts.values())
    if not known or draw(st.integers(0, 3)) == 0:
        every = first_rules(history)
        mine = [entry for entry in every if fits(history, caller, entry[1])]
        number, taken = draw(st.sampled_from((mine if draw(often) else every) or every))
        asked = StepCall(draw(salts), number, taken.action, 1, draw(digests), draw(digests))
    else:
        moving = [each for each in known if open_rules(history, each, caller)]
        artefact = draw(st.sampled_from((moving if draw(often) else known) or known))
        taken = draw(
            st.sampled_from(
                open_rules(history, artefact, caller)
                or open_rules(history, artefact)
                or history.tables[artefact.lifecycle].rules
            )
        )
        sequence = artefact.sequence + 1
        # A subject that was approved, where there is one.
        given = [key[3] for key in history.approved if key[:3] == (artefact.id, taken.action, sequence)]
        subject = draw(st.sampled_from(sorted(given)) if given else digests)
        asked = StepCall(artefact.id, 0, taken.action, sequence, draw(digests), subject)
    asked = replace(asked, inputs=draw(inputs(history, taken)), approvals=draw(relied(history, asked)))
    return asked if draw(often) else draw(spoiled(asked, known))


@st.composite
def alike(draw: st.DrawFn, history: SharedHistory, caller: bytes) -> StepCall:
    """One of the steps that every lifecycle has, often one that is due and that `caller` may well take."""
    known = tuple(history.artefacts.values())
    if not known:
        return StepCall(draw(salts), 0, Alike.CONTEST, 2, draw(digests), ZERO)
    key = history.keys.get(caller)
    own = key.organisation if key else 0
    mine = [each for each in known if own in (each.offered, each.contester) or history.keeps(each, own)]
    artefact = draw(st.sampled_from((mine if draw(often) else known) or known))
    due = [Alike.ACCEPT_CUSTODY] * (artefact.offered == own)
    due += [Alike.ANSWER, Alike.SETTLE] if artefact.contester else [Alike.OFFER_CUSTODY, Alike.CONTEST]
    action = draw(st.sampled_from(due if draw(often) else tuple(Alike)))
    members = [each.number for each in history.organisations.values() if not each.removed]
    invited = draw(st.sampled_from((*members * 3, 0, 99, 2**16 + 1, 2**256 - 1)))
    subject = word(invited) if action == Alike.OFFER_CUSTODY else draw(digests)
    asked = StepCall(artefact.id, 0, action, artefact.sequence + 1, draw(digests), subject)
    if draw(often):
        return asked
    strange = ({"record": ZERO}, {"sequence": 1}, {"inputs": (Input(artefact.id, 1),)}, {"action": 245})
    stray = Approval(Actor(1, caller), draw(digests))
    return replace(asked, **draw(st.sampled_from((*strange, {"approvals": (stray,)}))))


def first_rules(history: SharedHistory) -> list[tuple[int, Rule]]:
    """Every way to register: the lifecycle's number and the rule."""
    return [
        (number, rule) for number, table in history.tables.items() for rule in table.rules if rule.state == 0
    ]


def fits(history: SharedHistory, caller: bytes, rule: Rule) -> bool:
    """Whether the caller's organisation holds one of the rule's roles."""
    key = history.keys.get(caller)
    return key is not None and bool(history.organisations[key.organisation].roles & rule.roles)


def open_rules(history: SharedHistory, artefact: Artefact, caller: bytes | None = None) -> list[Rule]:
    """What its lifecycle allows in its present state, to the caller where one is given."""
    here = [rule for rule in history.tables[artefact.lifecycle].rules if rule.state == artefact.state]
    if caller is None:
        return here
    key = history.keys.get(caller)
    return [
        rule
        for rule in here
        if key is not None
        and fits(history, caller, rule)
        and (not rule.custodian or key.organisation == artefact.custodian)
    ]


@st.composite
def inputs(draw: st.DrawFn, history: SharedHistory, rule: Rule) -> tuple[Input, ...]:
    """Inputs that meet the rule where such artefacts exist; others where not, or now and then."""
    known = tuple(history.artefacts.values())
    if not known:
        return ()
    usable = [artefact for artefact in known if artefact.usable_from] if rule.inputs_usable else known
    fitting = [
        a for a in usable if history.tables[a.lifecycle].kind == rule.input_kind or not rule.input_kind
    ]
    count = draw(st.sampled_from((rule.least_inputs, rule.least_inputs, rule.least_inputs + 1)))
    made = []
    for position in range(count):
        choice = (fitting if position == 0 else usable) if draw(often) else known
        artefact = draw(st.sampled_from(choice or known))
        least = artefact.usable_from if draw(often) else 1
        made.append(Input(artefact.id, draw(st.integers(max(least, 1), artefact.sequence))))
    return tuple(made)


@st.composite
def relied(draw: st.DrawFn, history: SharedHistory, asked: StepCall) -> tuple[Approval, ...]:
    """The approvals there are for a step, one of each organisation; now and then others."""
    fitting = {
        actor.organisation: Approval(actor, record)
        for artefact, action, sequence, _subject, actor, record in sorted(
            history.approved, key=lambda given: (given[4].organisation, given[5])
        )
        if (artefact, action, sequence) == (asked.artefact, asked.action, asked.sequence)
    }
    chosen = tuple(fitting[number] for number in sorted(fitting))
    if draw(often):
        return chosen
    stray = Approval(
        Actor(draw(st.integers(0, 6)), draw(st.sampled_from(tuple(history.keys)))), draw(digests)
    )
    return draw(st.sampled_from((chosen[:1], chosen[::-1], (*chosen, stray), chosen * 2, (stray,))))[:8]


@st.composite
def approvals(draw: st.DrawFn, history: SharedHistory, caller: bytes) -> ApproveCall:
    """An approval of what may well be an artefact's next step."""
    known = tuple(history.artefacts.values())
    waiting = [a for a in known if any(rule.approvals for rule in open_rules(history, a))]
    if not known:
        return ApproveCall(draw(digests), 1, 2, draw(digests), draw(digests))
    artefact = draw(st.sampled_from((waiting if draw(often) else known) or known))
    rules = open_rules(history, artefact)
    wanted = [rule for rule in rules if rule.approvals] if draw(often) else rules
    action = draw(st.sampled_from(wanted or rules or history.tables[artefact.lifecycle].rules)).action
    # Few records and subjects, so that approvals come twice and meet the steps they are for.
    subject, record = (keccak256(word(draw(st.integers(1, 2)))) for _ in range(2))
    asked = ApproveCall(artefact.id, action, artefact.sequence + 1, subject, record)
    if draw(often):
        return asked
    strange = ({"sequence": 1}, {"sequence": 2**256 - 1}, {"record": ZERO}, {"subject": ZERO}, {"action": 77})
    return replace(asked, **draw(st.sampled_from((*strange, {"artefact": keccak256(b"?")}))))


@st.composite
def spoiled(draw: st.DrawFn, asked: StepCall, known: Sequence[Artefact]) -> StepCall:
    """The same step with one thing wrong, or at least strange."""
    other = draw(st.sampled_from(known)).id if known else ZERO
    strange_input = draw(
        st.sampled_from(
            (Input(ZERO, 1), Input(keccak256(b"?"), 1), Input(other, 0), Input(other, 2**40), Input(other, 1))
        )
    )
    change = draw(
        st.sampled_from(
            (
                {"sequence": asked.sequence + 1},
                {"sequence": asked.sequence - 1},
                {"sequence": 2**256 - 1},
                {"action": 0},
                {"action": 255},
                {"action": asked.action % 255 + 1},
                {"record": ZERO},
                {"subject": ZERO},
                {"subject": ZERO},
                {"subject": ZERO},
                {"artefact": other},
                {"artefact": keccak256(b"?")},
                {"lifecycle": 0},
                {"lifecycle": 99},
                {"lifecycle": 2**16 - 1},
                {"inputs": ()},
                {"inputs": (*asked.inputs, strange_input)},
                {"inputs": (strange_input, *asked.inputs)},
                {"inputs": (strange_input,) * 32},
            )
        )
    )
    return replace(asked, **change)
