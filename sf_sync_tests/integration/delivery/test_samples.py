"""Every sample form, in every way it may come: by HTTP into the inbox, by a worker to the org or our own tables.

What became of it is read back from both: from the org by REST, from PostgreSQL by SQL.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import psycopg
import pytest

from sf_sync.delivery.destination import Destination, TransactionalDestination
from sf_sync.delivery.destinations.salesforce import SalesforceDestination
from sf_sync.delivery.mapping.plan import Plan
from sf_sync.delivery.mapping.routing import Registry
from sf_sync.delivery.mapping.values import Schema
from sf_sync.delivery.sources import COMMCARE
from sf_sync.delivery.worker import Worker, drain
from sf_sync.pima.assembly import wet_mills
from sf_sync.pima.folders import load_registry
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION
from sf_sync.store.database import Database
from sf_sync_tests.conftest import QUICK, settings_for
from sf_sync_tests.integration.delivery.conftest import POLICY, Deliveries
from sf_sync_tests.integration.delivery.killing import Countdown, DyingDatabase, Killed
from sf_sync_tests.integration.delivery.mills import Rows, add_user, stored_rows
from sf_sync_tests.integration.delivery.org_state import OrgState
from sf_sync_tests.integration.web.conftest import inbox as inbox
from sf_sync_tests.integration.web.serving import Intake, serving
from sf_sync_tests.unit.delivery.samples import (
    EXPECTED,
    answered,
    expected,
    expected_rows,
    plan_of,
    rows,
    sample,
    writes,
)

EROSION = "form.best_practice_questions.erosion_control.methods_of_erosion_control"
PARTICIPANTS = "form.present_participants"
# Answers with which a form has fewer children than its sample.
FEWER: Mapping[str, Mapping[str, object]] = {
    "attendance_full": {PARTICIPANTS: "39d32118-c3b9-54e2-948f-ca5833db4f1f"},
    "edge_04_duplicates_in_selection": {PARTICIPANTS: ""},
    "edge_07_resubmission_same_id": {PARTICIPANTS: "e161e4b3-07eb-5458-8c92-a8e424eb2ed8"},
    "demo_plot_observation": {"form.best_practice_questions.pruning.pruning_methods": "1 3"},
    "training_observation": {"form.Participant_Three_Feedback": ""},
    "edge_02_bad_gps": {"form.Participant_Three_Feedback": ""},
    "farm_visit_aa": {EROSION: "3"},
    "farm_visit_full": {EROSION: "3"},
    "farm_visit_full__et": {EROSION: "3"},
    "farm_visit_full__bu": {"form.compost.do_you_have_compost_manure": "1"},
    "field_day_attendance_full": {"form.barrios_repeat_group.item": ""},
    "wet_mill_visit": {
        "form.surveys.kpis": "",
        "form.surveys.manager_needs_assessment.business_and_operations.documents": "1",
    },
    "edge_14_wet_mill_visit_type_inference": {"form.surveys.cherry_weekly_price": ""},
}
# What a sample needs to have come first.
BEFORE = {
    "edit_farmer_details": "farmer_registration",
    "wet_mill_visit": "wet_mill_registration_form",
    "edge_14_wet_mill_visit_type_inference": "wet_mill_registration_form",
}
ONE_OF_EACH_MAPPING = [
    pytest.param("attendance_full"),
    *(
        pytest.param(name, marks=pytest.mark.proof)
        for name in (
            "attendance_light",
            "demo_plot_observation",
            "edit_farmer_details",
            "farm_visit_aa",
            "farmer_registration",
            "field_day_attendance_full",
            "field_day_farmer_registration",
            "training_observation",
        )
    ),
]
# What a worker ends at, and how often that is there at least. Rows go to the database alone.
CRASHES = [
    *(
        pytest.param(*one.values, crash, least, marks=one.marks)
        for one in ONE_OF_EACH_MAPPING
        for crash, least in (("request", 2), ("database write", 12))
    ),
    ("wet_mill_registration_form", "database write", 8),
    pytest.param("wet_mill_visit", "database write", 8, marks=pytest.mark.proof),
]


@dataclass
class Path:
    """The whole path of a form, with everything in it real."""

    intake: Intake
    forms: Deliveries
    org: OrgState
    session: OrgSession
    rows_before: Rows = field(default_factory=dict)

    def send(self, *documents: Mapping[str, Any], status: int = 200) -> None:
        for document in documents:
            answer = self.intake.form(document)
            assert answer.status_code == status, answer.text

    def deliver(self) -> None:
        """Deliver, also what a worker that has ended left behind."""
        self.forms.later()
        drain(self.forms.worker)

    def start(self, name: str) -> None:
        """An empty inbox, and an org and tables that have what a sample needs."""
        self.forms.db.execute(
            "truncate delivery.inbox, delivery.lanes, delivery.applied, pima.wetmills cascade"
        )
        self.org.start_over()
        if name in BEFORE:
            self.start("")
            self.send(sample(BEFORE[name]))
            self.deliver()
            self.forms.db.execute("truncate delivery.inbox, delivery.lanes, delivery.applied cascade")
            self.org.keep()
        self.rows_before = stored_rows(self.forms.db)

    def begin_again(self) -> None:
        """As if the forms had just arrived."""
        self.forms.db.execute("truncate delivery.deliveries, delivery.lanes, delivery.applied cascade")
        self.forms.db.execute("update delivery.inbox set state = 'new', reason = null, planned_at = null")
        self.org.reset()
        self.forms.db.execute("delete from pima.form_visits")
        mills = [key for table, key in self.rows_before if table == "wetmills"]
        self.forms.db.execute("delete from pima.wetmills where commcare_case_id <> all(%s)", [mills])

    def differs_from(
        self,
        writes: Sequence[Mapping[str, Any]] = (),
        gone: Sequence[Mapping[str, Any]] = (),
        rows: Rows | None = None,
    ) -> list[str]:
        """How org and tables differ from those in which exactly this was written since the start."""
        found, wanted = stored_rows(self.forms.db), {**self.rows_before, **(rows or {})}
        return [
            *self.org.differs_from(writes, gone),
            *(f"{key} is {found.get(key)}" for key in sorted(wanted) if found.get(key) != wanted[key]),
            *(f"{key} was written" for key in sorted(found.keys() - wanted.keys())),
        ]

    def differs_from_expected(self, name: str) -> list[str]:
        """How they differ from what the sample is to become."""
        said = expected(name)
        return self.differs_from(said.get("salesforce", ()), rows=expected_rows(name))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(COMMCARE.name)


@pytest.fixture(scope="module")
def everything(inbox: Database) -> Iterator[Path]:
    """One org, database, intake and worker for the module."""
    with (
        LocalOrg(pima=True) as org,
        open_session(settings_for(org, inbox), retries=QUICK, purpose="delivery") as session,
        serving(inbox) as url,
        psycopg.connect(inbox.url.libpq, autocommit=True) as db,
    ):
        state = OrgState(org, session)
        rows = wet_mills(session)
        destinations: dict[str, Destination | TransactionalDestination] = {
            "salesforce": SalesforceDestination(session, schema=state.schema, first_wait_s=0.001),
            "postgres": rows,
        }
        schemas: dict[str, Schema] = {"salesforce": state.schema, "postgres": rows.schema}
        routers = {COMMCARE.name: load_registry(COMMCARE.name, schemas)}
        worker = Worker(inbox, CONNECTION, routers, destinations, POLICY)
        add_user(db)
        yield Path(Intake(url, db), Deliveries(worker, db), state, session)


@pytest.fixture
def path(everything: Path, request: pytest.FixtureRequest) -> Path:
    """The module's path, with nothing in it but what the test's sample needs."""
    parameters = getattr(getattr(request.node, "callspec", None), "params", {})
    everything.start(parameters.get("name", ""))
    return everything


def edited(name: str) -> dict[str, Any]:
    """A newer version of a sample."""
    return answered(name, {**FEWER.get(name, {}), "server_modified_on": "2026-01-01T00:00:00.000000Z"})


def test_what_is_to_be_fewer_is_fewer(registry: Registry) -> None:
    for name in FEWER:
        assert len(plan_of(registry, edited(name)).operations) < len(
            plan_of(registry, sample(name)).operations
        )


def once(path: Path, name: str) -> None:
    path.send(sample(name))
    drain(path.forms.worker)


def twice(path: Path, name: str) -> None:
    path.send(sample(name), sample(name))
    path.deliver()
    path.send(sample(name))
    path.deliver()
    assert path.intake.count() == 1


def delivered_again(path: Path, name: str) -> None:
    path.send(sample(name))
    path.deliver()
    path.forms.db.execute("update delivery.inbox set state = 'new'")
    path.deliver()


@pytest.mark.parametrize("way", [once, twice, pytest.param(delivered_again, marks=pytest.mark.proof)])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_becomes_exactly_its_expected_result(
    path: Path, name: str, way: Callable[[Path, str], None]
) -> None:
    way(path, name)

    assert set(path.forms.statuses().values()) == {"completed"}, path.forms.errors()
    assert path.differs_from_expected(name) == []


@pytest.mark.parametrize(
    "newer_first",
    [pytest.param(False, id="in order", marks=pytest.mark.proof), pytest.param(True, id="out of order")],
)
@pytest.mark.parametrize("name", EXPECTED)
def test_an_edited_form_leaves_what_its_newer_version_says(
    path: Path, registry: Registry, name: str, newer_first: bool
) -> None:
    older, newer = sample(name), edited(name)
    for document in (newer, older) if newer_first else (older, newer):
        path.send(document)
        path.deliver()

    assert set(path.forms.statuses().values()) == {"completed"}, path.forms.errors()
    plan = plan_of(registry, newer)
    if plan.destination == "postgres":
        assert path.differs_from(rows=rows(plan)) == []
    else:
        assert path.differs_from(*left_of(plan_of(registry, older), plan, newer_first)) == []


def left_of(older: Plan, newer: Plan, newer_first: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The writes of the newer version with those that neutralise the older one's children; and keys that are gone."""
    kept = {one.target for one in newer.operations}
    rules = {rule.step: rule for rule in newer.stale}
    stale = [one for one in older.operations if one.target not in kept and one.step in rules]
    gone = [{"object": one.object, "key": one.key} for one in stale if rules[one.step].action == "delete"]
    if newer_first:  # nothing of the older one was ever written
        return writes(newer), []
    neutral = [one for one in writes(older) if any(matches(one, other) for other in stale)]
    left = [
        {**write, "fields": {**write["fields"], **rules[one.step].fields}}
        for one in stale
        if rules[one.step].action == "set"
        for write in neutral
        if matches(write, one)
    ]
    # What only the older version wrote into records that the newer one writes too, or into its parents, stays.
    others = [one for one in writes(older) if one not in neutral]
    return [*others, *writes(newer), *left], gone


