"""Looks at all that sf_sync needs, changes nothing, and says what it found and what to do."""
