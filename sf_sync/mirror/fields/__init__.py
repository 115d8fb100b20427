"""The org's fields and the columns that they have: fitting, history, differences, models for users' code."""
