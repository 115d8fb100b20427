"""The org as a destination: keys, duplicates, deletes."""

from __future__ import annotations

from collections.abc import Mapping

from sf_sync.delivery.destination import Outcome, Write
from sf_sync.delivery.destinations.org_lookup import OrgLookup
from sf_sync.delivery.destinations.salesforce import SalesforceDestination
from sf_sync.delivery.mapping.plan import OperationKind, Scalar
from sf_sync.salesforce.record_id import to_18
from sf_sync.salesforce.session import OrgSession
from sf_sync.sandbox.server import LocalOrg

NOBODY = to_18("a0HHs0000099999")  # an id that no record has


def executed(destination: SalesforceDestination, *writes: Write) -> list[Outcome]:
    outcomes = [one for some in destination.execute(writes, lambda: None) for one in some]
    return sorted(outcomes, key=lambda one: one.write.number)


def write(
    number: int, op: OperationKind, key: Mapping[str, Scalar], fields: Mapping[str, Scalar] | None = None
) -> Write:
    return Write(number, op, "Household__c", key, fields or {}, {})


def test_thousands_of_keys_are_looked_up_by_few_calls_none_with_a_long_url(
    org: LocalOrg, delivering: OrgSession
) -> None:
    ids = [org.control.insert("Household__c", {"Household_ID__c": f"K'{n}"}) for n in range(40)]
    wanted = [f"k'{n}" for n in range(40)] + [f"nobody has {n}" for n in range(2_960)]
    before = delivering.calls
    org.control.clear_requests()

    found = OrgLookup(delivering).find("Household__c", "Household_ID__c", wanted)

    assert delivering.calls - before == 2
    urls = [url for call in org.control.requests() for url in call.subrequests]
    assert 15_000 < max(map(len, urls)) < 16_000
    assert {key: [one[:15] for one in some] for key, some in found.items()} == {
        f"k'{n}": [record_id[:15]] for n, record_id in enumerate(ids)
    }


def test_a_duplicate_rule_stops_a_record_or_is_overruled(org: LocalOrg, delivering: OrgSession) -> None:
    org.control.fault("duplicates_detected", object="Household__c", times=2)
    strict = SalesforceDestination(delivering)
    lenient = SalesforceDestination(delivering, allow_duplicates=True)

    [stopped] = executed(strict, write(0, "upsert", {"Household_ID__c": "d1"}))
    [saved] = executed(lenient, write(0, "upsert", {"Household_ID__c": "d1"}))

    assert stopped.failure is not None
    assert (stopped.failure.kind, stopped.failure.code) == ("permanent", "DUPLICATES_DETECTED")
    assert saved.kind == "ok"


def test_deleting_what_is_gone_is_done(org: LocalOrg, delivering: OrgSession) -> None:
    destination = SalesforceDestination(delivering)
    executed(destination, write(0, "upsert", {"Household_ID__c": "x"}))
    delete = write(0, "delete", {"Household_ID__c": "x"})

    assert [one.kind for one in executed(destination, delete)] == ["ok"]
    assert [one.kind for one in executed(destination, delete)] == ["ok"]
    assert [one.kind for one in executed(destination, write(0, "delete", {"Id": NOBODY}))] == ["ok"]


def test_a_record_is_updated_by_its_id(org: LocalOrg, delivering: OrgSession) -> None:
    destination = SalesforceDestination(delivering)

    [known, unknown] = executed(
        destination,
        write(0, "update", {"Id": "a0HDM0000001H01AA2"}, {"Farm_Size__c": 7}),
        write(1, "update", {"Id": NOBODY}, {"Farm_Size__c": 7}),
    )

    assert known.kind == "ok"
    assert unknown.failure is not None
    assert unknown.failure.kind == "dependency"
    [found] = [one for one in org.truth("Household__c") if one["Id"] == "a0HDM0000001H01AA2"]
    assert found["Farm_Size__c"] == 7


def test_every_write_gets_exactly_one_outcome_whatever_goes_wrong(
    org: LocalOrg, delivering: OrgSession
) -> None:
    org.control.fault("unable_to_lock_row", object="Household__c", times=3)
    org.control.fault("answer_lost", path="composite/sobjects")
    destination = SalesforceDestination(delivering, first_wait_s=0.001)
    ops: list[OperationKind] = ["upsert", "update", "delete"]
    writes = [
        write(n, ops[n % 3], {"Household_ID__c": f"e{n}"}, {"Status__c": "Gone" if n % 5 == 0 else "Active"})
        for n in range(450)
    ]

    outcomes = executed(destination, *writes)

    assert [one.write.number for one in outcomes] == list(range(450))


def test_a_session_that_only_reads_does_not_deliver(session: OrgSession) -> None:
    [outcome] = executed(SalesforceDestination(session), write(0, "upsert", {"Household_ID__c": "x"}))

    assert outcome.failure is not None
    assert outcome.failure.code == "READ_ONLY"
