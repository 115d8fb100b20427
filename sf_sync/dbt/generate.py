"""Writing the staging models into the dbt project, and telling whether they are as they would be written."""

from __future__ import annotations

from pathlib import Path

from sf_sync.catalog.definition import ObjectDefinition, load_catalog
from sf_sync.dbt import project, render
from sf_sync.dbt.models import StagingModel
from sf_sync.dbt.org_columns import FILE, from_database, org_columns_text, read_org_columns, with_org_columns
from sf_sync.dbt.standard_fields import standard_model
from sf_sync.store.database import Database

STAGING = Path("models") / "staging" / "salesforce"


def generate(folder: Path | None = None) -> list[Path]:
    """Write the files that differ, delete models of objects that are no more; returns those paths."""
    folder = folder or project.PROJECT
    wanted = _wanted(folder)
    changed = differing(folder)
    for path in changed:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return changed


def differing(folder: Path | None = None) -> list[Path]:
    """Generated files that aren't as they would be written, and models that would not be."""
    folder = folder or project.PROJECT
    wanted = _wanted(folder)
    there = {path: path.read_text(encoding="utf-8") for path in sorted((folder / STAGING).glob("*.*"))}
    return sorted(path for path in {*wanted, *there} if wanted.get(path) != there.get(path))


def take_from_database(
    database: Database, catalog: dict[str, ObjectDefinition], folder: Path | None = None
) -> bool:
    """Write down what the mirror tables have beyond the standard; whether that has changed."""
    path = (folder or project.PROJECT) / FILE
    with database.connect("generate dbt models") as connection:
        found = from_database(connection, catalog.values(), _standard())
    text = org_columns_text(found)
    before = path.read_text(encoding="utf-8") if path.exists() else org_columns_text({})
    if before == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def _wanted(folder: Path) -> dict[Path, str]:
    standard, own = _standard(), read_org_columns(folder)
    models = [
        model
        for name in sorted({*standard, *own})
        if (model := with_org_columns(standard.get(name), name, own.get(name)))
    ]
    return {folder / STAGING / name: text for name, text in render.files(models).items()}


def _standard() -> dict[str, StagingModel]:
    """The models of the built-in objects: a catalog of the user's own doesn't change them."""
    models = ((name, standard_model(definition)) for name, definition in load_catalog(pima=True).items())
    return {name: model for name, model in models if model is not None}
