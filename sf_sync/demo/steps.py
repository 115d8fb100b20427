"""The steps of the demo: servers, org, a run of Dagster, the comparison, the UI."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sf_sync import dbt
from sf_sync.catalog.definition import ObjectDefinition, find, load_catalog
from sf_sync.demo import databases, environment, servers, ui
from sf_sync.demo.children import Child
from sf_sync.demo.errors import DemoError
from sf_sync.demo.folder import DemoFolder
from sf_sync.demo.screen import Comparison, Screen
from sf_sync.demo.signals import Signals
from sf_sync.mirror.syncing import oldest_day
from sf_sync.salesforce import rest
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession
from sf_sync.settings import Settings
from sf_sync.store.database import open_database

OBJECT = "contacts"
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
        self._definition = find(load_catalog(), OBJECT)

    def start(self) -> None:
        """Start PostgreSQL and the org, and make what they need."""
        screen, plan = self._screen, self._plan
        screen.say(
            f"A local Salesforce org with {plan.contacts:,} contacts; everything is in {self._folder.path}"
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
            first = min(wanted, oldest_day(session, self._definition) or wanted)
            ui.prepare_home(self._folder)
            self._environment = environment.for_dagster(self._folder, settings, self._server.url, first)
            mirrored = self._run_dagster(_org_rows(session, self._definition), first, today)
            in_org = _org_rows(session, self._definition)
        comparison = Comparison(
            object=OBJECT,
            in_org=in_org,
            in_database=databases.rows(database.url, self._definition.table),
            rows_per_second=int(mirrored["window_rows_per_second"]),
            api_calls=int(mirrored["window_api_calls"]),
        )
        self._screen.table([comparison])
        return comparison.is_equal

    def stay(self) -> None:
        """Start the UI and stay. Ends by a signal, or by DemoError where a process ends by itself."""
        with self._screen.step("Dagster UI") as step:
            with self._signals.held():
                dagster, address = ui.start(self._folder, self._environment, self._lock)
                self._stack.callback(dagster.stop)
            ui.wait_for(dagster, address)
            step.text = "The Dagster UI runs"
        socket = self._server.socket_url.with_database(databases.MIRROR)
        self._screen.say(
            f"\n  Dagster UI   {address}\n  local org    {self._org.url}\n  PostgreSQL   {socket.libpq}\n"
        )
        self._screen.say("Ctrl-C stops everything; the data stay, and `make clean-demo` deletes them.")
        while True:
            dagster.require_running()
            self._org_process.require_running()
            time.sleep(POLL_S)

    def _run_dagster(self, total: int, first: date, last: date) -> dict[str, Any]:
        """Materialize the days and the model in a worker; returns the metadata of the mirror's newest partition."""
        screen, folder = self._screen, self._folder
        database = self._server.url.with_database(databases.MIRROR)
        folder.results.unlink(missing_ok=True)
        since = databases.now(database)
        with screen.step(f"{OBJECT}: reading {(last - first).days + 1} days") as step:
            command = [
                sys.executable,
                "-m",
                "sf_sync.demo.worker",
                str(folder.results),
                str(first),
                str(last),
            ]
            with self._signals.held():
                worker = Child.start(
                    "dagster run", command, folder=folder.path, env=self._environment, lock=self._lock
                )
                self._stack.callback(worker.stop)
            mirrored = self._wait(worker, 1, lambda: step.rows(databases.rows_merged(database, since), total))
            step.text = f"{OBJECT}: {_outcome(mirrored['metadata'])}, {(last - first).days + 1} days in one Dagster run"
        with screen.step("dbt: building the staging view") as step:
            built = self._wait(worker, 2)
            step.text = f"dbt: {built['asset']} is built, {_checks(built)}"
        metadata: dict[str, Any] = mirrored["metadata"]
        return metadata

    def _wait(self, worker: Child, number: int, show: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """The worker's result of that number. Raises DemoError where the run failed or the worker ends without."""
        while True:
            ended = worker.exit_code is not None  # asked first: the result may come between
            done = self._results()
            if len(done) >= number:
                break
            if ended:
                worker.require_running()
            show()
            time.sleep(POLL_S)
        result = done[number - 1]
        if result["error"] is not None:
            raise DemoError(f"{result['asset']}: {result['error']}\n{worker.tail()}")
        return result

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


def _outcome(metadata: Mapping[str, Any]) -> str:
    """What became of the rows, without the outcomes that none had."""
    counts = {name: metadata[f"window_rows_{name}"] for name in ("new", "updated", "unchanged")}
    parts = [f"{count:,} {name}" for name, count in counts.items() if count]
    return f"{metadata['window_rows_read']:,} rows read" + (f" ({', '.join(parts)})" if parts else "")


def _checks(result: Mapping[str, Any]) -> str:
    said = f"{result['passed_checks']} checks passed"
    failed = result["failed_checks"]
    return f"{said}, {len(failed)} didn't: {', '.join(failed)}" if failed else said
