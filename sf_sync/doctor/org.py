"""Can the org be reached and signed in to, does it have our API version, and is there a budget left?"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from sf_sync.doctor.finding import Finding, failed, ok, warning
from sf_sync.mirror.coverage import OtherOrg
from sf_sync.mirror.same_org import require_no_other_org
from sf_sync.salesforce.budget import HIGH_SHARE
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.session import CONNECT_TIMEOUT_S, OrgSession
from sf_sync.settings import CONNECTION, Settings
from sf_sync.store.database import Database

ADDRESS = "org's address"
VERSION = "API version"
SIGN_IN = "sign-in"
BUDGET = "request budget"
JOBS = "Bulk query jobs"
CLOCK = "clock"

ANSWER_TIMEOUT_S = 30
NEXT_TO_RETIRE = 40.0  # the vendor has announced the end of this version and of all before it
LOW_SHARE = 1 - HIGH_SHARE
CLOCK_OFF = timedelta(minutes=2)


def look_at_address(settings: Settings) -> list[Finding]:
    """Ask the org which API versions it has, which needs no sign-in and costs no request."""
    address = settings.require_org()
    with closing(requests.Session()) as http:
        http.trust_env = False  # as every other request of ours: no proxy or .netrc of the environment
        http.verify = str(settings.ca_bundle) if settings.ca_bundle else True
        try:
            answer = http.get(
                f"{address}/services/data",
                timeout=(CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S),
                allow_redirects=False,
            )
        except (requests.exceptions.SSLError, OSError) as error:
            return [_unreachable(address, error)]
    versions = _versions(answer)
    if not versions:
        return [
            failed(
                ADDRESS,
                f"{address} answers {answer.status_code}, but not as an org does",
                "set SF_INSTANCE_URL to the org's own address (My Domain)",
            )
        ]
    how = "and its certificate is verified" if address.startswith("https") else "without TLS, on this machine"
    found = [ok(ADDRESS, f"{address} answers {how}"), _version(settings.api_version, versions)]
    return [*found, *_clock(answer.headers.get("Date"))]


def look_at_sign_in(session: OrgSession, settings: Settings) -> Finding:
    """Sign in. Tried once: another try with the same secret could lock the user out."""
    try:
        token = session.token
    except SalesforceError as error:
        said = str(error)
        remedy = "check the app and its policies in the org, and the SF_* settings of the sign-in"
        if "; " in said:
            said, _, remedy = said.rpartition("; ")
        return failed(SIGN_IN, said, remedy)
    org = f", org {token.organization_id}" if token.organization_id else ""
    return ok(SIGN_IN, f"signed in by {settings.auth} at {token.instance_url}{org}")


def look_at_other_org(session: OrgSession, database: Database) -> Finding | None:
    """Whether the database holds rows of another org than this one (trap E21); None where it doesn't."""
    try:
        with database.connect("doctor", autocommit=True) as connection:
            require_no_other_org(session, connection, CONNECTION)
    except OtherOrg as error:
        said, _, remedy = str(error).rpartition("; ")
        return failed(SIGN_IN, said, remedy)
    except SalesforceError as error:
        return warning(SIGN_IN, f"could not tell which org it is: {error}")
    return None


def look_at_budget(session: OrgSession) -> list[Finding]:
    """What is left of the org's daily requests and jobs, and whether it warns of our API version."""
    try:
        with closing(session.send("GET", session.path("/limits"), "asking for the org's limits")) as answer:
            limits = answer.json()
            warned = answer.headers.get("Warning")
    except (SalesforceError, ValueError) as error:
        return [warning(BUDGET, f"could not tell: {error}")]
    found = [
        _left(BUDGET, limits.get("DailyApiRequests"), session),
        _left(JOBS, limits.get("DailyBulkV2QueryJobs")),
    ]
    if warned:
        found.append(warning(VERSION, f"the org warns: {warned}", "set SF_API_VERSION to a later version"))
    return found


def _unreachable(address: str, error: Exception) -> Finding:
    if isinstance(error, requests.exceptions.SSLError):
        return failed(
            ADDRESS,
            f"the certificate of {address} can't be verified",
            "set SF_CA_BUNDLE to the authority that signed it, or correct SF_INSTANCE_URL",
        )
    if isinstance(error, requests.RequestException):
        return failed(
            ADDRESS,
            f"no answer from {address} ({type(error).__name__})",
            "check SF_INSTANCE_URL and the network",
        )
    return failed(ADDRESS, f"SF_CA_BUNDLE can't be read ({error})", "set SF_CA_BUNDLE to a PEM file")


def _versions(answer: requests.Response) -> list[str]:
    """The versions in the answer, oldest first; empty where it is none of an org."""
    try:
        return sorted((str(row["version"]) for row in answer.json()), key=float)
    except (ValueError, TypeError, KeyError):
        return []


def _version(ours: str, versions: list[str]) -> Finding:
    span = f"{versions[0]} to {versions[-1]}"
    if ours not in versions:
        return failed(VERSION, f"the org has {span}, and not {ours}", f"set SF_API_VERSION={versions[-1]}")
    if float(ours) <= NEXT_TO_RETIRE:
        return warning(VERSION, f"{ours} is about to retire", f"set SF_API_VERSION={versions[-1]}")
    return ok(VERSION, f"{ours}; the org has {span}")


def _clock(date: str | None) -> list[Finding]:
    """Windows are cut by the org's clock, days by ours."""
    try:
        theirs = parsedate_to_datetime(date or "").astimezone(UTC)
    except ValueError:
        return [failed(CLOCK, "the org's answer has no Date header", "let no proxy drop it")]
    off = theirs - datetime.now(UTC)
    if abs(off) > CLOCK_OFF:
        remedy = "set this machine's clock; the org's decides which rows are read"
        return [warning(CLOCK, f"this machine's clock differs from the org's by {abs(off)}", remedy)]
    return []


def _left(looked_at: str, limit: Any, session: OrgSession | None = None) -> Finding:
    usage = session.usage if session is not None else None
    try:
        allowed, left = (
            (usage.allowed, usage.allowed - usage.used) if usage else (limit["Max"], limit["Remaining"])
        )
    except (TypeError, KeyError):
        return warning(looked_at, "could not tell: the org doesn't say")
    said = f"{left:,} of {allowed:,} are left of the last 24 hours"
    if left <= 0:
        return failed(
            looked_at, said, "wait until the first of them are a day old, or ask for a higher limit"
        )
    if left <= LOW_SHARE * allowed:
        return warning(looked_at, said, "read less often, or ask for a higher limit")
    return ok(looked_at, said)
