"""simple-salesforce as it is, through the HTTPS face: only the host of its URLs is rewritten."""

import csv
import io
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce.api import Salesforce

from sf_sync.sandbox.server import LocalOrg


def columns(salesforce: Any) -> list[str]:
    fields = salesforce.Contact.describe()["fields"]
    compounds = {f["compoundFieldName"] for f in fields} - {None, "Name"}
    return [f["name"] for f in fields if f["name"] not in compounds]


def as_csv(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.000Z"
    return value.isoformat() if isinstance(value, date) else str(value)


def test_bulk2_downloads_every_contact(salesforce: Any, org: LocalOrg) -> None:
    names = columns(salesforce)
    pages = salesforce.bulk2.Contact.query_all(
        f"SELECT {','.join(names)} FROM Contact", max_records=1200, wait=0.01
    )  # fmt: skip
    rows = [row for page in pages for row in csv.DictReader(io.StringIO(page, newline=""))]
    truth = org.truth("Contact", include_deleted=True)
    assert len(rows) == len(truth) == 5000
    for row, true in zip(rows, truth, strict=True):
        for name, value in true.items():
            if isinstance(value, Decimal):
                assert Decimal(row[name]) == value
            else:
                assert row[name] == as_csv(value)


def test_query_all_iter_downloads_every_live_contact(salesforce: Any, org: LocalOrg) -> None:
    names = ["Id", "Name", "Email", "Description", "Active__c", "SystemModstamp", "AccountId"]
    rows = list(salesforce.query_all_iter(f"SELECT {','.join(names)} FROM Contact"))
    truth = org.truth("Contact", names, include_deleted=False)
    assert len(rows) == len(truth) > 4000
    for row, true in zip(rows, truth, strict=True):
        stamp = true["SystemModstamp"]
        assert isinstance(stamp, datetime)
        shown = true | {"SystemModstamp": f"{stamp:%Y-%m-%dT%H:%M:%S}.000+0000"}
        assert {name: row[name] for name in names} == shown


def test_describe_limits_and_usage(salesforce: Any) -> None:
    described = salesforce.describe()
    assert described is not None
    assert "Contact" in [o["name"] for o in described["sobjects"]]
    assert salesforce.limits()["DailyApiRequests"]["Max"] == 100_000
    usage = salesforce.api_usage["api-usage"]
    assert usage.total == 100_000
    assert usage.used > 0


def test_jwt_bearer_signs_in(salesforce: Any, org: LocalOrg) -> None:
    key = rsa.generate_private_key(65537, 2048)
    org.control.register_key(
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signed_in = Salesforce(
        username="user1@local.example",
        consumer_key=org.client_id,
        privatekey=private.decode(),
        version="62.0",
        session=salesforce.session,
    )
    assert signed_in.query("SELECT COUNT() FROM Contact")["totalSize"] > 0


def test_updated_and_deleted(salesforce: Any, org: LocalOrg) -> None:
    gone, changed = org.control.ids("Contact")[:2]
    org.control.freeze()
    try:
        org.control.delete("Contact", [gone])
        org.control.touch("Contact", [changed])
        now = org.control.now()
        org.control.advance(120)
        start, end = now - timedelta(minutes=2), now + timedelta(minutes=2)
        assert salesforce.Contact.updated(start, end)["ids"] == [changed]
        assert [r["id"] for r in salesforce.Contact.deleted(start, end)["deletedRecords"]] == [gone]
    finally:
        org.control.resume()
