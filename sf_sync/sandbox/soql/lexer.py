"""SOQL text → tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sf_sync.sandbox.errors import ApiError, malformed

MAX_QUERY = 100_000
MAX_LITERAL = 4_000
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_DATETIME = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)"
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    |(?P<datetime>{_DATETIME})
    |(?P<zoneless>\d{{4}}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?)
    |(?P<date>\d{{4}}-\d\d-\d\d)
    |(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<operator><=|>=|!=|<>|=|<|>)
    |(?P<mark>[(),:])""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """One token; `text` of a string is what stands between the quotes, escapes and all."""

    kind: str
    text: str
    at: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind == "name" and self.text.upper() in words


def tokenize(text: str) -> list[Token]:
    """All tokens, ended by one of kind `end`."""
    if len(text) > MAX_QUERY:
        raise ApiError(400, "MALFORMED_QUERY", "SOQL statement is too long")
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise malformed(text, position, f"unexpected token: '{text[position]}'")
        kind, found = str(match.lastgroup), match[0]
        if kind == "zoneless":
            column = match.end() - text.rfind("\n", 0, match.end())
            line = text.count("\n", 0, position) + 1
            following = text[match.end() : match.end() + 1] or "<EOF>"
            message = f"line {line}:{column} no viable alternative at character '{following}'"
            raise malformed(text, match.end(), message)
        if kind == "string":
            found = found[1:-1]
            if len(found) > MAX_LITERAL:
                raise malformed(text, position, "maximum length of a string literal exceeded")
        if kind != "space":
            tokens.append(Token(kind, found, position))
        position = match.end()
    tokens.append(Token("end", "<EOF>", len(text)))
    return tokens


def unescape(text: str, soql: str, at: int) -> str:
    """The value of a string literal."""

    def replace(match: re.Match[str]) -> str:
        char = match[1]
        if char not in _ESCAPES:
            raise malformed(soql, at, f"Illegal string literal: invalid escape sequence '\\{char}'")
        return _ESCAPES[char]

    return re.sub(r"\\(.)", replace, text, flags=re.DOTALL)


def like_pattern(text: str) -> re.Pattern[str]:
    """The regular expression of a LIKE literal (still escaped): % any run, _ one character, no case."""
    out: list[str] = []
    chars = iter(text)
    for char in chars:
        if char == "\\":
            following = next(chars, "\\")
            out.append(re.escape(_ESCAPES.get(following, following)))
        elif char == "%":
            out.append(".*")
        elif char == "_":
            out.append(".")
        else:
            out.append(re.escape(char))
    return re.compile("".join(out), re.IGNORECASE | re.DOTALL)
