"""Reads and proves an evidence file by docs/evidence-format.md alone. Part of the second reader.

It refuses what the page refuses, computes every head from the events, checks every record and batch, and
looks every slot up in the proof. It does not know the rules of the lifecycles: what the events lead to beyond
heads, it leaves to the first reader. A proof that lacks a node is refused here.
"""

import hashlib
import re
from collections.abc import Iterable

from tests.golden.second_json import EXACT, Json, canonical, fixed, need, read, whole
from tests.golden.second_ledger import keccak, lifecycle, lifecycle_id, sha, shown, unshown, words
from tests.golden.second_reader import batch, disclosure, leaf, proof, sealed_record

MOST = 67_108_864
BODY = "type version terms focus tip blocks events lifecycles organisations records batches proof"
STEP = "uint256,uint256,uint256,bytes32,(bytes32,uint256)[]"
# Signature: how many indexed words, how many plain words of data, how wide the rows of an array after them.
LOGS = {
    "OrganisationAdmitted(uint256,uint256,bytes32)": (1, 2, 0),
    "ThresholdSet(uint256)": (0, 1, 0),
    "GovernanceSet(uint256,uint256,uint256)": (0, 3, 0),
    "ProposalMade(uint256,uint256,uint256,uint256,uint256,address,bytes32)": (2, 5, 0),
    "VoteCast(uint256,uint256)": (2, 0, 0),
    "ProposalExecuted(uint256,uint256)": (2, 0, 0),
    "ProposalCancelled(uint256,uint256)": (2, 0, 0),
    "OrganisationRemoved(uint256,uint256)": (2, 0, 0),
    "RolesSet(uint256,uint256)": (1, 1, 0),
    "KeyAdded(uint256,address,uint256,uint256)": (2, 2, 0),
    "KeyRevoked(uint256,address,uint256)": (2, 1, 0),
    "LifecycleAdmitted(uint256,bytes32,uint256,bytes32,uint256[])": (2, 2, 1),
    f"Registered(bytes32,bytes32,uint256,{STEP})": (3, 4, 2),
    f"Acted(bytes32,bytes32,uint256,{STEP})": (3, 4, 2),
    f"ActedApproved(bytes32,bytes32,uint256,{STEP},(uint256,bytes32)[])": (3, 4, 2),
    "Approved(bytes32,bytes32,uint256,uint256,uint256,bytes32)": (3, 3, 0),
    "Anchored(uint256,bytes32,uint256,uint256)": (2, 2, 0),
}
BY_TOPIC = {keccak(signature.encode()): signature for signature in LOGS}
EMPTY = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
MAPPINGS = {"organisations": 0, "keys": 1, "numbers": 6, "artefacts": 8, "heads": 9, "anchor_heads": 11}


def unhex(text: Json) -> bytes:
    need(isinstance(text, str) and re.fullmatch("0x([0-9a-f]{2})*", text), "no bytes")
    return bytes.fromhex(text[2:])


# --- the file ---------------------------------------------------------------------------------


def body_of(content: bytes) -> dict:
    need(len(content) <= MOST, "too large")
    need(content[:13] == b'{"digest":"0x' and content[77:90] == b'","evidence":', "no envelope")
    need(content[-1:] == b"}" and len(content) > 90, "no end")
    need(content[13:77] == hashlib.sha256(content[90:-1]).hexdigest().encode(), "damaged")
    body = read(content[90:-1], MOST)
    return fixed(body, BODY + " singles" * ("singles" in body), "proml/evidence")


def check_block(block: Json) -> dict:
    fixed(block, "number hash time")
    need(whole(block["number"], 0, EXACT) and whole(block["time"], 0, EXACT), "no number")
    unshown(block["hash"])
    return block


def log(event: dict) -> tuple[str, list[bytes], list[int], list[list[int]]]:
    """Name, indexed words, plain words, rows."""
    topics, data = [unshown(topic) for topic in event["topics"]], unhex(event["data"])
    need(topics and topics[0] in BY_TOPIC, "no event of the contract")
    signature = BY_TOPIC[topics[0]]
    indexed, plain, width = LOGS[signature]
    need(len(topics) == 1 + indexed and len(data) % 32 == 0, "another number of words")
    numbers = [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]
    if not width:
        need(len(numbers) == plain, "another number of words")
        return signature.partition("(")[0], topics[1:], numbers, []
    if signature.startswith("ActedApproved"):
        return two_arrays(topics[1:], numbers)
    need(len(numbers) >= plain + 2 and numbers[plain] == 32 * (plain + 1), "another offset")
    flat = numbers[plain + 2 :]
    need(len(flat) == width * numbers[plain + 1], "another number of rows")
    rows = [flat[at : at + width] for at in range(0, len(flat), width)]
    return signature.partition("(")[0], topics[1:], numbers[:plain], rows


