"""Relative date literals → half-open ranges of days, and date functions (protocol §2.2).

The running user's time zone is UTC.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

WEEK_STARTS_ON = 6  # Sunday, the default of an en_US user
FIXED = {"YESTERDAY": ("DAYS", -1), "TODAY": ("DAYS", 0), "TOMORROW": ("DAYS", 1)}


def day_range(word: str, number: int | None, today: date) -> tuple[date, date]:
    """The first day of the literal, and the day after its last."""
    # The fiscal year of an org begins in January until an administrator says otherwise.
    word = word.replace("FISCAL_", "")
    if word in FIXED:
        unit, shift = FIXED[word]
        return _unit(unit, shift, today)
    if word == "LAST_90_DAYS":
        word, number = "LAST_N_DAYS", 90
    if word == "NEXT_90_DAYS":
        word, number = "NEXT_N_DAYS", 90
    if word.endswith("_AGO"):
        return _unit(word.removeprefix("N_").removesuffix("_AGO"), -(number or 0), today)
    which, _, unit = word.partition("_")
    if not unit.startswith("N_"):
        return _unit(f"{unit}S", {"LAST": -1, "THIS": 0, "NEXT": 1}[which], today)
    unit, count = unit.removeprefix("N_"), number or 0
    if which == "LAST":
        # Days include today, every other unit leaves the current one out.
        end = today + timedelta(days=1) if unit == "DAYS" else _unit(unit, 0, today)[0]
        return _unit(unit, -count, today)[0], end
    start = today + timedelta(days=1) if unit == "DAYS" else _unit(unit, 1, today)[0]
    return start, _unit(unit, count, today)[1]


def _unit(unit: str, shift: int, today: date) -> tuple[date, date]:
    if unit == "DAYS":
        start = today + timedelta(days=shift)
        return start, start + timedelta(days=1)
    if unit == "WEEKS":
        start = today - timedelta(days=(today.weekday() - WEEK_STARTS_ON) % 7) + timedelta(weeks=shift)
        return start, start + timedelta(weeks=1)
    months = {"MONTHS": 1, "QUARTERS": 3, "YEARS": 12}[unit]
    first = (today.year * 12 + today.month - 1) // months + shift
    return _month(first * months), _month((first + 1) * months)


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def part(function: str, moment: date) -> str:
    """What a date function gives for a date, or for a datetime in UTC."""
    if function == "DAY_ONLY":
        return f"{moment:%Y-%m-%d}"
    hour = moment.hour if isinstance(moment, datetime) else 0
    parts = {
        "CALENDAR_YEAR": moment.year,
        "CALENDAR_QUARTER": (moment.month + 2) // 3,
        "CALENDAR_MONTH": moment.month,
        "DAY_IN_MONTH": moment.day,
        "DAY_IN_WEEK": moment.isoweekday() % 7 + 1,
        "DAY_IN_YEAR": moment.timetuple().tm_yday,
        "HOUR_IN_DAY": hour,
    }
    return str(parts[function])
