"""`sf-sync dbt`: the manifest, the generated staging models, and running dbt on our database."""

from __future__ import annotations

from typing import Annotated

import typer

from sf_sync import dbt
from sf_sync.catalog.definition import catalog_of
from sf_sync.cli.console import FAILED, complain, out
from sf_sync.dbt import generate as generating
from sf_sync.dbt import project
from sf_sync.dbt.org_columns import FILE as ORG_COLUMNS
from sf_sync.settings import Settings
from sf_sync.store.database import open_database
from sf_sync.store.state_folder import private_folder

app = typer.Typer(no_args_is_help=True, help="The dbt project.")

# dbt ends well where a misspelt selection leaves nothing to do.
NOTHING_IS_AN_ERROR = '{"error": ["NoNodesForSelectionCriteria"]}'

Select = Annotated[list[str] | None, typer.Option("--select", "-s", help="Models, as dbt names them.")]


@app.command()
def parse() -> None:
    """Write the manifest that Dagster reads; needs no database."""
    dbt.parse_project()


@app.command()
def generate(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where a file differs.")
    ] = False,
    from_database: Annotated[
        bool,
        typer.Option("--from-database", help="First take your org's own columns from the mirror tables."),
    ] = False,
) -> None:
    """Write the staging models: the standard fields, and your org's own in dbt_project/org_columns.yaml."""
    if check and from_database:
        raise typer.BadParameter(
            "--check compares with files and needs no database; leave --from-database out"
        )
    if from_database:
        settings = Settings.load()
        if generating.take_from_database(open_database(settings), catalog_of(settings)):
            out.print(f"dbt_project/{ORG_COLUMNS} is written", highlight=False)
    paths = generating.differing() if check else generating.generate()
    for path in paths:
        name = path.relative_to(project.PROJECT.parent)
        if check:
            complain(f"{name} is not as `sf-sync dbt generate` writes it")
        else:
            out.print(
                f"{name} {'is written' if path.exists() else 'is deleted'}", highlight=False, soft_wrap=True
            )
    if check and paths:
        raise typer.Exit(FAILED)
    if not paths:
        out.print("the staging models are as they should be")


@app.command()
def build(
    select: Select = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Make marts anew.")] = False,
) -> None:
    """Build the models and run their tests on the database of the settings."""
    settings = Settings.load()
    arguments = ["build", "--warn-error-options", NOTHING_IS_AN_ERROR]
    if full_refresh:
        arguments.append("--full-refresh")
    if select:
        arguments += ["--select", *select]
    elif not settings.pima:
        arguments += ["--exclude", dbt.OF_PIMA]
    # The same place every time: dbt keeps there what it has parsed for this database.
    dbt.run_dbt(arguments, open_database(settings).url, private_folder(settings.state_dir, "dbt", "cli"))
