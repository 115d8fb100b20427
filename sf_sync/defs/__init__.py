"""What Dagster sees. Thin: no SQL, no HTTP, no CSV. With `definitions.py` the only place that imports Dagster."""
