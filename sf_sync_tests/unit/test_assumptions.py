"""docs/assumptions.md and the probes say the same."""

from __future__ import annotations

import re
from pathlib import Path

from sf_sync.doctor.facts import FACTS

PAGE = Path(__file__).parents[2] / "docs" / "assumptions.md"
HEADING = re.compile(r"^### (A\d\d) · (.+)$", re.MULTILINE)
NOT_PROBED = "- Probe: can't be probed read-only."
LINES = ("- Relied on: ", "- Probe: ", "- If wrong: ")


def sections() -> dict[str, tuple[str, str]]:
    """Heading and body by id."""
    text = PAGE.read_text(encoding="utf-8")
    parts = HEADING.split(text)[1:]
    ids = parts[::3]
    assert len(ids) == len(set(ids))
    return {key: (title, body) for key, title, body in zip(ids, parts[1::3], parts[2::3], strict=True)}


def test_every_fact_says_where_it_is_relied_on_how_it_is_probed_and_what_breaks() -> None:
    for key, (_, body) in sections().items():
        assert [line for line in LINES if line not in body] == [], key


def test_every_fact_that_can_be_probed_has_a_probe_and_every_probe_a_fact() -> None:
    probed = {key: title for key, (title, body) in sections().items() if NOT_PROBED not in body}
    assert probed == {key: fact.expects for key, fact in FACTS.items()}


def test_files_that_rely_on_a_fact_are_there() -> None:
    root = PAGE.parents[1] / "sf_sync"
    named = {path for _, body in sections().values() for path in re.findall(r"`([a-z_]+/[a-z_]+\.py)`", body)}
    assert [path for path in sorted(named) if not (root / path).exists()] == []
