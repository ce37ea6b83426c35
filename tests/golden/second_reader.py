"""A second verifier, written from docs/format.md alone: it shares no line with ProML and does not import it.

    python -m tests.golden.second_reader docs/vectors/*.json

answers every case of the test vectors and exits with 1 when an answer is not the expected one. Needs
nothing but Python and a Keccak-256 (`sha3`, from safe-pysha3). Short rather than quick.
"""

import json
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

from tests.golden.second_json import (
    EXACT,
    Json,
    Refused,
    canonical,
    fixed,
    levels,
    need,
    read,
    read_stored,
    whole,
)
from tests.golden.second_ledger import (
    artefact_id,
    derive,
    is_shown,
    lifecycle,
    lifecycle_id,
    next_anchor_head,
    next_head,
    sha,
    shown,
    unshown,
    words,
)

FIELDS = [
    "type", "version", "artefact", "kind", "name", "action", "sequence", "actor", "subject", "inputs",
    "activity", "parameters", "metrics", "claims", "observations", "amends",
]  # fmt: skip


# --- Merkle trees -----------------------------------------------------------------------------


def leaf(content: bytes) -> bytes:
    return sha(b"\0" + content)


def root(leaves: list[bytes]) -> bytes:
    need(leaves, "no leaf")
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha(b"\1" + root(leaves[:half]) + root(leaves[half:]))


def climb(start: bytes, index: int, count: int, path: list[bytes]) -> bytes:
    need(0 <= index < count and len(path) <= 40, "no such leaf")
    result, last, left = start, count - 1, list(path)
    while last > 0:
        if index % 2 or index < last:
            need(left, "path too short")
            sibling = left.pop(0)
            result = sha(b"\1" + (sibling + result if index % 2 else result + sibling))
        index, last = index // 2, last // 2
    need(not left, "path too long")
    return result


# --- Record -----------------------------------------------------------------------------------

TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z"


def is_text(value: Json) -> bool:
    return isinstance(value, str) and value != ""


def is_time(value: Json) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(TIME, value))


def is_commit(value: Json) -> bool:
    return isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", value))


def is_command(value: Json) -> bool:
    return all(isinstance(part, str) for part in (value if isinstance(value, list) else [value]))


def is_size(value: Json) -> bool:
    return whole(value, 0, EXACT)


def is_sequence(value: Json) -> bool:
    return whole(value, 1, 2**40 - 1)


def shape(must: str = "", **members: Callable[[Json], bool]) -> Callable[[Json], bool]:
    def fits(value: Json) -> bool:
        if not isinstance(value, dict) or not set(must.split()) <= set(value):
            return False
        return all(member(value[name]) for name, member in members.items() if name in value)

    return fits


def each(item: Callable[[Json], bool]) -> Callable[[Json], bool]:
    return lambda value: isinstance(value, list) and all(map(item, value))


BYTES = dict.fromkeys(("sha256", "blake3", "content"), is_shown)
BYTES |= dict.fromkeys(("name", "form"), is_text) | dict.fromkeys(("size", "files"), is_size)
REGISTERED = shape(
    "artefact sequence", artefact=is_shown, sequence=is_sequence, digest=is_shown, name=is_text, part=is_text
)
UNREGISTERED = shape("sha256", part=is_text, **BYTES)
CODE = shape(commit=is_commit, dirty=lambda value: isinstance(value, bool), diff=is_shown)
SHAPES: dict[str, Callable[[Json], bool]] = {
    "type": lambda value: value == "proml/record",
    "version": lambda value: whole(value, 1, 1),
    "artefact": is_shown,
    "kind": is_text,
    "name": is_text,
    "action": is_text,
    "sequence": is_sequence,
    "actor": shape(
        "organisation key",
        organisation=lambda value: whole(value, 1, 65_535),
        key=lambda value: is_shown(value, 20),
    ),
    "subject": shape("sha256", **BYTES),
    "inputs": each(
        lambda one: (REGISTERED if isinstance(one, dict) and "artefact" in one else UNREGISTERED)(one)
    ),
    "activity": shape(
        start=is_time, end=is_time, command=is_command, code=CODE, environment=shape(), outcome=is_text
    ),
    "parameters": shape(),
    "metrics": shape(),
    "claims": shape(),
    "observations": each(
        shape("root count batch", root=is_shown, count=lambda value: whole(value, 1, EXACT), batch=is_shown)
    ),
    "amends": is_shown,
}


def field_leaf(salt: bytes, name: str, *value: Json) -> bytes:
    return leaf(salt + canonical([name, *value]))


