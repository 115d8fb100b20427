"""What CommCare's answer to a document means for the record."""

from __future__ import annotations

import pytest

from sf_sync.commcare.session import Answer
from sf_sync.delivery.destination import Write
from sf_sync.delivery.destinations.commcare_answers import failure_of
from sf_sync.delivery.failures import Failure
from sf_sync_tests.unit.delivery.callouts import SAMPLES

RESPONSES = SAMPLES / "responses"
WRITE = Write(0, "upsert", "participant", {"case_id": "c1"}, {"First_Name": "Arabica"}, {}, "j1")


def judged(status: int, body: bytes | str) -> Failure | None:
    return failure_of(Answer(status, {}, body.encode() if isinstance(body, str) else body), WRITE)


def said(nature: str, text: str = "") -> str:
    return f"<OpenRosaResponse><message nature='{nature}'>{text}</message></OpenRosaResponse>"


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("201_submit_success.xml", None, None),
        ("201_no_namespace.xml", None, None),
        ("201_submit_error.xml", "dependency", "SUBMIT_ERROR"),
        ("201_no_message.xml", "transient", "HTTP_201"),
        ("422_processing_failure.xml", "dependency", "PROCESSING_FAILURE"),
        ("422_post_processing_failure.xml", "transient", "POST_PROCESSING_FAILURE"),
        ("500_submit_error.xml", "transient", "SUBMIT_ERROR"),
        ("503_not_xml.txt", "transient", "HTTP_503"),
    ],
)
def test_every_sample_answer_is_judged(name: str, kind: str | None, code: str | None) -> None:
    failure = judged(int(name[:3]), (RESPONSES / name).read_bytes())

    assert (failure and failure.kind, failure and failure.code) == (kind, code)


def test_every_sample_answer_is_in_the_table() -> None:
    assert len(list(RESPONSES.iterdir())) == 8


@pytest.mark.parametrize("status", [200, 202, 204, 500])
def test_success_is_201_only(status: int) -> None:
    assert judged(status, said("submit_success")) is not None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (201, said("submit_error", "InvalidCaseIndex: Case 'a' references deleted case 'b'"), "dependency"),
        (201, said("submit_error", "The case property is not allowed"), "permanent"),
        (422, said("processing_failure", "CaseNotFound: b"), "dependency"),
        (422, said("processing_failure", "Case block has no case id"), "permanent"),
        (422, "", "permanent"),
        (400, "There is no part named xml_submission_file", "permanent"),
        (404, "", "permanent"),
        (413, "", "permanent"),
        (408, "", "transient"),
        (429, "", "transient"),
        (500, "", "transient"),
        (502, "<html>", "transient"),
        (509, "", "transient"),
        (201, "\x00", "transient"),
        (201, "<!DOCTYPE a [<!ENTITY b 'c'>]><message nature='submit_success'/>", "transient"),
    ],
)
def test_other_answers_are_judged_by_status_and_words(status: int, body: str, kind: str) -> None:
    failure = judged(status, body)

    assert failure is not None
    assert failure.kind == kind


def test_what_was_sent_is_not_repeated_in_a_failure() -> None:
    failure = judged(422, said("processing_failure", "can't read Arabica of case c1"))

    assert failure is not None
    assert failure.message == "CommCare answered 422, processing_failure: can't read … of case c1"
