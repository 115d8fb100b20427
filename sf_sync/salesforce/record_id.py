"""Record ids: 15 case-sensitive characters and 3 that check their case (protocol page, section 7)."""

from __future__ import annotations

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # in the order of their bytes
CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
SHORT, LONG = 15, 18


def to_18(record_id: str) -> str:
    """The 18-character form of an id. Raises ValueError where it isn't an id."""
    if len(record_id) not in {SHORT, LONG} or not all(c in DIGITS for c in record_id):
        raise ValueError(f"{record_id!r} is not a record id; expected 15 or 18 letters and digits")
    core = record_id[:SHORT]
    checks = (
        CHECKS[sum(1 << place for place, c in enumerate(core[start : start + 5]) if "A" <= c <= "Z")]
        for start in (0, 5, 10)
    )
    return core + "".join(checks)


def between(after: str, until: str) -> str | None:
    """An id in the middle of two, None where there is none between them."""
    low, high = _number(after), _number(until)
    return _id((low + high) // 2) if high - low > 1 else None


def before(record_id: str) -> str:
    """The id right before another."""
    return _id(max(_number(record_id) - 1, 0))


def _number(record_id: str) -> int:
    number = 0
    for c in record_id[:SHORT]:
        number = number * len(DIGITS) + DIGITS.index(c)
    return number


def _id(number: int) -> str:
    digits = []
    for _ in range(SHORT):
        number, digit = divmod(number, len(DIGITS))
        digits.append(DIGITS[digit])
    return to_18("".join(reversed(digits)))
