"""A week of a coffee programme: what phones in the villages submit, and what Salesforce sends to them.

`week.week(…)` makes it, `python -m sf_sync.sandbox.programme` plays it: a CommCare project space that forwards its
forms, beside the local org with PIMA's objects, whose records it refers to.
"""
