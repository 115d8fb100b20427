"""What the demo's processes see of the environment: ours for the local org, and nothing of the user's own settings."""

from __future__ import annotations

import os
from datetime import date

from sf_sync.demo import databases
from sf_sync.demo.folder import DemoFolder
from sf_sync.demo.servers import OrgAccess
from sf_sync.store.urls import DatabaseUrl

# A variable that begins with one of these could lead a process to the user's own org, database or Dagster.
NOT_PASSED_ON = ("SF_", "CC_", "DATABASE_URL", "DAGSTER_", "DBT_", "PG")

LOCAL = "127.0.0.1,localhost"
FOLLOW_S = 15  # a newcomer should not have to wait for the usual five minutes


def base() -> dict[str, str]:
    """The user's environment without what is meant for the real thing; local traffic goes through no proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}
    return kept | {"NO_PROXY": LOCAL, "no_proxy": LOCAL, "PYTHONUNBUFFERED": "1"}


def settings_of(folder: DemoFolder, org: OrgAccess, server: DatabaseUrl) -> dict[str, str]:
    """The settings by which the demo reads its org into its database; the names are those of sf_sync.settings."""
    return {
        "SF_INSTANCE_URL": org.url,
        "SF_AUTH": "client_credentials",
        "SF_CLIENT_ID": org.client_id,
        "SF_CLIENT_SECRET": org.client_secret,
        **({"SF_CA_BUNDLE": org.ca} if org.ca else {}),
        "SF_SYNC_STATE_DIR": str(folder.path),
        "SF_SYNC_PIMA": "true",
        "DATABASE_URL": server.with_database(databases.MIRROR).libpq,
    }


def for_dagster(
    folder: DemoFolder, settings: dict[str, str], server: DatabaseUrl, first_day: date
) -> dict[str, str]:
    """The whole environment of the processes that load our definitions."""
    return {
        **base(),
        **settings,
        "SF_SYNC_FIRST_DAY": first_day.isoformat(),
        "SF_SYNC_AUTOMATION": "true",
        "SF_SYNC_FOLLOW_SECONDS": str(FOLLOW_S),
        "DAGSTER_HOME": str(folder.dagster_home),
        "DAGSTER_PG_URL": server.with_database(databases.DAGSTER).sqlalchemy("psycopg2"),
        "DAGSTER_EVENT_BATCH_SIZE": "500",  # a range run writes two events a day, and each alone takes 30 ms
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
