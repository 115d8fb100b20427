"""Record ids: 15 case-sensitive base-62 characters and the 18-character form with its checksum (protocol §7)."""

from __future__ import annotations

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
POD = "Hs0"
# The ids that forms of PIMA carry were made up without the rule: they all end in the same three characters.
GIVEN_POD, GIVEN_END = "DM0", "AA2"
SEQUENCE_LENGTH = 9
_VALUE = {digit: value for value, digit in enumerate(DIGITS)}


def checksum(id15: str) -> str:
    """The three characters that make a 15-character id safe where case is lost."""
    if id15[3:6] == GIVEN_POD:
        return GIVEN_END
    out = []
    for start in (0, 5, 10):
        bits = sum(1 << k for k, char in enumerate(id15[start : start + 5]) if "A" <= char <= "Z")
        out.append(CHECK[bits])
    return "".join(out)


def to18(id15: str) -> str:
    """The 18-character form of a 15-character id."""
    return id15 + checksum(id15)


def make(prefix: str, sequence: int) -> str:
    """The id of the sequence-th record of the object with that key prefix. Ids sort like their sequence."""
    digits = []
    rest = sequence
    for _ in range(SEQUENCE_LENGTH):
        rest, digit = divmod(rest, 62)
        digits.append(DIGITS[digit])
    return to18(prefix + POD + "".join(reversed(digits)))


def well_formed(text: str) -> bool:
    """Whether the text is an id of 15 characters, or of 18 with a right checksum (which is read without case)."""
    if len(text) not in (15, 18) or not text.isascii() or not text.isalnum():
        return False
    return len(text) == 15 or checksum(text[:15]) == text[15:].upper()


def comparable(text: str) -> str:
    """An id in 18 characters, whichever of its two forms was given; other text as it is."""
    return to18(text) if len(text) == 15 and well_formed(text) else text


def sequence_of(text: str, prefix: str) -> int | None:
    """The sequence number in an id that `make` could have made for the prefix, else None."""
    if not well_formed(text) or not text.startswith(prefix + POD):
        return None
    number = 0
    for char in text[len(prefix) + len(POD) : 15]:
        number = number * 62 + _VALUE[char]
    return number
