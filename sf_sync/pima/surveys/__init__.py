"""The surveys of a wet mill visit: what is done to each before its answers are stored, one row an answer.

`visit.py` reads them, `rules.py` and `transforming.py` say what becomes of each answer, `flattening.py` makes a list
of groups within groups, and `answer_types.py` finds the type of each answer, after `declared_types.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sf_sync.delivery.mapping.attachments import PHOTO_CONSTANT
from sf_sync.delivery.mapping.functions import Function
from sf_sync.pima.surveys.rules import LISTS
from sf_sync.pima.surveys.visit import surveys

FUNCTIONS: Mapping[str, Function] = {
    "surveys": Function(surveys, "list", 2, 2, constant=PHOTO_CONSTANT, lists=LISTS, reads_record=True),
}
