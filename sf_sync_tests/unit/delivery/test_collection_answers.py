"""Answers of collections are matched by position, and checked before they are believed."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
import requests

from sf_sync.salesforce import collections
from sf_sync.salesforce.collections import AnswerUnclear, RowError, RowResult
from sf_sync.salesforce.errors import PermanentError
from sf_sync.salesforce.session import OrgSession

A, B = "003DM0000001A01AA2", "003DM0000001F01AA2"


class Answering:
    """A session that gives one answer."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def path(self, below: str) -> str:
        return below

    def send(self, *_: object, **__: object) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        response._content = (
            self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        )
        return response


def upsert(answer: object, count: int = 2) -> list[RowResult]:
    session = cast("OrgSession", Answering(answer))
    return collections.upsert(session, "Contact", "Key__c", [{"Key__c": str(n)} for n in range(count)])


def ok(record_id: str, **more: Any) -> dict[str, Any]:
    return {"id": record_id, "success": True, "errors": [], **more}


def test_results_come_in_the_order_of_the_records() -> None:
    failed = {"success": False, "errors": [{"statusCode": "X", "message": "no", "fields": ["F"]}]}

    assert upsert([ok(A, created=True), failed]) == [
        RowResult(A, True, ()),
        RowResult(None, None, (RowError("X", "no", ("F",)),)),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        [ok(A)],
        [ok(A), ok(A)],
        [ok(A), {"success": False, "errors": []}],
        [ok(A), {"id": B}],
        {"message": "hello"},
        b"<html>",
        None,
    ],
)
def test_an_answer_that_leaves_a_record_open_is_unclear(answer: object) -> None:
    with pytest.raises(AnswerUnclear):
        upsert(answer)


def test_an_update_that_answers_for_another_record_is_not_believed() -> None:
    session = cast("OrgSession", Answering([ok(B), ok(A)]))

    with pytest.raises(PermanentError, match="in the place of"):
        collections.update(session, "Contact", [{"id": A}, {"id": B}])


def test_ids_of_15_characters_are_the_same_ids() -> None:
    session = cast("OrgSession", Answering([ok(A)]))

    assert collections.update(session, "Contact", [{"id": A[:15]}])[0].id == A


def test_no_more_than_200_records_go_at_once() -> None:
    with pytest.raises(ValueError, match="200"):
        upsert([], count=201)
