"""`sf-sync serve` as it is started, with PIMA's own mappings and the lines of docs/operations.md word for word."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from typer.testing import CliRunner

from sf_sync.cli import app
from sf_sync.delivery import audit, redelivery, retention
from sf_sync.delivery.selection import Selection
from sf_sync.sandbox.server import LocalOrg
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database
from sf_sync_tests.integration.web.operations.operating import KEYS, Operated, bad, good
from sf_sync_tests.integration.web.serving import SECRET, Intake
from sf_sync_tests.integration.web.test_outages import served, started

pytestmark = pytest.mark.proof

PAGE = (Path(__file__).parents[4] / "docs" / "operations.md").read_text(encoding="utf-8")
CURL = re.findall(r"^curl .*$", PAGE, re.MULTILINE)
SAMPLES = Path(__file__).parents[3] / "samples" / "commcare"


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not here")
def test_the_lines_of_the_page_do_what_it_says(
    database: Database, org: LocalOrg, settings: Settings, tmp_path: Path
) -> None:
    form = json.loads((SAMPLES / "farmer_registration.json").read_bytes())
    (tmp_path / "operators.keys").touch(mode=0o600)
    (tmp_path / "operators.keys").write_text(f"olga={KEYS['operator']}\n")
    (tmp_path / "key.header").write_text(f"X-API-Key: {KEYS['operator']}\n")
    variables = {
        "SF_INSTANCE_URL": org.url,
        "SF_CLIENT_ID": org.client_id,
        "SF_CLIENT_SECRET": org.client_secret,
        "SF_SYNC_OPERATOR_KEYS_FILE": "operators.keys",
    }
    with (
        served(database, tmp_path, **variables) as (_, url),
        psycopg.connect(database.url.libpq, autocommit=True) as db,
    ):
        assert Intake(url, db).form(form).status_code == 200
        answers = [_run(line, tmp_path, SERVER=url, ID=form["id"]) for line in CURL]

        count, failed, record, process, auto_retry, retry, batch_retry, hold, again = answers
        asked = [row.action for row in reversed(audit.newest(db, CONNECTION))]
    assert count["status_counts"]["new"] == 1
    assert failed == {"failed_jobs": [], "next": None}
    assert record[0]["data"]["job_name"] == "Farmer Registration"
    assert process["status"] == auto_retry["status"] == "Processing completed"
    assert len(process["processed_records"]) == 1
    assert (retry["message"], retry["id"]) == ("Retry completed", form["id"])
    assert (batch_retry["message"], batch_retry["completed"]) == ("Retry completed", [form["id"]])
    assert (hold["updated"], hold["unchanged"]) == (0, 1)
    assert again["updated"] == 1
    assert asked == ["record", "process", "auto retry", "retry", "batch retry", "bulk update", "bulk update"]
    logged = (tmp_path / "stderr").read_text()
    assert not any(secret in logged for secret in (KEYS["operator"], SECRET, org.client_secret))


def test_the_page_is_named_where_somebody_may_sign_in(database: Database, tmp_path: Path) -> None:
    with started(database, tmp_path) as (_, said):
        assert "page" not in said
    with started(database, tmp_path, SF_SYNC_OPERATOR_KEYS=f"olga={KEYS['operator']}") as (_, said):
        found = re.search(r"; page at (http://127\.0\.0\.1:\d+/);", said)
        assert found is not None, said
        assert requests.get(found[1], timeout=20).url == f"{found[1]}sign-in"


def _run(line: str, folder: Path, **variables: str) -> Any:
    """What one line of the page prints."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{line} --silent"],
        env={"PATH": "/usr/bin:/bin", **variables},
        cwd=folder,
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_who_starts_it_without_operators_is_told(database: Database, tmp_path: Path) -> None:
    with served(database, tmp_path):
        assert "nobody may operate: set SF_SYNC_OPERATOR_KEYS_FILE" in (tmp_path / "stderr").read_text()
    with served(database, tmp_path, SF_SYNC_ADMIN_KEYS=f"adam={KEYS['admin']}"):
        assert "nobody may operate" not in (tmp_path / "stderr").read_text()


def test_records_are_put_aside_on_the_command_line(
    asked: Operated, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url.libpq)
    asked.forms.deliver(good("f1", 1), good("f2", 2))

    everything = CliRunner().invoke(app, ["forms", "hold"])
    done = CliRunner().invoke(app, ["forms", "hold", "--status", "failed"])

    assert "say which" in everything.output
    assert "2 put aside" in done.output
    assert asked.forms.statuses() == {"f1": "held", "f2": "held"}


def test_what_is_to_be_planned_again_is_not_put_aside(asked: Operated) -> None:
    asked.forms.deliver(good("f1"))
    redelivery.redeliver(asked.forms.db, CONNECTION, Selection(record_id="f1"))

    assert redelivery.hold(asked.forms.db, CONNECTION, Selection(record_id="f1")) == 0


def test_what_people_asked_for_is_kept_for_a_year_at_least(asked: Operated) -> None:
    for role in ("operator", "admin"):
        asked.get("/record/commcare_collection/f1", role)
    asked.forms.store(bad("f1"))
    for role in ("operator", "admin"):
        asked.get("/record/commcare_collection/f1", role)
    asked.forms.db.execute("update delivery.audit set at = now() - interval '366 days' where who = 'olga'")
    asked.forms.db.execute("update delivery.audit set at = now() - interval '401 days' where who = 'adam'")

    assert retention.purge(asked.forms.db, CONNECTION, timedelta(days=1)).audit == 1
    assert [who for who, *_ in asked.audited()] == ["olga"]
