"""Which plans touch the same records."""

from __future__ import annotations

from sf_sync.delivery.mapping.plan import Operation, Reference
from sf_sync.delivery.targets import Footprint, Touched, target_of


def footprint(object_name: str, key: dict[str, str], *parents: tuple[str, dict[str, str]]) -> Footprint:
    references = {f"r{n}": Reference(*one) for n, one in enumerate(parents)}
    return Footprint.of([Operation("1", "s", "upsert", object_name, key, {}, references)])


def touched(one: Footprint) -> Touched:
    made = Touched()
    made.add(one)
    return made


def test_keys_are_compared_as_the_org_compares_them() -> None:
    assert target_of("A", {"Key__c": "Ab-1"}) == target_of("A", {"Key__c": "aB-1"})
    assert target_of("A", {"Key__c": "1"}) != target_of("B", {"Key__c": "1"})
    assert target_of("A", {"Id": "003DM0000001A01"}) == target_of("A", {"Id": "003DM0000001A01AA2"})
    assert target_of("A", {"Id": "003DM0000001A0a"}) != target_of("A", {"Id": "003DM0000001A0A"})


def test_a_key_that_looks_like_two_is_one() -> None:
    assert target_of("A", {"x": "1&y=2"}) != target_of("A", {"x": "1", "y": "2"})


def test_plans_that_write_one_record_meet_and_others_do_not() -> None:
    first = touched(footprint("Household__c", {"Household_ID__c": "1"}))

    assert first.shares_target(footprint("Household__c", {"Household_ID__c": "1"}))
    assert not first.meets(footprint("Household__c", {"Household_ID__c": "2"}))
    assert not first.meets(footprint("Participant__c", {"Household_ID__c": "1"}))


def test_a_record_named_by_another_field_may_be_the_same() -> None:
    first = touched(footprint("Household__c", {"Household_ID__c": "1"}))

    assert first.shares_target(footprint("Household__c", {"Id": "a0HDM0000001H01AA2"}))


def test_a_plan_meets_one_that_writes_what_it_refers_to_both_ways() -> None:
    parent = footprint("Household__c", {"Household_ID__c": "1"})
    child = footprint("Participant__c", {"Case__c": "p"}, ("Household__c", {"Household_ID__c": "1"}))

    assert touched(parent).meets(child)
    assert touched(child).meets(parent)
    assert not touched(parent).shares_target(child)
