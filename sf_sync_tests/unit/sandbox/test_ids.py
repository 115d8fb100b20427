"""Ids against those printed in vendor documents (protocol §7)."""

import pytest

from sf_sync.sandbox import ids
from sf_sync.sandbox.seed.columns import id_cells


@pytest.mark.parametrize(
    ("id15", "check"), [("001D000000Kv3g5", "IAB"), ("003RO0000035WQg", "YAM"), ("012000000000000", "AAA")]
)
def test_checksum_of_published_ids(id15: str, check: str) -> None:
    assert ids.checksum(id15) == check


def test_generated_ids_are_well_formed_sorted_and_found_again() -> None:
    made = [ids.make("003", n) for n in (1, 9, 10, 61, 62, 3843, 3844, 10**6)]
    assert made == sorted(made)
    assert all(len(i) == 18 and ids.well_formed(i) for i in made)
    assert [ids.sequence_of(i, "003") for i in made] == [1, 9, 10, 61, 62, 3843, 3844, 10**6]
    assert ids.sequence_of(made[0], "001") is None


def test_many_ids_at_once_are_the_same_as_one_by_one() -> None:
    assert id_cells("003", 5000) == [f'"{ids.make("003", n)}"'.encode() for n in range(1, 5001)]


def test_a_wrong_checksum_is_not_an_id() -> None:
    good = ids.make("003", 777)
    assert ids.well_formed(good[:15])
    assert not ids.well_formed(good[:17] + ("A" if good[17] != "A" else "B"))
    assert not ids.well_formed("003")
