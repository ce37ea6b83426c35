"""Cases of the test vectors on records, disclosures, observations and manifests."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proml.core.digest import expand, hexed
from proml.core.document import canonical, parse
from proml.core.merkle import leaf_hash, root
from proml.core.proof import ObservationBatch
from proml.core.record import FIELDS, disclose, seal
from vector_answers import Case
from vector_cases import KEY, address, bad, edited, good, key, nested

RECORD: dict[str, Any] = {
    "type": "proml/record",
    "version": 1,
    "artefact": hexed(key("model")),
    "kind": "model",
    "action": "propose",
    "sequence": 1,
    "actor": {"organisation": 4, "key": address("developer")},
}
WHOLE: dict[str, Any] = {
    **RECORD,
    "name": "Ziffern \U0001f522",
    "subject": {
        "name": "model.joblib",
        "size": 48_213,
        "sha256": hexed(key("bytes")),
        "blake3": hexed(key("blake3")),
    },
    "inputs": [
        {"artefact": hexed(key("run")), "sequence": 2, "part": "run"},
        {"name": "notes.txt", "size": 12, "sha256": hexed(key("notes")), "part": "notes"},
    ],
    "activity": {
        "start": "2026-01-05T09:30:00.25Z",
        "end": "2026-01-05T09:31:00Z",
        "command": ["train.py", "(2 arguments)"],
        "code": {"commit": "ab" * 20, "dirty": True, "diff": hexed(key("diff")), "untracked": 3},
        "environment": {"python": "3.11.7", "packages": {"scikit-learn": "1.7.0"}},
        "outcome": "finished",
    },
    "parameters": {"C": 0.5, "seed": 7, "big": "9007199254740993"},
    "metrics": {
        "accuracy": 0.975,
        "diverged": 1e20,
        "tiny": 5e-324,
        "lost": "NaN",
        "\ufb33": 1,
        "\U0001f600": 2,
    },
    "claims": {"licence": "CC-BY-4.0", "control": '\u0001\u001f\u007f"\\'},
    "observations": [{"root": hexed(key("root")), "count": 1_000, "batch": hexed(key("batch"))}],
    "amends": hexed(key("earlier")),
}
OBSERVATIONS = [{"step": step, "metrics": {"loss": 1 / (step + 1)}} for step in range(5)]


def record_cases() -> Iterator[Case]:
    """Sealed records and their commitments."""
    for name, record in {
        "the least": RECORD,
        "all sixteen fields": WHOLE,
        "empty objects": {**RECORD, "claims": {}},
    }.items():
        sealed = seal(record, KEY)
        yield good(name, "sealed record", text=sealed.content.decode(), commitment=hexed(sealed.commitment))
    sealed = seal(WHOLE, KEY)
    asked = {"commitment": hexed(sealed.commitment)}
    text, document = sealed.content.decode(), parse(sealed.content, "it")
    other = seal(WHOLE, key("another key"))
    yield bad("under another key", "sealed record", text=other.content.decode(), **asked)
    for name, old, new in (
        ("a changed value", "0.975", "0.976"),
        ("a space", '"key":', '"key": '),
        ("a spelling", "0.5", "5e-1"),
        ("an escape in capitals", "\\u001f", "\\u001F"),
        ("a version that is true", '"version":1}', '"version":true}'),
        ("a newer version", '"version":1}', '"version":2}'),
        ("another type", "proml/sealed-record", "proml/record"),
        ("a member too many", '{"key"', '{"a":1,"key"'),
        ("a key too short", hexed(KEY), hexed(KEY[:31])),
    ):
        yield bad(name, "sealed record", text=text.replace(old, new), **asked)
    changed_by: dict[str, Case] = {
        "a field missing": {"action": None},
        "a field unknown": {"note": "x"},
        "sequence 0": {"sequence": 0},
        "an actor without a key": {"actor": {"organisation": 4}},
        "metrics that are no object": {"metrics": [1]},
        "a subject without a digest": {"subject": {"name": "x"}},
        "a record of a newer version": {"version": 2},
        "an input without a sequence": {"inputs": [{"artefact": hexed(KEY)}]},
        "an empty name": {"name": ""},
        "a time without a zone": {"activity": {"end": "2026-01-05T09:31:00"}},
        "deep": {"claims": {"x": nested(23)}},
    }
    for name, changes in changed_by.items():
        record = parse(edited(document["record"], **changes).encode(), "it")
        # Of each the right commitment, so that nothing but the shape can be the reason.
        yield bad(
            name, "sealed record", text=edited(document, record=record), commitment=commitment_of(record)
        )


def commitment_of(record: Mapping[str, Any]) -> str:
    """The commitment of any object as if it were a record."""
    leaves = []
    for name in FIELDS:
        shown = [name, record[name]] if name in record else [name]
        leaves.append(leaf_hash(expand(KEY, "proml/1/salt", name.encode()) + canonical(shown)))
    return hexed(root(leaves))


def disclosure_cases() -> Iterator[Case]:
    """Disclosures of chosen fields."""
    sealed = seal(WHOLE, KEY)
    asked = {"commitment": hexed(sealed.commitment)}
    without = seal(RECORD, KEY)
    choices: dict[str, Sequence[str]] = {
        "no field": [],
        "one field": ["metrics"],
        "three fields": ["claims", "type", "actor"],
        "all fields": FIELDS,
    }
    for name, chosen in choices.items():
        yield good(name, "disclosure", text=edited(disclose(sealed, chosen)), **asked)
    absent = edited(disclose(without, ["kind", "subject", "amends"]))
    yield good("absent fields", "disclosure", text=absent, commitment=hexed(without.commitment))
    document = disclose(sealed, ["metrics"])
    (entry,) = document["fields"]
    yield good("spelt otherwise", "disclosure", text=edited(document).replace(",", " ,\n"), **asked)
    other = disclose(seal(WHOLE, key("another key")), ["metrics"])
    yield bad("of another record", "disclosure", text=edited(other), **asked)
    yield bad("of another record, renamed", "disclosure", text=edited(other, **asked), **asked)
    changed_by: dict[str, Case] = {
        "a changed value": {"value": {**entry["value"], "accuracy": 0.976}},
        "a value for null": {"value": 7},
        "another field's name": {"name": "parameters"},
        "an unknown field": {"name": "note"},
        "a changed salt": {"salt": hexed(KEY)},
        "a salt too short": {"salt": hexed(KEY[:31])},
        "a path too short": {"path": entry["path"][:3]},
        "a path too long": {"path": [*entry["path"], hexed(KEY)]},
        "a path that is no array": {"path": hexed(KEY)},
        "a member too many": {"note": 1},
        "no salt": {"salt": None},
        "a value taken away, as if absent": {"value": None},
    }
    for name, changes in changed_by.items():
        changed = parse(edited(entry, **changes).encode(), "it")
        yield bad(name, "disclosure", text=edited(document, fields=[changed]), **asked)
    yield bad("one field twice", "disclosure", text=edited(document, fields=[entry, entry]), **asked)
    yield bad("a newer version", "disclosure", text=edited(document, version=2), **asked)
    yield bad("a version that is true", "disclosure", text=edited(document, version=True), **asked)
    yield bad("fields that are no array", "disclosure", text=edited(document, fields={}), **asked)
    given = disclose(without, ["subject"])
    (gap,) = given["fields"]
    filled = edited(given, fields=[{**gap, "value": WHOLE["subject"]}])
    yield bad(
        "an absent field given a value", "disclosure", text=filled, commitment=hexed(without.commitment)
    )


def observation_cases() -> Iterator[Case]:
    """Batches of observations and proofs of single ones."""
    batch = ObservationBatch(OBSERVATIONS, key("batch key"))
    document = parse(batch.content, "it")
    yield good("five observations", "batch", text=batch.content.decode())
    yield good("one empty observation", "batch", text=ObservationBatch([{}], KEY).content.decode())
    changed_by: dict[str, Case] = {
        "no observation": {"observations": []},
        "what is no object": {"observations": [{}, 1]},
        "no key": {"key": None},
        "a member too many": {"root": hexed(batch.root)},
        "another type": {"type": "proml/proof"},
        "too deep": {"observations": [{"x": nested(24)}]},
    }
    for name, changes in changed_by.items():
        yield bad(name, "batch", text=edited(document, **changes))
    yield bad("another spelling", "batch", text=batch.content.decode() + "\n")
    anchored = {"root": hexed(batch.root), "count": len(OBSERVATIONS)}
    for index in (0, 3, 4):
        yield good(f"observation {index}", "proof", text=edited(batch.prove(index).document()), **anchored)
    proof = batch.prove(4).document()
    proof_changed_by: dict[str, Case] = {
        "a changed observation": {"observation": {}},
        "another salt": {"salt": hexed(KEY)},
        "another index": {"index": 3},
        "no such index": {"index": 5},
        "an index that is true": {"index": True},
        "a fraction": {"index": 3.5},
        "a path too long": {"path": [*proof["path"], hexed(KEY)]},
        "a path too short": {"path": []},
        "another root": {"root": hexed(KEY)},
        "a member too many": {"note": 1},
        "no count": {"count": None},
        # Leaf 4 of 5 has the path of leaf 1 of 2: only the anchored count tells them apart.
        "a place in a smaller tree": {"index": 1, "count": 2},
    }
    for name, changes in proof_changed_by.items():
        yield bad(name, "proof", text=edited(proof, **changes), **anchored)
    yield bad("anchored with another count", "proof", text=edited(proof), root=anchored["root"], count=6)
    yield bad("another anchor", "proof", text=edited(proof), root=hexed(KEY), count=5)


def manifest_cases() -> Iterator[Case]:
    """Manifests of folders."""

    def text(*paths: str, **changes: Any) -> str:
        files = [{"path": each, "sha256": hexed(key(each)), "size": len(each), **changes} for each in paths]
        return edited({"type": "proml/manifest", "version": 1, "files": files})

    yield good("one file", "manifest", text=text("a"))
    yield good(
        "order of UTF-8 bytes", "manifest", text=text('"q"', "a-", "a/b", "a0", "é", "\uffee", "\U0001f600")
    )
    folders: dict[str, list[str]] = {
        "no file": [],
        "out of order": ["b", "a"],
        "one file twice": ["a", "a"],
        "equal but for case": ["A", "a"],
        "folders equal but for case": ["A/x", "a/y"],
        "equal after case folding": ["STRASSE", "straße"],
        "a file and a folder": ["a", "a/b"],
        "the folder above": ["../a"],
        "from the root": ["/a"],
        "an empty name": ["a//b"],
        "a backslash": ["a\\b"],
        "a control character": ["a\x07"],
        "a bidirectional override": ["a\u202eb"],
        "a filler": ["a\u3164"],
        "not in form C": ["e\u0301"],
        "a dot at the end": ["a."],
        "a reserved name": ["x/con.txt"],
        "a reserved name, spaced": ["Nul .a"],
        "a name too long": ["x" * 256],
        "too many levels": ["/".join("a" * 129)],
    }
    for name, paths in folders.items():
        yield bad(name, "manifest", text=text(*paths))
    yield bad("a negative size", "manifest", text=text("a", size=-1))
    yield bad("a member too many", "manifest", text=text("a", mode=420))
    yield bad("a short digest", "manifest", text=text("a", sha256="0x00"))
    yield bad("another spelling", "manifest", text=text("a") + " ")
