"""A local Salesforce org that speaks the real wire protocol, written from the protocol reference and from nothing else.

Start it with `python -m sf_sync.sandbox`, or in a test with `sf_sync.sandbox.server.LocalOrg`.
"""
