"""Some fields, or some records, read apart from windows: refresh, column backfill, targeted sync."""
