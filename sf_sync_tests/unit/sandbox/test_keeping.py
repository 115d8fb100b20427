"""Records that are kept in a file from one org to the next."""

import gzip
import json
import stat
from pathlib import Path

import pytest

from sf_sync.sandbox import keeping
from sf_sync.sandbox.seed.build import Sizes

from .conftest import make_client

SIZES = Sizes(contacts=60, accounts=8, users=3, tasks=20)


def test_an_org_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "org.kept"
    first = make_client(SIZES)
    changed, deleted, gone, late = first.control.ids("Contact")[:4]
    first.control.update("Contact", changed, {"Title": 'a "title"\nቡና'})
    first.control.delete("Contact", [deleted])
    first.control.hard_delete("Contact", [gone])
    first.control.update("Contact", late, {"Title": "late"}, late=60)
    made = first.control.insert("Contact", {"LastName": "New"})
    keeping.save(first.org, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first.control.advance(61)

    second = make_client(Sizes(contacts=5))
    keeping.load(second.org, path)
    for name in first.org.tables:
        assert second.control.truth(name) == first.control.truth(name)
    assert gone not in second.control.ids("Contact")
    assert second.org.deletions == first.org.deletions
    following = second.control.insert("Contact", {"LastName": "Newer"})
    assert following > made
    assert second.query(f"SELECT Id FROM Contact WHERE Id = '{following}'")["totalSize"] == 1
    keeping.save(second.org, path)
    assert list(tmp_path.iterdir()) == [path]


def test_given_ids_are_kept_with_their_records(tmp_path: Path) -> None:
    path = tmp_path / "org.kept"
    first = make_client(SIZES, with_pima=True)
    made = first.body("POST", "/sobjects/Training_Group__c", {"Name": "New"}, status=201)["id"]
    keeping.save(first.org, path)
    second = make_client(SIZES, with_pima=True)
    keeping.load(second.org, path)
    assert second.get("/sobjects/Training_Group__c/a0TDM0000001G01AA2")["Name"] == "Demo Hill Group 1"
    assert second.get(f"/sobjects/Training_Group__c/{made}")["Name"] == "New"


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"[]"), gzip.compress(json.dumps({"format": 0, "tables": {}}).encode())],
    ids=["empty", "no gzip", "no object", "of another format"],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "org.kept"
    path.write_bytes(content)
    with pytest.raises(keeping.BadKeptFile, match="delete it to begin anew"):
        keeping.load(make_client(SIZES).org, path)
