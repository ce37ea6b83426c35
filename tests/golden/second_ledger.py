"""The ledger's hashes and the lifecycles of docs/format.md. Part of the second reader."""

import hashlib
import hmac
import re

import sha3

from tests.golden.second_json import Json, canonical, need, read, whole

ROLES = ["operator", "data_admin", "labeller", "developer", "verifier", "auditor", "approver"]
BITS = {f"role-{bit}": bit for bit in range(64)} | {name: bit for bit, name in enumerate(ROLES)}
NAME, KIND = "[a-z0-9_]{1,32}", "[a-z0-9_]{1,64}"
FILE = "type version kind about states usable terminal recalled actions duties transitions"
TRANSITION = "action from to roles duty differs inputs approvals custodian subject approve recall"


def sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def keccak(content: bytes) -> bytes:
    return sha3.keccak_256(content).digest()


def derive(key: bytes, purpose: str, suffix: bytes = b"") -> bytes:
    return hmac.new(key, purpose.encode("ascii") + b"\0" + suffix + b"\1", hashlib.sha256).digest()


def words(*values: int | bytes) -> bytes:
    joined = b""
    for value in values:
        joined += value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")
    return joined


def shown(content: bytes) -> str:
    return "0x" + "".join(f"{byte:02x}" for byte in content)


def unshown(text: Json, length: int = 32) -> bytes:
    need(isinstance(text, str), "no text form")
    need(re.fullmatch("0x[0-9a-f]*", text) and len(text) == 2 + 2 * length, "no text form of that length")
    return bytes(int(text[at : at + 2], 16) for at in range(2, len(text), 2))


def is_shown(text: Json, length: int = 32) -> bool:
    return isinstance(text, str) and bool(re.fullmatch(f"0x[0-9a-f]{{{2 * length}}}", text))


# --- Ledger -----------------------------------------------------------------------------------


def artefact_id(chain_id: int, contract: bytes, creator: bytes, salt: bytes) -> bytes:
    return keccak(words(chain_id, contract, creator, salt))


def actor(organisation: int, key: bytes) -> int:
    return organisation * 2**160 + int.from_bytes(key, "big")


def next_head(head: bytes, sequence: int, step: dict) -> bytes:
    inputs = bytes(32)
    for artefact, at in step["inputs"]:
        inputs = keccak(words(inputs, unshown(artefact), at))
    who = actor(step["organisation"], unshown(step["key"], 20))
    record, subject = unshown(step["record"]), unshown(step["subject"])
    return keccak(words(head, sequence, who, step["action"], record, subject, inputs))


def next_anchor_head(head: bytes, number: int, anchor: dict) -> bytes:
    who = actor(anchor["organisation"], unshown(anchor["key"], 20))
    return keccak(words(head, number, who, unshown(anchor["root"]), anchor["count"]))


# --- Lifecycle --------------------------------------------------------------------------------


def within(value: Json, members: str, must: str = "") -> dict:
    need(isinstance(value, dict), "no object")
    need(set(must.split()) <= set(value) <= set(members.split()), f"members are not of {members}")
    return value


def array(value: dict, member: str) -> list:
    need(isinstance(value.get(member, []), list), f"{member} is no array")
    return value.get(member, [])


def boolean(value: dict, member: str) -> bool:
    need(isinstance(value.get(member, False), bool), f"{member} is no boolean")
    return value.get(member, False)


def names(file: dict, member: str, most: int) -> list:
    found = array(file, member)
    need(all(isinstance(name, str) and re.fullmatch(NAME, name) for name in found), f"no name in {member}")
    need(len(set(found)) == len(found) <= most, f"too many or equal {member}")
    return found


def position(name: Json, known: list) -> int:
    need(isinstance(name, str) and name in known, f"unknown name {name!r}")
    return known.index(name)


def mask(chosen: list, known: list) -> int:
    return sum({1 << position(name, known) for name in chosen})


def tag(kind: Json) -> int:
    need(isinstance(kind, str) and re.fullmatch(KIND, kind), "no kind")
    return int.from_bytes(keccak(kind.encode("utf-8"))[:4], "big")


def packed(*parts: tuple[int, int]) -> int:
    """Parts and their widths in bits, from the lowest bit up."""
    word, at = 0, 0
    for value, bits in parts:
        need(0 <= value < 2**bits, "out of range")
        word, at = word + (value << at), at + bits
    return word


