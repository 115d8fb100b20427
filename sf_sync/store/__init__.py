"""PostgreSQL: connections, the embedded server, sf_sync's own tables."""
