"""`python -m sf_sync.sandbox`: run a local org until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import datetime
from pathlib import Path

from . import fault_file, keeping
from .private_file import write_state
from .server import LocalOrg

RECORDS = ("contacts", "accounts", "users", "leads", "tasks", "events", "relations", "products")


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sf_sync.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="HTTP port on 127.0.0.1 (0: a free one)")
    parser.add_argument(
        "--https-port", type=int, default=None, help="HTTPS port (0: a free one; left out: no HTTPS)"
    )
    parser.add_argument(
        "--tls-dir", type=Path, default=None, help="folder for the authority and the server's key"
    )
    parser.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a further host in the certificate; repeatable",
    )
    parser.add_argument("--password-grant", action="store_true", help="let the OAuth password grant sign in")
    parser.add_argument(
        "--state-file", type=Path, default=None, help="where addresses and credentials are written"
    )
    for name in RECORDS:
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N")
    parser.add_argument("--days", type=int, default=30, help="how far back the records changed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--seeded-at",
        type=datetime.fromisoformat,
        default=None,
        help="the moment as of which records are made (default: now); with the same seed they are the same again",
    )
    parser.add_argument("--job-seconds", type=float, default=2.0, help="how long a query job takes")
    parser.add_argument(
        "--page-rows", type=int, default=50_000, help="rows of a result page that nobody asked for"
    )
    parser.add_argument("--daily-api-requests", type=int, default=100_000)
    parser.add_argument(
        "--keep",
        type=Path,
        default=None,
        metavar="FILE",
        help="begin with the records of this file if it is there, and write them to it at the end",
    )
    parser.add_argument(
        "--faults", type=Path, default=None, metavar="FILE", help="a YAML list of faults to begin with"
    )
    parser.add_argument("--pima", action="store_true", help="have the PIMA objects with a small seed")
    parser.add_argument("--changes-per-second", type=float, default=0, help="contacts changed while it runs")
    arguments = parser.parse_args(given)
    try:
        arguments.faults = [] if arguments.faults is None else fault_file.load(arguments.faults)
    except fault_file.BadFaultFile as bad:
        parser.error(str(bad))
    return arguments


def main(given: list[str] | None = None) -> int:
    """Listen, say where, wait for SIGTERM or SIGINT."""
    arguments = _arguments(given)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    org = LocalOrg(
        arguments.contacts,
        arguments.days,
        arguments.seed,
        **{name: getattr(arguments, name) for name in RECORDS if name != "contacts"},
        https=arguments.https_port is not None,
        port=arguments.port,
        https_port=arguments.https_port or 0,
        tls_dir=arguments.tls_dir,
        host_names=arguments.host_name,
        seeded_at=arguments.seeded_at,
        job_seconds=arguments.job_seconds,
        page_rows=arguments.page_rows,
        password_grant=arguments.password_grant,
        pima=arguments.pima,
        limits={"DailyApiRequests": arguments.daily_api_requests},
    )
    if arguments.keep is not None and arguments.keep.exists():
        try:
            keeping.load(org.org, arguments.keep)
        except keeping.BadKeptFile as bad:
            print(bad, file=sys.stderr)
            return 1
    for fault in arguments.faults:
        org.org.faults.add(fault)
    with org:
        if arguments.changes_per_second > 0:
            org.control.start_changes("Contact", arguments.changes_per_second, arguments.seed)
        if arguments.state_file is not None:
            write_state(arguments.state_file, org.access)
        print(f"local org: {org.url} {org.https_url}".rstrip(), flush=True)
        stop.wait()
    if arguments.keep is not None:
        keeping.save(org.org, arguments.keep)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
