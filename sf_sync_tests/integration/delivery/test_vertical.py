"""From the inbox to the org and back by REST."""

from __future__ import annotations

from sf_sync.salesforce import rest
from sf_sync.salesforce.session import OrgSession
from sf_sync_tests.integration.delivery.conftest import Deliveries
from sf_sync_tests.integration.delivery.forms import form, household


def test_a_form_becomes_a_record_of_the_org(forms: Deliveries, delivering: OrgSession) -> None:
    done = forms.deliver(form("f1", [household(1, {"Name": "01", "Farm_Size__c": "12.5"})]))

    assert done.outcomes == {"completed": 1}
    assert forms.statuses() == {"f1": "completed"}
    found = rest.query(
        delivering, "SELECT Name, Farm_Size__c FROM Household__c WHERE Household_ID__c = 'HH-0001'", "reading"
    ).records
    assert [(one["Name"], float(one["Farm_Size__c"])) for one in found] == [("01", 12.5)]