def two_arrays(indexed: list[bytes], numbers: list[int]) -> tuple[str, list[bytes], list[int], list]:
    """Inputs as rows of two, then approvals as rows of three, the third a zero."""
    need(len(numbers) >= 8 and numbers[4] == 192, "another offset")
    inputs = 2 * numbers[6]
    need(len(numbers) >= 8 + inputs and numbers[5] == 32 * (7 + inputs), "another offset")
    approvals = numbers[8 + inputs :]
    need(len(approvals) == 2 * numbers[7 + inputs] > 0, "another number of rows")
    pairs = [numbers[7 + at : 9 + at] for at in range(0, inputs, 2)]
    given = [[*approvals[at : at + 2], 0] for at in range(0, len(approvals), 2)]
    return "ActedApproved", indexed, numbers[:4], [*given, *pairs]


def events_of(body: dict) -> list[tuple[str, list[bytes], list[int], list[list[int]]]]:
    """The logs, in order."""
    tip = check_block(body["tip"])
    blocks = [check_block(block) for block in body["blocks"]]
    numbers = [block["number"] for block in blocks]
    need(numbers == sorted(set(numbers)), "blocks out of order")
    need(all(block == tip for block in blocks if block["number"] == tip["number"]), "another tip")
    times = [block["time"] for block in [*blocks, tip]]
    need(times == sorted(times), "times out of order")
    need(all(body["terms"]["deployed"] <= number <= tip["number"] for number in numbers), "out of range")
    found, places = [], []
    for event in body["events"]:
        fixed(event, "block index transaction topics data")
        need(whole(event["index"], 0, EXACT) and event["block"] in numbers, "no place")
        unshown(event["transaction"])
        places.append((event["block"], event["index"]))
        found.append(log(event))
    need(places == sorted(set(places)), "events out of order")
    need({number for number, _ in places} == set(numbers), "a block without event")
    return found


def records_of(body: dict) -> dict[bytes, dict]:
    """What is shown of each record, by commitment."""
    found: dict[bytes, dict] = {}
    for entry in body["records"]:
        if set(entry) == {"sealed"}:
            record, commitment = sealed_record(canonical(entry["sealed"]))
        else:
            need("disclosure" in entry and set(entry) <= {"disclosure", "subject_salt"}, "no record")
            commitment = unshown(entry["disclosure"]["commitment"])
            record, _ = disclosure(canonical(entry["disclosure"]), commitment)
            if "subject_salt" in entry:
                unshown(entry["subject_salt"])
        need(commitment not in found, "two records of one commitment")
        found[commitment] = record
    return found


# --- the proof --------------------------------------------------------------------------------


def rlp(content: bytes, at: int = 0, depth: int = 8) -> tuple[Json, int]:
    need(at < len(content) and depth >= 0, "RLP ends too early")
    first = content[at]
    if first < 0x80:
        return content[at : at + 1], at + 1  # type: ignore[return-value]
    offset = 0xC0 if first >= 0xC0 else 0x80
    start, size = at + 1, first - offset
    if size > 55:
        start += size - 55
        need(start <= len(content) and content[at + 1] != 0, "length with a leading zero")
        size = int.from_bytes(content[at + 1 : start], "big")
        need(size > 55, "a long length for a short item")
    end = start + size
    need(end <= len(content), "RLP ends too early")
    if offset == 0x80:
        need(size != 1 or content[start] >= 0x80, "a byte that stands for itself")
        return content[start:end], end  # type: ignore[return-value]
    items: list = []
    while start < end:
        item, start = rlp(content, start, depth - 1)
        items.append(item)
    need(start == end, "an item that reaches beyond its list")
    return items, end


def whole_rlp(content: bytes) -> Json:
    need(len(content) <= 65_536, "RLP too long")
    value, end = rlp(content)
    need(end == len(content), "bytes left over")
    return value


