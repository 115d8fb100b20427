"""What an error means to Dagster: whether the step is tried again, and the sentence that people read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import psycopg

from sf_sync.catalog.definition import CatalogError
from sf_sync.commcare.errors import CommCareError
from sf_sync.commcare.errors import TransientError as CommCareTransientError
from sf_sync.dbt import DbtError
from sf_sync.delivery.mapping.errors import MappingError
from sf_sync.mirror.coverage import OtherOrg
from sf_sync.mirror.partial.partial_reading import PartialReport
from sf_sync.mirror.report import SyncReport
from sf_sync.salesforce.errors import DailyLimitReached, SalesforceError, TransientError
from sf_sync.settings import SettingsError
from sf_sync.store.database import DatabaseError
from sf_sync.store.embedded import EmbeddedServerError

# The session has asked again for about a minute by itself before an error gets here. Not a retry policy of the
# asset: Dagster would also apply that to a run that a person cancels.
TRANSIENT_TRIES = 3
TRANSIENT_WAIT_S = 30  # before the first, doubled before each other

BUSY_TRIES = 4
BUSY_WAIT_S = 30

PERMANENT = (
    SalesforceError,
    CommCareError,
    SettingsError,
    CatalogError,
    OtherOrg,
    DatabaseError,
    EmbeddedServerError,
    DbtError,
    MappingError,
)


@contextmanager
def dagster_failures(tried: int | None = None) -> Iterator[None]:
    """Turn errors into failures of the step; what may go away is tried again where it is said how often it was."""
    try:
        yield
    except (dg.Failure, dg.RetryRequested):
        raise
    except (TransientError, CommCareTransientError, psycopg.OperationalError) as error:
        if tried is not None and tried < TRANSIENT_TRIES:
            wait = TRANSIENT_WAIT_S * 2**tried
            raise dg.RetryRequested(max_retries=TRANSIENT_TRIES, seconds_to_wait=wait) from error
        raise dg.Failure(str(error), allow_retries=False) from error
    except DailyLimitReached as error:
        raise dg.Failure(
            f"{error}. What was done stays, and the next run goes on from there",
            allow_retries=False,
        ) from error
    except PERMANENT as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    except Exception as error:
        # A fault of ours: the same again would meet it again.
        raise dg.Failure(f"{type(error).__name__}: {error}", allow_retries=False) from error


def require_read(
    report: SyncReport | PartialReport, context: dg.AssetExecutionContext | dg.OpExecutionContext
) -> None:
    """Where another session held the object nothing was read: ask again a few times, then fail and say who holds it."""
    if report.skipped is None:
        return
    if context.retry_number < BUSY_TRIES:
        context.log.warning(f"{report.skipped}. Asking again in {BUSY_WAIT_S} s")
        raise dg.RetryRequested(max_retries=BUSY_TRIES, seconds_to_wait=BUSY_WAIT_S)
    raise dg.Failure(f"{report.skipped}. Nothing was read", allow_retries=False)
