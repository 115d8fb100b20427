"""Which type an answer has, where its text doesn't say: by survey, `section.question` or question, or by its name.

An answer that can't become its declared type gets the one that its text says, so none is lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

FieldType = Literal["text", "number", "boolean", "date", "gps"]

ANY = "*"
ANY_AMOUNT = "* amount"

# `*` as survey: in each of them. `*` as question: each that isn't declared otherwise; `* amount`: unless it asks for
# yes or no.
DECLARED: Mapping[str, Mapping[str, FieldType]] = {
    ANY: {"general_feedback": "text"},
    "cherry_weekly_price": {"cherry_price": "number", "cherry_week": "number", "date": "date"},
    "employees": {ANY: "number"},
    "financials": {ANY_AMOUNT: "number"},
    "infrastructure": {"which_of_the_following_needs_repair_check_all_that_apply": "text"},
    "kpis": {"cherry_volume_kg": "number", "parchment_volume_kg": "number"},
    "routine_visit": {"purpose_of_visit": "text"},
}

# What these names begin with is asked for yes or no.
ASKS = re.compile(r"(?:has|have|is|are|does|do|did)_")

# Numbers that identify somebody, whose leading zeros count, and what is to be specified.
TEXT_NAME = re.compile(
    r"(?:.*_)?(?:specify(?:_.*)?|id|(?:id|tax|tin|vat|phone|telephone|mobile|contact|passport|licen[cs]e|permit"
    r"|registration|certificate|membership|grower|account)_(?:number|no))"
)
# Free text beside an "other" choice, where nothing says that it is a number.
OTHER_NAME = re.compile(r"(?:.*_)?other")

# A 1 or a 0 is a number, not yes or no, where one of these is a word of the question's name.
COUNTING_WORDS = frozenset({"count", "total", "number", "volume", "price", "amount"})
