"""The demo's own failures."""

from __future__ import annotations


class DemoError(Exception):
    """The demo can't go on; the message names the cause and what to do."""
