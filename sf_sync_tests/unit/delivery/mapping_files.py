"""Small mapping files for tests."""

from __future__ import annotations

from pathlib import Path

from sf_sync.delivery.mapping.code_lists import CodeList
from sf_sync.delivery.mapping.loading import load_mapping
from sf_sync.delivery.mapping.planning import Mapping
from sf_sync_tests.unit.delivery.pima_schema import PimaSchema

LISTS = {
    "CL-YN": CodeList({"1": "Yes", "0": "No"}),
    "CL-FERT": CodeList({"1": "Compost"}, {"ZM": {"1": "Lime"}}),
}
CONSTANTS = {"none": [], "builds": [97]}

HEAD = "routes: [{name: A}]\n"
STEP = "  - {id: one, op: upsert, object: Household__c, key: {Household_ID__c: form.id}"


def load(tmp_path: Path, text: str, *, schema: bool = False) -> Mapping:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return load_mapping(path, LISTS, CONSTANTS, {"salesforce": PimaSchema()} if schema else None)


def steps(*rows: str) -> str:
    return HEAD + "steps:\n" + "\n".join(rows) + "\n"


def step(rest: str) -> str:
    return f"{STEP}, {rest}}}"
