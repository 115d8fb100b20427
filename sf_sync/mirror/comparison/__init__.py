"""The org against the mirror: counts, ids, values; what is gone, and what is missing."""
