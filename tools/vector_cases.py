"""Cases of the test vectors on JSON and hashes, and what all cases are made of.

Deterministic: keys and salts are hashes of their names.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from proml.core.digest import hexed, sha256
from proml.core.document import canonical
from proml.core.merkle import leaf_hash, path, root
from proml.errors import ProMLError
from vector_answers import Case, answer


def good(name: str, check: str, **asked: Any) -> Case:
    """A case that is taken."""
    return {"name": name, "check": check, "input": asked, "expect": answer(check, asked)}


def bad(name: str, check: str, **asked: Any) -> Case:
    """A case that must be refused."""
    try:
        given = answer(check, asked)
    except ProMLError:
        return {"name": name, "check": check, "input": asked, "refused": True}
    raise SystemExit(f"{name!r} must be refused and gives {given}")


def key(name: str) -> bytes:
    """A 32-byte key or digest that is the same every time."""
    return sha256(name.encode())


def address(name: str) -> str:
    """The same of 20 bytes, in text form."""
    return hexed(key(name)[:20])


def nested(levels: int) -> Any:
    """The number 1 inside so many arrays."""
    return [nested(levels - 1)] if levels else 1


def edited(document: Mapping[str, Any], **changes: Any) -> str:
    """The canonical text of a document with other members; None takes one away."""
    members = {**document, **changes}
    return canonical({name: value for name, value in members.items() if value is not None}).decode()


KEY = key("record key")


def json_cases() -> Iterator[Case]:
    """Reading and writing JSON."""
    texts = {
        "members are sorted by UTF-16": '{"\\ufb33":1,"\\ud83d\\ude00":2,"":3,"a":4,"B":5}',
        "white space goes": ' {\t"b" : [ 1 , 2 ] ,\r\n"a" : { } } ',
        "numbers are values": '{"n":[1.0,1e0,100E-2,-0,-0.0,0e9,10.50,1E+2]}',
        "numbers as ECMAScript writes them": '{"n":[1e21,1e20,123456789012345680000,1e-6,1e-7,5e-324,0.1]}',
        "integers up to the exact ones": '{"n":[9007199254740991,-9007199254740991,9007199254740992]}',
        "a fraction is rounded to the nearest double": '{"n":9007199254740993.0}',
        "escapes that stay": '{"s":"\\u0000\\u001F\\b\\t\\n\\f\\r\\"\\\\"}',
        "escapes that go": '{"s":"\\/\\u0041\\u007f\\u2028\\u0008\\u000A"}',
        "as deep as allowed": canonical({"x": nested(31)}).decode(),
    }
    yield from (good(name, "canonical", text=text) for name, text in texts.items())
    refused = {
        "nothing": "",
        "an array": "[]",
        "two objects": "{}{}",
        "a comma too many": '{"a":1,}',
        "a leading zero": '{"a":01}',
        "a plus sign": '{"a":+1}',
        "NaN": '{"a":NaN}',
        "infinity": '{"a":-Infinity}',
        "a number beyond the doubles": '{"a":1e400}',
        "2^53 + 1": '{"a":9007199254740993}',
        "2^64 - 1": '{"a":18446744073709551615}',
        "a double with a digit too many": '{"a":100000000000000000001}',
        "two members of one name": '{"a":1,"b":{"c":1,"c":1}}',
        "one name spelt twice": '{"a":1,"\\u0061":2}',
        "half of a pair": '{"a":"\\ud800"}',
        "a pair the wrong way round": '{"\\udc00\\ud800":1}',
        "a line feed in a string": '{"a":"\n"}',
        "an unknown escape": '{"a":"\\x41"}',
        "deeper than allowed": '{"x":' + "[" * 32 + "1" + "]" * 32 + "}",
        "unfinished": '{"a":[1,2',
    }
    yield from (bad(name, "canonical", text=text) for name, text in refused.items())
    encodings = {
        "a byte order mark": b'\xef\xbb\xbf{"a":1}',
        "UTF-16": '{"a":1}'.encode("utf-16"),
        "half of a pair in UTF-8": b'{"a":"\xed\xa0\x80"}',
        "an overlong form": b'{"a":"\xc0\x80"}',
    }
    yield from (bad(name, "canonical", bytes=hexed(content)) for name, content in encodings.items())


def hash_cases() -> Iterator[Case]:
    """Text forms, derived salts, Merkle trees and private subjects."""
    yield good("32 bytes", "text form", text=hexed(KEY), length=32)
    yield good("20 bytes", "text form", text=address("a"), length=20)
    texts: dict[str, str] = {
        "capital letters": "0x" + "AB" * 32,
        "no prefix": "ab" * 33,
        "a digit too few": "0x" + "a" * 63,
        "white space": "0x" + "ab" * 15 + "  " + "ab" * 16,
        "other digits": "0x" + "\u0663" * 64,
    }
    for name, text in texts.items():
        yield bad(name, "text form", text=text, length=32)
    yield good(
        "the salt of a field", "derive", key=hexed(KEY), purpose="proml/1/salt", suffix=hexed(b"metrics")
    )
    yield good("the salt of a subject", "derive", key=hexed(KEY), purpose="proml/1/subject", suffix="0x")
    observation = hexed((258).to_bytes(8, "big"))
    yield good(
        "of observation 258", "derive", key=hexed(KEY), purpose="proml/1/observation", suffix=observation
    )
    yield good("a private subject", "subject", key=hexed(KEY), sha256=hexed(key("bytes")))
    leaves = [leaf_hash(bytes([number])) for number in range(16)]
    for count in (1, 2, 3, 5, 6, 7, 8, 13, 16):
        yield good(f"{count} leaves", "merkle root", leaves=[hexed(leaf) for leaf in leaves[:count]])
    yield bad("no leaf", "merkle root", leaves=[])
    for index, count in ((0, 1), (0, 3), (2, 3), (4, 5), (6, 7), (9, 13), (12, 13), (15, 16)):
        yield good(f"leaf {index} of {count}", "merkle path", **merkle_path(leaves[:count], index))
    asked = merkle_path(leaves[:13], 9)
    changed_by: dict[str, Case] = {
        "another leaf": {"leaf": hexed(leaves[8])},
        "another index": {"index": 8},
        "no such index": {"index": 13},
        "a negative index": {"index": -1},
        "a count too small": {"count": 9},
        "another root": {"root": hexed(KEY)},
        "too short": {"path": asked["path"][:-1]},
        "too long": {"path": [*asked["path"], hexed(KEY)]},
        "the path turned round": {"path": asked["path"][::-1]},
        "beyond any tree": {"path": [hexed(KEY)] * 41},
    }
    for name, changes in changed_by.items():
        yield bad(name, "merkle path", **{**asked, **changes})


def merkle_path(leaves: list[bytes], index: int) -> Case:
    """The input of a `merkle path` case."""
    siblings = [hexed(sibling) for sibling in path(leaves, index)]
    return {
        "leaf": hexed(leaves[index]),
        "index": index,
        "count": len(leaves),
        "path": siblings,
        "root": hexed(root(leaves)),
    }
