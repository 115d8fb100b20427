"""The steps of the demo: servers, org, a run of Dagster, the comparison, the UI."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sf_sync import dbt
from sf_sync.catalog.definition import ObjectDefinition, load_catalog
from sf_sync.demo import databases, environment, servers, ui
from sf_sync.demo.children import Child
from sf_sync.demo.errors import DemoError
from sf_sync.demo.folder import DemoFolder
from sf_sync.demo.programme import start as start_programme
from sf_sync.demo.screen import Comparison, Screen
from sf_sync.demo.signals import Signals
from sf_sync.mirror.days import oldest_day
from sf_sync.salesforce import rest
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import Settings
from sf_sync.store.database import open_database

CHANGES_PER_SECOND = 0.2
POLL_S = 0.2


class Demo:
    """One demo. Whatever it starts is stopped by the stack, in reverse order."""

    def __init__(
        self,
        settings: Settings,
        screen: Screen,
        signals: Signals,
        stack: ExitStack,
        *,
        contacts: int,
        days: int,
    ) -> None:
        """Take the folder. Raises DemoError where another demo has it, or its data were made with other numbers."""
        self._settings = settings
        self._screen = screen
        self._signals = signals
        self._stack = stack
        self._folder = DemoFolder(settings.state_dir)
        self._lock = stack.enter_context(self._folder.hold())
        self._plan = self._folder.plan(contacts, days)
        self._definitions = list(load_catalog(pima=True).values())
        self._folder.require_kept_changes()

    def start(self) -> None:
        """Start PostgreSQL and the org, and make what they need."""
        screen, plan = self._screen, self._plan
        screen.say(
            f"A local Salesforce org with {plan.contacts:,} contacts and what belongs to them; "
            f"everything is in {self._folder.path}"
        )
        if self._settings.database_url is not None:
            screen.say(
                "DATABASE_URL is set: the demo leaves that database alone and uses the embedded server"
            )
        with screen.step("PostgreSQL") as step, self._signals.held():
            self._org_process = servers.start_org(self._folder, plan, environment.base(), self._lock)
            self._stack.callback(self._org_process.stop)
            self._server = servers.start_postgres(self._settings, self._folder)
            self._stack.callback(servers.stop_postgres, self._settings, self._folder)
            step.text = f"PostgreSQL listens on 127.0.0.1:{self._server.port}"
        with screen.step("local org") as step:
            self._org = servers.wait_for_org(self._folder, self._org_process)
            step.text = f"The local org listens on {self._org.url}"
        if not dbt.manifest_is_current():
            with screen.step("dbt manifest"):
                dbt.parse_project()

    def compare(self) -> bool:
        """Read the org through Dagster and print the table; whether PostgreSQL holds what the org does."""
        settings = environment.settings_of(self._folder, self._org, self._server.url)
        ours = Settings.model_validate(settings)
        with self._screen.step("tables") as step:
            database = open_database(ours)
            step.text = f"The database {database.url.database} has its tables"
        with open_session(ours) as session:
            today = datetime.now(UTC).date()
            wanted = today - timedelta(days=self._plan.days - 1)
            oldest = [oldest_day(session, one) for one in self._definitions]
            first = min([wanted, *(day for day in oldest if day is not None)])
            ui.prepare_home(self._folder)
            self._environment = environment.for_dagster(self._folder, settings, self._server.url, first)
            in_org = {one.name: _org_rows(session, one) for one in self._definitions}
            mirrored = self._run_dagster(sum(in_org.values()), first, today)
            in_org = {one.name: _org_rows(session, one) for one in self._definitions}
        comparisons = [
            Comparison(
                object=one.name,
                in_org=in_org[one.name],
                in_database=databases.rows(database.url, one.table),
                rows_per_second=int(mirrored[one.name]["window_rows_per_second"]),
                api_calls=int(mirrored[one.name]["window_api_calls"]),
            )
            for one in self._definitions
        ]
        self._screen.table(comparisons)
        return all(comparison.is_equal for comparison in comparisons)

    def stay(self) -> None:
        """Start the UI and stay. Ends by a signal, or by DemoError where a process ends by itself."""
        with self._screen.step("programme") as step:
            with self._signals.held():
                programme = start_programme(self._folder, self._plan, environment.base(), self._lock)
                self._stack.callback(programme.commcare.stop)
                self._environment |= programme.settings
                intake = programme.start_intake(self._environment, self._lock)
                self._stack.callback(intake.stop)
            programme.wait_for(intake)
            step.text = "CommCare, the intake and a worker run"
        with self._screen.step("Dagster UI") as step:
            with self._signals.held():
                dagster, address = ui.start(self._folder, self._environment, self._lock)
                self._stack.callback(dagster.stop)
            ui.wait_for(dagster, address)
            step.text = "The Dagster UI runs"
        self._folder.note_changing()
        self._stack.callback(self._folder.note_kept)
        # What is stopped first is what stands last: nothing may call an org that is gone.
        self._stack.callback(self._org_process.stop)
        self._stack.callback(programme.commcare.stop)
        self._stack.callback(intake.stop)
        servers.let_change(self._org, CHANGES_PER_SECOND)
        socket = self._server.socket_url.with_database(databases.MIRROR)
        programme.play()
        self._screen.say(
            f"\n  Dagster UI   {address}\n  forms        {programme.page}\n"
            f"               sign in as operator  {programme.operator}\n"
            f"               or as admin          {programme.admin}\n"
            f"  local org    {self._org.url}\n  CommCare     {programme.commcare_url}\n"
            f"  PostgreSQL   {socket.libpq}\n"
        )
        self._screen.say(
            "A contact changes in the org every few seconds, and the sensor brings it over; see Automation in the UI.\n"
            "A week of a coffee programme is played: forms arrive, go to the org and PostgreSQL, and farmers become\n"
            "cases in CommCare; see the page of forms. Some go wrong, as in any week.\n"
            "Ctrl-C stops everything; the data stay, and `make clean-demo` deletes them."
        )
        running = (dagster, intake, programme.commcare, self._org_process)
        while True:
            for process in running:
                process.require_running()
            time.sleep(POLL_S)

    def _run_dagster(self, total: int, first: date, last: date) -> dict[str, dict[str, Any]]:
        """Materialize the days and all models in a worker; returns the newest metadata of each object."""
        screen, folder = self._screen, self._folder
        database = self._server.url.with_database(databases.MIRROR)
        folder.results.unlink(missing_ok=True)
        since = databases.now(database)
        names = [one.name for one in self._definitions]
        with screen.step(f"reading {(last - first).days + 1} days of {len(names)} objects") as step:
            command = [sys.executable, "-m", "sf_sync.demo.worker"]
            command += [str(folder.results), str(first), str(last), *names]
            with self._signals.held():
                worker = Child.start(
                    "dagster run", command, folder=folder.path, env=self._environment, lock=self._lock
                )
                self._stack.callback(worker.stop)
            mirrored = self._wait(
                worker, len(names), lambda: step.rows(databases.rows_merged(database, since), total)
            )
            metadata = {name: result["metadata"] for name, result in zip(names, mirrored, strict=True)}
            days = (last - first).days + 1
            step.text = (
                f"{_outcome(metadata.values())}, {days} days of {len(names)} objects in one Dagster run"
            )
        with screen.step("dbt: building the models") as step:
            built = self._wait(worker, None)[len(names) :]
            step.text = f"dbt: {len(built)} models are built, {_checks(built)}"
        return metadata

    def _wait(
        self, worker: Child, number: int | None, show: Callable[[], None] = lambda: None
    ) -> list[dict[str, Any]]:
        """That many results of the worker, or all once it has ended. Raises DemoError where a run failed."""
        while True:
            ended = worker.exit_code is not None  # asked first: the result may come between
            done = self._results()
            if ended or (number is not None and len(done) >= number):
                break
            show()
            time.sleep(POLL_S)
        for result in done:
            if result["error"] is not None:
                raise DemoError(f"{result['asset']}: {result['error']}\n{worker.tail()}")
        if (ended and worker.exit_code != 0) or (number is not None and len(done) < number):
            worker.require_running()
        return done[:number]

    def _results(self) -> list[dict[str, Any]]:
        try:
            lines = self._folder.results.read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("\n")]


def _org_rows(session: OrgSession, definition: ObjectDefinition) -> int:
    """Records in the org, deleted ones included."""
    return sum(
        rest.count(session, source.sobject, "Id != null", operation="queryAll")
        for source in definition.sources
    )


def _outcome(metadata: Iterable[Mapping[str, Any]]) -> str:
    """What became of the rows, without the outcomes that none had."""
    every = list(metadata)
    counts = {
        name: sum(one[f"window_rows_{name}"] for one in every) for name in ("new", "updated", "unchanged")
    }
    parts = [f"{count:,} {name}" for name, count in counts.items() if count]
    read = sum(one["window_rows_read"] for one in every)
    return f"{read:,} rows read" + (f" ({', '.join(parts)})" if parts else "")


def _checks(results: Sequence[Mapping[str, Any]]) -> str:
    said = f"{sum(result['passed_checks'] for result in results)} checks passed"
    failed = [name for result in results for name in result["failed_checks"]]
    return f"{said}, {len(failed)} didn't: {', '.join(failed)}" if failed else said
