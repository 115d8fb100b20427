"""Keeps Salesforce in step with PostgreSQL and everything around it."""
