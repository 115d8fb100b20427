"""Materializing from Python what the UI materializes by a click: runs in this process, recorded where the UI looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg

from sf_sync.defs.keys import mirror_key, range_tags

# A run in one of these has a process, which the demo's owner knows to be gone.
BEGUN = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of one asset in one run. `error` is the sentence of its failure; `metadata` is the newest event's."""

    asset: str
    run_id: str
    error: str | None
    metadata: dict[str, int | float | str]
    passed_checks: int
    failed_checks: tuple[str, ...]


def open_instance() -> dg.DagsterInstance:
    """The instance in DAGSTER_HOME, to be used in a `with` block."""
    return dg.DagsterInstance.get()


def end_killed_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs whose process was killed as failed, and free the places in pools that they hold.

    Only for whoever knows that nothing else runs on the instance.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=BEGUN)):
        instance.report_run_failed(run, "Its process was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def materialize_range(
    defs: dg.Definitions, names: Sequence[str], first: date, last: date, instance: dg.DagsterInstance
) -> list[RunResult]:
    """One run that reads the days `first` to `last`, both included, of mirror objects as one window each."""
    return _run(defs, [mirror_key(name) for name in names], instance, range_tags(first, last))


def model_names(defs: dg.Definitions) -> list[str]:
    """All dbt models."""
    return sorted(key.path[0] for key in defs.resolve_all_asset_keys() if len(key.path) == 1)


def build_models(defs: dg.Definitions, names: Sequence[str], instance: dg.DagsterInstance) -> list[RunResult]:
    """One run that builds dbt models and runs their tests."""
    return _run(defs, [dg.AssetKey([name]) for name in names], instance, {})


def _run(
    defs: dg.Definitions, keys: Sequence[dg.AssetKey], instance: dg.DagsterInstance, tags: dict[str, str]
) -> list[RunResult]:
    job = defs.resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(
        asset_selection=keys,
        instance=instance,
        tags=tags,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "WARNING"}}}},
    )
    error = _error(done)
    return [_result(done, key, error) for key in keys]


def _result(done: dg.ExecuteInProcessResult, key: dg.AssetKey, error: str | None) -> RunResult:
    events = [e for e in done.get_asset_materialization_events() if e.asset_key == key]
    metadata = events[-1].step_materialization_data.materialization.metadata if events else {}
    checks = [c for c in done.get_asset_check_evaluations() if c.asset_key == key]
    return RunResult(
        asset=key.to_user_string(),
        run_id=done.run_id,
        error=error,
        metadata={n: v.value for n, v in metadata.items() if isinstance(v.value, int | float | str)},
        passed_checks=sum(c.passed for c in checks),
        failed_checks=tuple(c.check_name for c in checks if not c.passed),
    )


def _error(done: dg.ExecuteInProcessResult) -> str | None:
    """The first failed step's own sentence, without the traceback that the run's log has."""
    for event in done.get_step_failure_events():
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            return failure.user_failure_data.description
        if failure.error:
            return failure.error.message.strip()
    return None if done.success else "the run failed; its log says why"
