"""The dbt project from outside: its models' files, its manifest, running it. Knows nothing of Dagster."""

from sf_sync.dbt.project import (
    MANIFEST,
    OF_PIMA,
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
    "OF_PIMA",
    "PROJECT",
    "TARGET",
    "DbtError",
    "environment",
    "manifest_is_current",
    "parse_project",
    "program",
    "run_dbt",
]