class Proof:
    def __init__(self, proof: dict, terms: dict, tip: dict) -> None:
        fixed(proof, "header nodes")
        header = unhex(proof["header"])
        fields = whole_rlp(header)
        need(isinstance(fields, list) and len(fields) >= 15, "no header")
        stated = (int.from_bytes(fields[8], "big"), shown(keccak(header)), int.from_bytes(fields[11], "big"))
        need(stated == (tip["number"], tip["hash"], tip["time"]), "of another block")
        nodes = [unhex(node) for node in proof["nodes"]]
        names = [keccak(node) for node in nodes]
        need(names == sorted(set(names)), "nodes out of order")
        self.nodes = {name: whole_rlp(node) for name, node in zip(names, nodes, strict=True)}
        self.used: set[bytes] = set()
        account = whole_rlp(self.look_up(fields[3], unshown(terms["contract"], 20)))
        need(isinstance(account, list) and len(account) == 4, "no account")
        need(account[3] == unshown(terms["code"]), "other code")
        self.root = account[2]

    def look_up(self, root: bytes, key: bytes) -> bytes:
        if root == EMPTY:
            return b""
        left, node = keccak(key).hex(), self.node(root)
        while True:
            if len(node) == 17:
                below, left = node[int(left[0], 16)], left[1:]
                if below == b"":
                    return b""
            else:
                need(len(node) == 2 and node[0], "no node")
                path = node[0].hex()
                need(path[0] in "0123" and (path[0] in "13" or path[1] == "0"), "no path")
                path, ends = path[1 if path[0] in "13" else 2 :], path[0] in "23"
                if not left.startswith(path):
                    return b""
                left, below = left[len(path) :], node[1]
                if ends:
                    need(left == "" and isinstance(below, bytes), "no leaf")
                    return below
            node = below if isinstance(below, list) else self.node(below)

    def node(self, name: bytes) -> list:
        need(len(name) == 32, "no hash")
        need(name in self.nodes, "a node is missing")
        self.used.add(name)
        need(isinstance(self.nodes[name], list), "no node")
        return self.nodes[name]  # type: ignore[return-value]

    def word(self, mapping: str, key: bytes | int) -> tuple[str, bytes]:
        """The slot, and the 32 bytes it holds."""
        slot = keccak(words(MAPPINGS[mapping], key))
        value = self.look_up(self.root, slot)
        content = whole_rlp(value) if value else b""
        need(isinstance(content, bytes) and len(content) <= 32 and content[:1] != b"\0", "no word")
        return shown(slot), content.rjust(32, b"\0")


# --- all of it --------------------------------------------------------------------------------


class Story:
    """What the events tell, as far as this reader follows them."""

    def __init__(self) -> None:
        self.heads: dict[bytes, bytes] = {}
        # artefact, actor, record, artefacts of the inputs
        self.steps: list[tuple[bytes, int, bytes, list[bytes]]] = []
        self.anchors: dict[int, bytes] = {}
        self.lifecycles: dict[int, bytes] = {}
        self.numbers: dict[bytes, int] = {}

    def tell(self, name: str, indexed: list[bytes], plain: list[int], rows: list[list[int]]) -> None:
        if name == "LifecycleAdmitted":
            self.lifecycles[int.from_bytes(indexed[0], "big")] = indexed[1]
            document, rules = plain[1].to_bytes(32, "big"), [row[0] for row in rows]
            need(indexed[1] == lifecycle_id(plain[0], document, rules), "another id")
        elif name in ("Registered", "Acted", "ActedApproved"):
            self.step(name, indexed, plain, rows)
        elif name == "Anchored":
            organisation = int.from_bytes(indexed[0], "big") >> 160
            before = self.anchors.get(organisation, bytes(32))
            self.anchors[organisation] = keccak(words(before, plain[0], indexed[0], indexed[1], plain[1]))

    def step(self, name: str, indexed: list[bytes], plain: list[int], rows: list[list[int]]) -> None:
        artefact, subject, who = indexed
        if name == "Registered":
            self.numbers[artefact] = plain[0]
        inputs = bytes(32)
        for row in rows:
            inputs = keccak(words(inputs, *row[:2]))
        sequence, record = 1 if name == "Registered" else plain[0], plain[3].to_bytes(32, "big")
        before = self.heads.get(artefact, artefact)
        self.heads[artefact] = keccak(words(before, sequence, who, plain[1], record, subject, inputs))
        self.steps.append(
            (artefact, int.from_bytes(who, "big"), record, [words(row[0]) for row in rows if len(row) == 2])
        )

    def lifecycle_ids(self) -> set[bytes]:
        need(set(self.numbers.values()) <= set(self.lifecycles), "a lifecycle that was not admitted")
        return {self.lifecycles[number] for number in self.numbers.values()}