def sealed_record(content: bytes) -> tuple[dict, bytes]:
    document = fixed(read_stored(content), "type version key record", "proml/sealed-record")
    key, record = unshown(document["key"]), document["record"]
    need(isinstance(record, dict) and set(record) <= set(FIELDS), "fields that no record has")
    need(
        {"type", "version", "artefact", "kind", "action", "sequence", "actor"} <= set(record),
        "fields missing",
    )
    need(all(SHAPES[name](value) for name, value in record.items()), "a field of another shape")
    need(levels(record) <= 24, "nested too deeply")
    leaves = []
    for name in FIELDS:
        value = [record[name]] if name in record else []
        leaves.append(field_leaf(derive(key, "proml/1/salt", name.encode()), name, *value))
    return record, root(leaves)


def disclosure(content: bytes, commitment: bytes) -> tuple[dict, list]:
    document = fixed(read(content), "type version commitment fields", "proml/disclosure")
    need(unshown(document["commitment"]) == commitment, "of another record")
    need(isinstance(document["fields"], list), "no fields")
    values: dict = {}
    absent: list = []
    for entry in document["fields"]:
        need(isinstance(entry, dict), "no entry")
        fixed(entry, "name salt path value" if "value" in entry else "name salt path")
        name = entry["name"]
        need(isinstance(name, str) and name in FIELDS, "no such field")
        need(name not in values and name not in absent, "shown twice")
        need(isinstance(entry["path"], list), "no path")
        value = [entry["value"]] if "value" in entry else []
        need(all(SHAPES[name](one) for one in value), "a field of another shape")
        start = field_leaf(unshown(entry["salt"]), name, *value)
        path = [unshown(one) for one in entry["path"]]
        need(climb(start, FIELDS.index(name), 16, path) == commitment, "not of this record")
        if value:
            values[name] = value[0]
        else:
            absent.append(name)
    return values, sorted(absent)


# --- Observations -----------------------------------------------------------------------------


def batch(content: bytes) -> tuple[bytes, int]:
    document = fixed(read_stored(content, 16_777_216), "type version key observations", "proml/observations")
    key, observations = unshown(document["key"]), document["observations"]
    need(isinstance(observations, list) and 1 <= len(observations) <= 10_000, "1 to 10,000 observations")
    need(all(isinstance(one, dict) and levels(one) <= 24 for one in observations), "no observation")
    leaves = [
        leaf(derive(key, "proml/1/observation", index.to_bytes(8, "big")) + canonical(one))
        for index, one in enumerate(observations)
    ]
    return root(leaves), len(leaves)


def proof(content: bytes, anchored: tuple[bytes, int]) -> tuple[int, dict]:
    members = "type version observation salt index count path root"
    document = fixed(read(content), members, "proml/proof")
    observation, index, count = document["observation"], document["index"], document["count"]
    need(isinstance(observation, dict) and levels(observation) <= 24, "no observation")
    need(whole(index, 0, EXACT) and whole(count, 1, EXACT) and isinstance(document["path"], list), "no place")
    start = leaf(unshown(document["salt"]) + canonical(observation))
    reached = climb(start, index, count, [unshown(one) for one in document["path"]])
    need(reached == unshown(document["root"]), "leads elsewhere")
    need((reached, count) == anchored, "not anchored so")
    return index, observation


# --- Manifest ---------------------------------------------------------------------------------

FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
RESERVED = re.compile(
    "(con|prn|aux|nul|conin[$]|conout[$]|(com|lpt)[0-9¹²³]) *([.].*)?", re.IGNORECASE | re.DOTALL
)


def folded(path: str) -> str:
    return unicodedata.normalize("NFC", path.casefold())


def check_path(path: Json) -> None:
    need(isinstance(path, str) and 1 <= len(path.encode("utf-8")) <= 1_024, "path too long")
    need(path.count("/") < 128, "too many names in a path")
    for name in path.split("/"):
        need(name not in ("", ".", "..") and len(name.encode("utf-8")) <= 255, "no name")
        for character in name:
            unseen = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
            need(character != "\\" and character not in FILLERS and not unseen, "a character that is refused")
        need(unicodedata.normalize("NFC", name) == name, "not in form C")
        need(name[-1] not in ". " and not RESERVED.fullmatch(name), "a name that is refused")


def manifest(content: bytes) -> tuple[int, int]:
    document = fixed(read_stored(content, 536_870_912), "type version files", "proml/manifest")
    files = document["files"]
    need(isinstance(files, list) and 1 <= len(files) <= 1_000_000, "1 to 1,000,000 files")
    taken: dict = {}
    before = b""
    for file in files:
        fixed(file, "path sha256 size")
        need(is_shown(file["sha256"]) and whole(file["size"], 0, EXACT), "no digest or size")
        check_path(file["path"])
        need(before < file["path"].encode("utf-8"), "out of order")
        before = file["path"].encode("utf-8")
        parts = file["path"].split("/")
        for depth in range(1, len(parts) + 1):
            as_written = ("/".join(parts[:depth]), depth == len(parts))
            known = taken.setdefault(folded(as_written[0]), as_written)
            need(known == as_written, "colliding paths")
    return sum(file["size"] for file in files), len(files)


