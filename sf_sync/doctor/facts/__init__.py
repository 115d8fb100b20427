"""The facts of docs/assumptions.md that can be seen without changing anything, each with its check."""

from sf_sync.doctor.facts import answers, cells, describes, jobs, queries, refusals
from sf_sync.doctor.facts.registry import FACTS

__all__ = ["FACTS", "answers", "cells", "describes", "jobs", "queries", "refusals"]