def findings(content: bytes) -> dict:
    """What this page lets a reader find: heads by artefact, and proven words by slot.

    Raises Refused where the file must be, and where a proven head is not the one the events give.
    """
    body = body_of(content)
    for name in ("blocks", "events", "lifecycles", "organisations", "records", "batches"):
        need(isinstance(body[name], list), f"{name} is no array")
    fixed(body["terms"], "chain_id genesis contract deployed code finality")
    story = Story()
    for told in events_of(body):
        story.tell(*told)
    scope = in_scope(unshown(body["focus"]), story.steps)
    need(set(story.heads) == scope, "steps of an artefact that is not needed, or none of one that is")
    check_surplus(body, story.steps, story.anchors)
    for entry in body["lifecycles"]:
        need(lifecycle_id(*lifecycle(canonical(entry))) in story.lifecycle_ids(), "a lifecycle nobody uses")
    heads = {shown(artefact): shown(head) for artefact, head in sorted(story.heads.items())}
    proven = {} if body["proof"] is None else held(Proof(body["proof"], body["terms"], body["tip"]), story)
    return {"heads": heads, "words": proven}


def held(proof: Proof, story: Story) -> dict[str, str]:
    """What the ledger holds, by slot; heads must be those of the events."""
    found = {}
    for mapping, keys in slots(story):
        for key in keys:
            slot, word = proof.word(mapping, key)
            found[slot] = shown(word)
            need(mapping != "heads" or word == story.heads[key], "another head")  # type: ignore[index]
            need(mapping != "anchor_heads" or word == story.anchors[key], "another head")  # type: ignore[index]
    need(proof.used == set(proof.nodes), "nodes that nothing needs")
    return found


def in_scope(focus: bytes, steps: list) -> set[bytes]:
    scope, left = {focus}, [focus]
    while left:
        here = left.pop()
        for artefact, _, _, inputs in steps:
            new = set(inputs) - scope if artefact == here else set()
            scope |= new
            left += new
    return scope


def check_surplus(body: dict, steps: list, anchors: dict[int, bytes]) -> None:
    records = records_of(body)
    need(set(records) <= {record for _, _, record, _ in steps}, "a record of no step")
    named: set[str] = set()
    observers: set[int] = set()
    for _, who, record, _ in steps:
        observations = records.get(record, {}).get("observations", [])
        named |= {entry["batch"] for entry in observations}
        observers |= {who >> 160} if observations else set()
    need(set(anchors) <= observers, "anchors that nothing needs")
    digests = []
    for entry in body["batches"]:
        batch(canonical(entry))
        digests.append(shown(sha(canonical(entry))))
    need(len(set(digests)) == len(digests) and set(digests) <= named, "a batch that nothing names")
    check_singles(body, records, steps, digests)
    profiles = []
    for entry in body["organisations"]:
        fixed(entry, "number name salt")
        profiles.append(entry["number"])
        leaf(unshown(entry["salt"]) + canonical(["name", entry["name"]]))
    need(profiles == sorted(set(profiles)), "organisations out of order")


def check_singles(body: dict, records: dict, steps: list, digests: list[str]) -> None:
    """Single observations of the focus, of batches that are not in the file."""
    if "singles" not in body:
        return
    need(isinstance(body["singles"], list) and body["singles"], "singles are no array, or empty")
    named = {
        (entry["root"], entry["count"])
        for artefact, _, record, _ in steps
        if artefact == unshown(body["focus"])
        for entry in records.get(record, {}).get("observations", [])
        if entry["batch"] not in digests
    }
    places = []
    for single in body["singles"]:
        need(isinstance(single, dict) and (single.get("root"), single.get("count")) in named, "of no batch")
        index, _ = proof(canonical(single), (unshown(single["root"]), single["count"]))
        places.append((single["root"], index))
    need(len(set(places)) == len(places), "one observation twice")


def slots(story: Story) -> Iterable[tuple[str, Iterable[bytes | int]]]:
    actors = {who for _, who, _, _ in story.steps}
    yield "artefacts", sorted(story.heads)
    yield "heads", sorted(story.heads)
    yield "keys", sorted({(who % 2**160).to_bytes(20, "big") for who in actors})
    yield "organisations", sorted({who >> 160 for who in actors} | set(story.anchors))
    yield "anchor_heads", sorted(story.anchors)
    yield "numbers", sorted(story.lifecycle_ids())