# --- Answers to the test vectors --------------------------------------------------------------


def content_of(asked: dict) -> bytes:
    return (
        unshown(asked["bytes"], len(asked["bytes"]) // 2 - 1) if "bytes" in asked else asked["text"].encode()
    )


def answer_text_form(asked: dict) -> dict:
    return {"hex": unshown(asked["text"], asked["length"]).hex()}


def answer_canonical(asked: dict) -> dict:
    return {"canonical": canonical(read(content_of(asked))).decode()}


def answer_derive(asked: dict) -> dict:
    suffix = unshown(asked["suffix"], len(asked["suffix"]) // 2 - 1)
    return {"derived": shown(derive(unshown(asked["key"]), asked["purpose"], suffix))}


def answer_merkle_root(asked: dict) -> dict:
    return {"root": shown(root([unshown(one) for one in asked["leaves"]]))}


def answer_merkle_path(asked: dict) -> dict:
    path = [unshown(one) for one in asked["path"]]
    reached = climb(unshown(asked["leaf"]), asked["index"], asked["count"], path)
    need(reached == unshown(asked["root"]), "leads elsewhere")
    return {}


def answer_sealed_record(asked: dict) -> dict:
    record, commitment = sealed_record(content_of(asked))
    need(shown(commitment) == asked["commitment"], "another commitment")
    return {"commitment": shown(commitment), "fields": [name for name in FIELDS if name in record]}


def answer_subject(asked: dict) -> dict:
    salt = derive(unshown(asked["key"]), "proml/1/subject")
    return {"salt": shown(salt), "private": shown(sha(b"\2" + salt + unshown(asked["sha256"])))}


def answer_disclosure(asked: dict) -> dict:
    values, absent = disclosure(content_of(asked), unshown(asked["commitment"]))
    return {"shown": values, "absent": absent}


def answer_batch(asked: dict) -> dict:
    content = content_of(asked)
    top, count = batch(content)
    return {"digest": shown(sha(content)), "root": shown(top), "count": count}


def answer_proof(asked: dict) -> dict:
    index, observation = proof(content_of(asked), (unshown(asked["root"]), asked["count"]))
    return {"index": index, "observation": observation}


def answer_manifest(asked: dict) -> dict:
    content = content_of(asked)
    size, files = manifest(content)
    return {"digest": shown(sha(content)), "size": size, "files": files}


def answer_artefact_id(asked: dict) -> dict:
    contract, creator = unshown(asked["contract"], 20), unshown(asked["creator"], 20)
    return {"id": shown(artefact_id(asked["chain_id"], contract, creator, unshown(asked["salt"])))}


def answer_heads(asked: dict) -> dict:
    head, heads = unshown(asked["artefact"]), []
    for sequence, step in enumerate(asked["steps"], start=1):
        head = next_head(head, sequence, step)
        heads.append(shown(head))
    return {"heads": heads}


def answer_anchor_heads(asked: dict) -> dict:
    head, heads = bytes(32), []
    for number, anchor in enumerate(asked["anchors"], start=1):
        head = next_anchor_head(head, number, anchor)
        heads.append(shown(head))
    return {"heads": heads}


def answer_lifecycle(asked: dict) -> dict:
    properties, document, rules = lifecycle(content_of(asked))
    return {
        "id": shown(lifecycle_id(properties, document, rules)),
        "document": shown(document),
        "properties": shown(words(properties)),
        "rules": [shown(words(rule)) for rule in rules],
    }


def answer(check: str, asked: dict) -> dict:
    """What a case of the test vectors gives; raises Refused where it must not be taken."""
    known: Callable[[dict], dict] = globals()["answer_" + check.replace(" ", "_")]
    return known(asked)


def main(paths: list[str]) -> int:
    wrong = cases = 0
    for path in paths:
        for case in json.loads(Path(path).read_text(encoding="utf-8"))["cases"]:
            cases += 1
            given: dict | str
            try:
                given = answer(case["check"], case["input"])
            except Refused as refused:
                given = f"refused: {refused}"
            if given != case["expect"] if "expect" in case else isinstance(given, dict):
                wrong += 1
                print(f"{path}: {case['name']}: {given}")
    print(f"{cases} cases, {wrong} wrong")
    return 1 if wrong or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
