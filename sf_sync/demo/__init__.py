"""The demo: everything on a local org, in one command, with nothing left running behind it."""

from __future__ import annotations

CONTACTS = 20_000
DAYS = 30


def run_demo(*, stay: bool, forget: bool = False, contacts: int = CONTACTS, days: int = DAYS) -> int:
    """Run the demo, or with `forget` delete its data; returns the command's exit code.

    Exit code 1 where the mirror doesn't equal the org. With `stay` the Dagster UI then runs until Ctrl-C.
    """
    # The processes that the demo starts import this package too, and need none of this.
    from sf_sync.demo.run import demo, forget_demo

    return forget_demo() if forget else demo(stay=stay, contacts=contacts, days=days)
