"""The dbt project from outside: its models' files, its manifest, running it. Knows nothing of Dagster."""

from sf_sync.dbt.project import (
    MANIFEST,
    PROJECT,
    TARGET,
    DbtError,
    environment,
    manifest_is_current,
    parse_project,
    program,
    run_dbt,
)

__all__ = [
    "MANIFEST",
    "PROJECT",
    "TARGET",
    "DbtError",
    "environment",
    "manifest_is_current",
    "parse_project",
    "program",
    "run_dbt",
]
