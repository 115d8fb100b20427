"""A local CommCare project space that speaks the real wire protocol: receiver, lists of forms, cases, forwarding.

Written from CommCare HQ's published API pages and source, it shares no code with the rest of sf_sync.
"""

from .server import LocalCommCare

__all__ = ["LocalCommCare"]
