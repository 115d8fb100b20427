"""Where operations go: one file for each kind of destination."""