def asked_inputs(transition: dict) -> tuple[int, int, bool]:
    inputs = within(transition.get("inputs", {}), "least kind usable")
    least = inputs.get("least", 0)
    need(whole(least, 0, 32), "least is not 0 to 32")
    need(least or "kind" not in inputs, "a kind of no inputs")
    return least, tag(inputs["kind"]) if "kind" in inputs else 0, boolean(inputs, "usable")


def asked_approvals(transition: dict, duties: list) -> tuple[int, int, int]:
    if "approvals" not in transition:
        return 0, 0, 0
    asked = within(transition["approvals"], "least roles differs")
    need(type(asked.get("least")) is int and 1 <= asked["least"] <= 8, "no number of approvals")
    roles = array(asked, "roles")
    need(roles and all(isinstance(role, str) and role in BITS for role in roles), "no roles")
    differs = mask(array(asked, "differs"), ["creator", *duties])
    return asked["least"], differs, sum({1 << BITS[role] for role in roles})


def rules_of(transition: Json, states: list, actions: list, duties: list, masks: dict) -> list:
    """(state, action, next state, rule word) for each state the transition leads from."""
    within(transition, TRANSITION, "action from to roles")
    action, following = position(transition["action"], actions) + 1, position(transition["to"], states)
    left, roles = array(transition, "from"), array(transition, "roles")
    need(left and roles, "no state, or no role")
    need(all(isinstance(role, str) and role in BITS for role in roles), "unknown role")
    least, kind, inputs_usable = asked_inputs(transition)
    approvals, others, judges = asked_approvals(transition, duties)
    usable, recalled = (masks[name] >> following & 1 for name in ("usable", "recalled"))
    flags = [bool(usable), inputs_usable]
    flags += [boolean(transition, flag) for flag in ("custodian", "subject", "approve", "recall")]
    need(flags[5] == bool(recalled), "recall and recalled states disagree")
    need(following != 0, "leads to none")
    duty = position(transition["duty"], duties) + 1 if "duty" in transition else 0
    differs = mask(array(transition, "differs"), ["creator", *duties])
    found = []
    for name in left:
        state = position(name, states)
        need(not masks["terminal"] >> state & 1, "leads from a terminal state")
        need(state or not approvals, "approvals of nothing")
        word = packed(
            (following, 8), (sum(flag << bit for bit, flag in enumerate(flags)), 8), (least, 8), (kind, 32),
            (duty, 8), (differs, 8), (approvals, 8), (others, 8),
            (sum({1 << BITS[role] for role in roles}), 64), (judges, 64), (state, 8), (action, 8), (0, 24),
        )  # fmt: skip
        found.append((state, action, following, word))
    return found


def lifecycle(content: bytes) -> tuple[int, bytes, list]:
    """Property word, digest of the document and rule words."""
    file = within(read(content), FILE, "type version kind states actions transitions")
    need(file["type"] == "proml/lifecycle" and whole(file["version"], 1, 1), "no lifecycle of version 1")
    need(isinstance(file.get("about", ""), str), "about is no string")
    states, actions = names(file, "states", 64), names(file, "actions", 255)
    duties = names(file, "duties", 6)
    need(states[:1] == ["none"] and "creator" not in duties, "reserved names")
    masks = {name: mask(array(file, name), states) for name in ("usable", "terminal", "recalled")}
    need(not any(one & 1 for one in masks.values()), "none is not usable, terminal or recalled")
    need(not masks["usable"] & masks["recalled"], "usable and recalled")
    rules = []
    for transition in array(file, "transitions"):
        rules += rules_of(transition, states, actions, duties, masks)
    need(1 <= len(rules) <= 128, "1 to 128 rules")
    need(len({rule[:2] for rule in rules}) == len(rules), "two rules for one state and action")
    check_graph(len(states), masks["terminal"], rules)
    kind = tag(file["kind"])
    need(kind != 0, "the tag is 0")
    properties = packed((kind, 32), *((masks[name], 64) for name in ("usable", "terminal", "recalled")))
    return properties, sha(canonical(file)), [rule[3] for rule in rules]


def check_graph(states: int, terminal: int, rules: list) -> None:
    reached = {0}
    for _ in range(states):
        reached |= {following for state, _, following, _ in rules if state in reached}
    for state in range(states):
        need(state in reached, "a state that cannot be reached")
        need(terminal >> state & 1 or any(rule[0] == state for rule in rules), "a dead end")


def lifecycle_id(properties: int, document: bytes, rules: list) -> bytes:
    return keccak(words(properties, document, 96, len(rules), *rules))
