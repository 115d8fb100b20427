"""Keys are what a form says. Whatever that is, it reaches the record with this key and no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, write

ByKey = Callable[[str, str], dict[str, dict[str, object]]]

HOSTILE = [
    "x' OR Household_ID__c != '",
    "x\\' OR Name LIKE '%",
    "a/../b?c=d&e#f",
    "%2e%2e%2fquery",
    '"}], "allOrNone": true, "x": "',
    "<a>&amp;",
    "'); drop table delivery.inbox; --",
]


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_of_any_text_reaches_only_its_own_record(forms: Deliveries, by_key: ByKey, key: str) -> None:
    before = by_key("Household__c", "Household_ID__c")
    named = {"Household_ID__c": key}

    forms.deliver(form("a", [write("Household__c", named, {"Name": "made"})]))
    forms.deliver(form("b", [write("Household__c", named, {"Name": "changed"}, op="update")], minute=1))
    after = by_key("Household__c", "Household_ID__c")
    assert after[key]["Name"] == "changed"

    forms.deliver(form("c", [write("Household__c", named, op="delete")], minute=2))
    assert set(forms.statuses().values()) == {"completed"}
    assert by_key("Household__c", "Household_ID__c") == before