def matches(write: Mapping[str, Any], operation: Any) -> bool:
    return bool(write["object"] == operation.object and write["key"] == dict(operation.key))


@pytest.mark.parametrize(
    ("name", "http", "status"),
    [
        ("edge_01_missing_keys", 200, "dead"),
        ("edge_09_empty_strings", 200, "dead"),
        ("edge_05_unknown_form", 200, None),
        ("edge_11_no_form_name", 422, None),
    ],
)
def test_a_form_of_which_nothing_can_be_made_writes_nothing(
    path: Path, name: str, http: int, status: str | None
) -> None:
    path.send(sample(name), status=http)
    path.deliver()

    assert list(path.forms.statuses().values()) == ([status] if status else [])
    assert path.differs_from() == []


def test_a_visit_waits_until_its_mill_is_registered(path: Path, registry: Registry) -> None:
    visit = sample("edge_13_wet_mill_visit_for_unknown_mill")
    case = visit["form"]["case"]["@case_id"]
    registration = answered("wet_mill_registration_form", {"form.subcase_0.case.@case_id": case})
    path.send(visit)
    drain(path.forms.worker)
    assert path.forms.statuses() == {visit["id"]: "failed"}
    assert path.forms.errors() == {visit["id"]: ("dependency", "NO_MATCH")}
    assert path.differs_from() == []
    path.send(registration)
    drain(path.forms.worker)

    assert path.forms.statuses() == {visit["id"]: "completed", registration["id"]: "completed"}
    both = {**rows(plan_of(registry, registration)), **rows(plan_of(registry, visit))}
    assert path.differs_from(rows=both) == []


