"""Weaknesses of the platform that sf_sync replaces for PIMA's forms, each with the tests that show it is gone.

They are numbered as in the analysis of that platform. This file only shows that each is answered by tests that are
there; the proof is in them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

KILLS = "integration/delivery/test_kills.py"
FAILURES = "integration/delivery/test_failures.py"
REPEATS = "integration/delivery/test_repeats.py"
REDELIVERY = "integration/delivery/test_redelivery.py"
SAMPLES = "integration/delivery/test_samples.py"
BODIES = "integration/web/test_bodies.py"
OUTAGES = "integration/web/test_outages.py"
AUTHENTICATION = "integration/web/test_authentication.py"
DELIVERING = "integration/web/operations/test_delivering.py"
LOOKING = "integration/web/operations/test_looking.py"
ROLES = "integration/web/operations/test_roles.py"
MILLS = "integration/delivery/test_wet_mills.py"
CALLOUTS = "integration/delivery/test_callouts.py"
DOCUMENTS = "unit/delivery/test_commcare_documents.py"
ORGANISATION = "unit/delivery/test_organisation.py"

# What it was, and the tests by file (below sf_sync_tests) and name.
WEAKNESSES: Mapping[int, tuple[str, Sequence[str]]] = {
    1: (
        "Overlapping runs claim the same document",
        [
            f"{KILLS}::test_a_lane_is_claimed_by_one_worker_and_again_when_its_lease_has_run_out",
            f"{KILLS}::test_two_workers_never_hold_one_target",
            "integration/delivery/test_side_by_side.py::"
            "test_workers_and_senders_side_by_side_lose_nothing_and_keep_the_order",
        ],
    ),
    2: (
        "A crash leaves documents in processing for ever",
        [
            f"{KILLS}::test_a_worker_that_ends_after_any_write_loses_nothing_and_repeats_one_request_at_most",
            f"{SAMPLES}::test_a_worker_that_ends_at_any_moment_changes_nothing_in_the_end",
            "proof/test_delivery_kills.py::"
            "test_twenty_kills_while_two_workers_deliver_leave_every_record_once",
        ],
    ),
    3: (
        "Every repeat of a submission is a new document",
        [
            f"{BODIES}::test_a_repeated_form_gets_the_first_receipt",
            f"{BODIES}::test_the_same_form_from_many_senders_at_once_is_kept_once",
            f"{REPEATS}::test_a_form_that_arrives_twice_gets_its_first_receipt_and_is_delivered_once",
            "integration/delivery/test_importing.py::test_repeats_in_the_file_are_one_record",
        ],
    ),
    4: (
        "Edits run before registrations, older versions after newer ones",
        [
            "integration/delivery/test_order.py::"
            "test_forms_in_any_order_by_two_workers_end_as_their_events_say",
            f"{REPEATS}::test_an_older_version_that_arrives_late_changes_nothing",
            f"{REPEATS}::test_an_older_event_only_fills_what_no_newer_one_has_written",
            f"{SAMPLES}::test_an_edit_that_overtakes_its_registration_is_applied_as_soon_as_that_has_come",
        ],
    ),
    5: (
        "A manual retry races with the scheduler",
        [
            f"{DELIVERING}::test_one_delivery_at_a_time_and_the_intake_is_not_held_up",
            f"{DELIVERING}::test_another_process_may_deliver_what_is_waited_for",
            f"{KILLS}::test_two_workers_never_hold_one_target",
        ],
    ),
    6: (
        "Work done but status wrong, because a status write failed",
        [
            f"{KILLS}::test_a_worker_that_ends_after_any_write_loses_nothing_and_repeats_one_request_at_most",
            f"{KILLS}::test_a_worker_goes_on_with_a_new_session_when_the_database_drops_its_own",
            f"{FAILURES}::test_a_lost_answer_is_settled_by_sending_the_same_again",
        ],
    ),
    7: (
        "A document that matches no branch inherits the result of the one before",
        [
            f"{REPEATS}::test_records_without_a_route_or_without_json_are_kept_as_ignored",
            f"{FAILURES}::test_the_org_refuses_one_record_for_good_and_takes_the_others",
            f"{FAILURES}::test_a_mistake_in_the_destination_costs_one_record_and_not_the_batch",
        ],
    ),
    8: (
        "No usable trail: errors outlive success, nothing says when what changed",
        [
            f"{REDELIVERY}::test_a_record_tells_everything_that_became_of_it",
            f"{OUTAGES}::test_the_receipt_is_in_every_line_from_the_intake_to_the_last_operation",
        ],
    ),
    9: (
        "No dead-letter state; permanent errors are retried like passing ones",
        [
            f"{FAILURES}::test_the_org_refuses_one_record_for_good_and_takes_the_others",
            f"{FAILURES}::test_after_a_day_a_failure_is_dead_and_the_rest_goes_on_after_a_gap",
            f"{KILLS}::test_a_record_at_which_workers_end_again_and_again_is_dead_in_the_end_and_alone",
            "integration/form_assets/test_form_checks.py::test_checks_name_the_dead_and_the_late",
        ],
    ),
    10: (
        "A late failure leaves half a visit, and a retry repeats everything",
        [
            f"{FAILURES}::test_a_retry_goes_on_at_the_operation_that_failed",
            f"{REDELIVERY}::test_a_dead_record_is_repaired_by_carrying_out_the_rest_of_its_plan",
            "integration/delivery/test_cost.py::"
            "test_200_attendance_forms_cost_a_twentieth_of_the_calls_of_one_by_one",
        ],
    ),
    11: (
        "Swallowed errors: completed, with data missing",
        [
            f"{FAILURES}::test_a_failed_parent_takes_only_the_children_of_its_own_form_along",
            f"{FAILURES}::test_an_update_never_creates_and_waits_for_its_record",
            "integration/delivery/test_salesforce_destination.py::"
            "test_every_write_gets_exactly_one_outcome_whatever_goes_wrong",
        ],
    ),
    12: (
        "Nameless parents made by upserts that miss; ids `None` and empty keys",
        [
            "unit/delivery/test_pima_samples.py::test_parents_that_salesforce_owns_are_never_created",
            "unit/delivery/test_pima_samples.py::test_missing_keys_refuse_the_record_and_are_all_named",
            f"{FAILURES}::test_a_record_waits_for_its_parent_and_is_delivered_once_that_is_there",
            f"{DOCUMENTS}::test_null_is_empty_and_never_the_word_none",
        ],
    ),
    13: (
        "Blank answers make junk rows, folder links and empty numbers",
        [
            "unit/delivery/test_pima_best_practice_results.py::test_no_answer_makes_no_record",
            "unit/delivery/test_pima_training_observation.py::test_photos_become_links_or_null",
            "unit/delivery/test_pima_farm_visit.py::"
            "test_a_visit_with_every_other_answer_blank_is_a_visit_without_results",
            f"{SAMPLES}::test_a_sample_becomes_exactly_its_expected_result",
        ],
    ),
    14: (
        "Children of an earlier version stay after an edit",
        [
            f"{SAMPLES}::test_an_edited_form_leaves_what_its_newer_version_says",
            f"{SAMPLES}::test_a_resubmitted_attendance_takes_back_those_who_were_taken_out",
            f"{REPEATS}::test_an_edit_takes_back_what_a_version_wrote_that_failed_half_way",
        ],
    ),
    15: (
        "One status for many records of a callout, and all sent again",
        [
            f"{CALLOUTS}::test_of_three_records_one_fails_and_a_retry_sends_that_one",
            f"{CALLOUTS}::test_a_record_that_cannot_be_planned_fails_alone_and_for_good",
            f"{CALLOUTS}::test_the_same_payload_twice_is_one_form",
        ],
    ),
    16: (
        "A callout without its records counts as a success",
        [
            f"{CALLOUTS}::test_a_payload_that_lacks_its_foundation_is_dead_with_nothing_sent",
            f"{DOCUMENTS}::test_a_payload_without_its_records_is_refused",
        ],
    ),
    17: (
        "Wet-mill visits without transaction or session given back, users overwritten with null",
        [
            f"{MILLS}::test_a_form_that_postgresql_refuses_leaves_nothing_while_the_others_land",
            f"{MILLS}::test_a_worker_that_ends_at_any_statement_leaves_whole_forms_and_finishes_them_later",
            f"{MILLS}::test_a_worker_goes_on_with_a_new_session_when_its_own_is_cut_in_the_middle_of_a_form",
            f"{MILLS}::TestTheUserOfAMill::test_stays_as_it_is_where_the_org_can_not_be_asked",
            "unit/delivery/test_mapping_bounds.py::"
            "test_planning_leaves_the_record_as_it_is_and_gives_the_same_plan_again",
        ],
    ),
    18: (
        "GET changes things, and reports success whatever came of it",
        [
            f"{ROLES}::test_nothing_is_changed_but_by_post",
            f"{DELIVERING}::test_a_retry_that_fails_says_so_and_why",
            f"{DELIVERING}::test_a_retry_that_nobody_carries_out_says_that_it_waits",
        ],
    ),
    19: (
        "No authentication",
        [
            f"{AUTHENTICATION}::test_an_unknown_sender_is_refused_and_nothing_is_kept",
            f"{AUTHENTICATION}::test_others_are_served_only_with_keys",
            f"{ROLES}::test_nothing_is_told_or_done_without_an_operators_key",
        ],
    ),
    20: (
        "Personal data in logs, errors and lists of failures",
        [
            f"{FAILURES}::test_no_message_repeats_a_value_of_the_record",
            f"{OUTAGES}::test_the_receipt_is_in_the_log_and_the_form_is_not",
            f"{LOOKING}::test_failed_records_come_by_the_page",
            f"{ROLES}::test_logs_hold_who_asked_for_what_and_no_secret_and_no_person",
        ],
    ),
    # That nobody ever commits a secret is no matter of a test; these show that none is written anywhere by the project
    # itself, and that the repository holds no file in which one is kept.
    21: (
        "Secrets in the repository's history and in an example",
        [
            "integration/test_secrets.py::test_no_secret_reaches_output_logs_tables_files_or_the_ui",
            "unit/test_settings.py::test_secrets_are_never_printed",
            f"{ORGANISATION}::test_no_file_of_the_project_holds_a_password_or_a_private_key",
        ],
    ),
    22: (
        "Injection into queries, addresses and XML; a debug server for everyone",
        [
            f"{DOCUMENTS}::test_markup_stays_text",
            "integration/delivery/test_hostile_keys.py::test_a_key_of_any_text_reaches_only_its_own_record",
            f"{MILLS}::TestTheUserOfAMill::test_is_nobody_where_there_is_no_such_role",
            f"{CALLOUTS}::test_markup_arrives_as_text",
            f"{ROLES}::test_no_id_gets_further_than_a_comparison",
            f"{AUTHENTICATION}::test_others_are_served_only_with_keys",
        ],
    ),
    23: (
        "Identifiers of one organisation scattered in code",
        [f"{ORGANISATION}::test_identifiers_of_an_organisation_are_in_constants_alone"],
    ),
    24: (
        "One sign-in at import; without it the process serves with nothing until a restart",
        [
            f"{DELIVERING}::test_a_failed_session_is_opened_anew_for_the_next_request",
            f"{FAILURES}::test_an_org_that_is_down_costs_no_record_a_try",
            "integration/test_sign_in.py::test_an_expired_session_is_renewed_once_for_many_threads",
        ],
    ),
    # The local org gets everything that a real one would: the samples' attendance is delivered to it.
    25: (
        "Behaviour that depends on the environment: no attendance in a sandbox",
        [
            f"{SAMPLES}::test_a_sample_becomes_exactly_its_expected_result",
            f"{ORGANISATION}::test_only_settings_read_the_environment",
        ],
    ),
    26: (
        "One slow call blocks the server",
        [
            f"{DELIVERING}::test_one_delivery_at_a_time_and_the_intake_is_not_held_up",
            f"{OUTAGES}::test_what_waits_for_a_database_that_hangs_is_bounded_and_kept",
        ],
    ),
    27: (
        "Payloads above 1 MiB are refused and lost",
        [
            f"{BODIES}::test_a_form_larger_than_a_mebibyte_is_kept_whole",
            f"{BODIES}::test_of_a_body_that_is_too_large_the_beginning_is_kept",
        ],
    ),
    28: (
        "A ceiling of 120 documents an hour, and nobody is told what waits",
        [
            "integration/delivery/test_cost.py::"
            "test_forms_are_delivered_twenty_times_as_fast_as_one_by_one_where_a_call_takes_100_ms",
            "integration/web/test_figures.py::test_ready_says_what_waits",
            "integration/web/test_limits.py::test_too_many_requests_at_once_are_told_to_come_again",
        ],
    ),
}


@pytest.mark.parametrize("number", range(1, 29))
def test_every_weakness_is_answered_by_tests_that_are_there(number: int) -> None:
    _, tests = WEAKNESSES[number]

    assert tests
    assert [one for one in tests if one.partition("::")[2] not in names(one.partition("::")[0])] == []


def test_nothing_else_is_listed() -> None:
    assert list(WEAKNESSES) == list(range(1, 29))


@cache
def names(file: str) -> frozenset[str]:
    """The tests of a file, read without running it; those of a class as `Class::test`."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    classes = [
        ("", tree.body),
        *((f"{one.name}::", one.body) for one in tree.body if isinstance(one, ast.ClassDef)),
    ]
    return frozenset(
        f"{prefix}{one.name}"
        for prefix, body in classes
        for one in body
        if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")
    )
