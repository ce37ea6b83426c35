"""The JSON of docs/format.md, read and written by nobody else's parser. Part of the second reader."""

import re
from decimal import Decimal

Json = dict | list | str | int | float | bool | None

EXACT = 2**53 - 1


class Refused(Exception):
    """The bytes in hand are not what they claim to be."""


def need(condition: object, why: str) -> None:
    if not condition:
        raise Refused(why)


NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def space(self) -> str:
        while self.text[self.at : self.at + 1] in (" ", "\t", "\n", "\r"):
            self.at += 1
        return self.text[self.at : self.at + 1]

    def take(self, expected: str) -> None:
        need(self.text.startswith(expected, self.at), f"no {expected!r} at {self.at}")
        self.at += len(expected)

    def value(self, inside: int) -> Json:
        need(inside <= 32, "nested too deeply")
        first = self.space()
        if first == "{":
            return self.members(inside + 1)
        if first == "[":
            return self.items(inside + 1)
        if first == '"':
            return self.string()
        for name, value in (("true", True), ("false", False), ("null", None)):
            if self.text.startswith(name, self.at):
                self.at += len(name)
                return value
        return self.number()

    def members(self, inside: int) -> dict:
        found: dict = {}
        self.take("{")
        if self.space() == "}":
            self.at += 1
            return found
        while True:
            self.space()
            name = self.string()
            need(name not in found, f"two members {name!r}")
            self.space()
            self.take(":")
            found[name] = self.value(inside)
            if self.space() == "}":
                self.at += 1
                return found
            self.take(",")

    def items(self, inside: int) -> list:
        found: list = []
        self.take("[")
        if self.space() == "]":
            self.at += 1
            return found
        while True:
            found.append(self.value(inside))
            if self.space() == "]":
                self.at += 1
                return found
            self.take(",")

    def string(self) -> str:
        self.take('"')
        parts = []
        while True:
            plain = PLAIN.match(self.text, self.at)
            parts.append(plain[0])
            self.at = plain.end()
            if self.text[self.at : self.at + 1] == '"':
                self.at += 1
                break
            self.take("\\")
            parts.append(self.escape())
        text = "".join(parts)
        # Halves of a pair that were escaped one after the other are one character.
        text = re.sub("[\ud800-\udbff][\udc00-\udfff]", lambda pair: joined(pair[0]), text)
        need(not re.search("[\ud800-\udfff]", text), "half of a surrogate pair")
        return text

    def escape(self) -> str:
        letter = self.text[self.at : self.at + 1]
        self.at += 1
        if letter == "u":
            digits = self.text[self.at : self.at + 4]
            need(re.fullmatch("[0-9a-fA-F]{4}", digits), "no such escape")
            self.at += 4
            return chr(int(digits, 16))
        need(letter in ESCAPES, "no such escape")
        return ESCAPES[letter]

    def number(self) -> int | float:
        match = NUMBER.match(self.text, self.at)
        need(match, f"no value at {self.at}")
        self.at = match.end()
        value = float(match[0])
        need(abs(value) != float("inf"), "too large a number")
        if not match[1] and not match[2]:
            digits = match[0]
            small = len(digits.lstrip("-")) <= 16 and abs(int(digits)) <= EXACT
            need(small or digits == number_form(value), "an integer beyond 2^53 - 1")
        return int(value) if value == int(value) and abs(value) <= EXACT else value


def joined(pair: str) -> str:
    return chr(0x10000 + (ord(pair[0]) - 0xD800 << 10) + (ord(pair[1]) - 0xDC00))


def read(content: bytes, limit: int = 4_194_304) -> dict:
    need(len(content) <= limit, "too long")
    try:
        reader = Reader(content.decode("utf-8", "strict"))
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error
    need(reader.space() == "{", "no object")
    value = reader.value(0)
    need(reader.space() == "" and isinstance(value, dict), "something after the object")
    return value


def read_stored(content: bytes, limit: int = 4_194_304) -> dict:
    document = read(content, limit)
    need(canonical(document) == content, "not in canonical form")
    return document


def number_form(value: float) -> str:
    """ECMA-262, Number::toString, from the shortest digits that give the double again."""
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    text, point = "".join(map(str, digits)), len(digits) + exponent
    if len(text) <= point <= 21:
        text += "0" * (point - len(text))
    elif 0 < point <= 21:
        text = f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + text
    else:
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        text = f"{text[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return "-" * sign + text


def string_form(text: str) -> str:
    named = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    return '"' + "".join(named.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def form(value: Json) -> str:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{string_form(name)}:{form(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(form, value)) + "]"
    if isinstance(value, str):
        return string_form(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return number_form(value)


def canonical(value: Json) -> bytes:
    return form(value).encode("utf-8")


def levels(value: Json) -> int:
    """In how many arrays and objects the deepest value lies, the outermost being `value` itself."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + levels(each) for each in inner), default=0)


def whole(value: Json, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def fixed(document: Json, members: str, kind: str = "") -> dict:
    need(isinstance(document, dict), "no object")
    need(set(document) == set(members.split()), f"members are not {members}")
    if kind:
        need(document["type"] == kind and whole(document["version"], 1, 1), f"not {kind}, version 1")
    return document