def test_an_edit_that_overtakes_its_registration_is_applied_as_soon_as_that_has_come(
    path: Path, registry: Registry
) -> None:
    edit, registration = (
        sample("edge_06a_update_arrives_before_registration"),
        sample("edge_06b_registration_arrives_late"),
    )
    path.send(edit)
    drain(path.forms.worker)
    assert path.forms.statuses() == {edit["id"]: "failed"}
    path.send(registration)
    drain(path.forms.worker)

    assert path.forms.statuses() == {edit["id"]: "completed", registration["id"]: "completed"}
    in_order = [*writes(plan_of(registry, registration)), *writes(plan_of(registry, edit))]
    assert path.org.differs_from(in_order) == []


def test_a_resubmitted_attendance_takes_back_those_who_were_taken_out(path: Path) -> None:
    path.send(sample("attendance_full"))
    path.deliver()
    path.send(sample("edge_07_resubmission_same_id"))
    path.deliver()

    now = expected("edge_07_resubmission_same_id")["salesforce"]
    keys = [one["key"] for one in now]
    absent = copy.deepcopy(
        [one for one in expected("attendance_full")["salesforce"] if one["key"] not in keys]
    )
    for one in absent:
        one["fields"]["Status__c"] = "Absent"
    assert len(absent) == 2
    assert path.org.differs_from([*now, *absent]) == []


