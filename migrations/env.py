"""Alembic's entry: runs the migrations of sf_sync's own tables on the connection that the caller hands over."""

from alembic import context

from sf_sync.pima import tables as pima_tables
from sf_sync.store import delivery_tables, tables

OURS = ("sync", "delivery", "pima")

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run migrations with `sf-sync migrate` (or `make migrate`), which knows the database")

context.configure(
    connection=connection,
    target_metadata=[tables.metadata, delivery_tables.metadata, pima_tables.metadata],
    version_table_schema="sync",
    include_schemas=True,
    include_object=pima_tables.is_compared,
    include_name=lambda name, type_, parents: name in OURS if type_ == "schema" else True,
)
with context.begin_transaction():
    context.run_migrations()
