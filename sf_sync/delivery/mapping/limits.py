"""How much a mapping and a plan may take. Beyond a limit is a clear failure, never a cut."""

from __future__ import annotations

# Of an expression, checked when a mapping is loaded.
EXPRESSION_CHARACTERS = 500
EXPRESSION_NODES = 60
EXPRESSION_DEPTH = 8

# Of a YAML file, checked before it is parsed.
FILE_BYTES = 256 * 1024
FILE_DEPTH = 24
FILE_NODES = 20_000

# Of one record's plan, checked while it is made.
TEXT_IN_FUNCTIONS = 64 * 1024
LIST_ELEMENTS = 1_000
KEY_CHARACTERS = 255
TEXT_IN_FIELD = 131_072  # the longest long text area of Salesforce
OPERATIONS = 5_000
LOOP_TURNS = 10_000
PLAN_CHARACTERS = 8 * 1024 * 1024
WARNINGS = 200
PROBLEMS = 50  # how many a refusal lists; one is enough to refuse

# One unit is about one node of an expression, or 64 characters that a function reads or makes.
WORK = 1_000_000


class TooMuch(Exception):
    """A record asks for more than a limit allows; the message says which."""