def drain_until(path: Path, monkeypatch: pytest.MonkeyPatch, crash: str, moment: int) -> bool:
    """Deliver with a worker that ends at a moment, counted in steps of a kind; whether it came to its own end."""
    countdown, send = Countdown(moment), path.session.send

    def dying_send(*given: Any, **more: Any) -> Any:
        countdown.step()
        answer = send(*given, **more)
        countdown.step()
        return answer

    worker = path.forms.worker
    with monkeypatch.context() as patched:
        if crash == "database write":
            worker = replace(worker, database=cast("Database", DyingDatabase(worker.database, countdown)))
        else:
            patched.setattr(path.session, "send", dying_send)
        try:
            drain(worker)
        except Killed:
            return False
    return True


@pytest.mark.parametrize(("name", "crash", "least"), CRASHES)
def test_a_worker_that_ends_at_any_moment_changes_nothing_in_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, crash: str, least: int
) -> None:
    path.send(sample(name))
    moment = 0
    while not drain_until(path, monkeypatch, crash, moment):
        path.deliver()
        assert set(path.forms.statuses().values()) == {"completed"}, (moment, path.forms.errors())
        assert path.differs_from_expected(name) == [], moment
        path.begin_again()
        moment += 1
    assert moment >= least


@pytest.mark.parametrize("crash", ["request", pytest.param("database write", marks=pytest.mark.proof)])
def test_workers_that_end_while_they_take_children_back_take_them_back_in_the_end(
    path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    older, newer = sample("attendance_full"), edited("attendance_full")
    path.send(older)
    path.deliver()
    path.send(newer)
    moment = 0
    while not drain_until(path, monkeypatch, crash, moment):
        path.forms.later()
        moment += 1

    assert moment > 2
    assert path.forms.statuses() == {older["id"]: "completed"}
    left, gone = left_of(plan_of(registry, older), plan_of(registry, newer), newer_first=False)
    assert path.org.differs_from(left, gone) == []
