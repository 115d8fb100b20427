"""Field-level security of one user: what the others see stays (protocol §2.3)."""

import json

import pytest

from sf_sync.sandbox.seed.build import Sizes

from .conftest import Client, make_client


@pytest.fixture
def two() -> tuple[Client, Client]:
    """The integration user, and another user of the same org."""
    mine = make_client(Sizes(contacts=50, accounts=5, users=3))
    theirs = Client(mine.org)
    _, other = mine.control.ids("User")[:2]
    mine.control.hide_field("Contact", "Email", user=other)
    theirs.headers["authorization"] = f"Bearer {mine.org.auth.open_session(other)}"
    return mine, theirs


def names(client: Client) -> set[str]:
    return {field["name"] for field in client.get("/sobjects/Contact/describe")["fields"]}


def test_the_field_is_absent_for_that_user_only(two: tuple[Client, Client]) -> None:
    mine, theirs = two
    assert names(mine) - names(theirs) == {"Email"}
    assert mine.query("SELECT Email FROM Contact")["totalSize"] > 0
    for soql in (
        "SELECT Email FROM Contact",
        "SELECT Id FROM Contact WHERE Email = 'x'",
        "SELECT Id, (SELECT Email FROM Contacts) FROM Account",
        "SELECT MAX(Email) FROM Contact",
    ):
        status, code, message = theirs.error(soql)
        assert (status, code, "No such column 'Email' on entity 'Contact'" in message) == (
            400,
            "INVALID_FIELD",
            True,
        )
    refused = json.loads(theirs.job("SELECT Email FROM Contact").data)[0]
    assert refused["errorCode"] == "INVALID_FIELD"
    contact = mine.control.ids("Contact")[0]
    assert "Email" in mine.get(f"/sobjects/Contact/{contact}")
    assert "Email" not in theirs.get(f"/sobjects/Contact/{contact}")


def test_a_job_sees_what_its_creator_sees(two: tuple[Client, Client]) -> None:
    mine, theirs = two
    job = mine.job_id("SELECT Id, Email FROM Contact")
    reply = theirs.send("GET", f"/jobs/query/{job}/results")
    assert reply.data.startswith(b'"Id","Email"')


def test_it_can_be_given_back(two: tuple[Client, Client]) -> None:
    mine, theirs = two
    other = mine.control.ids("User")[1]
    mine.control.hide_field("Contact", "Email", hidden=False, user=other)
    assert names(mine) == names(theirs)
