"""Engine 1: keeps mirror tables equal to the org. Knows nothing of Dagster.

From Python: `sf_sync.mirror.sync("contacts", days=30)` does what the command `sf-sync sync contacts --days 30` does.
"""

from sf_sync.mirror.syncing import sync

__all__ = ["sync"]
