"""Can the CommCare project space be reached, is the key accepted, and may it read forms and cases?"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from sf_sync.commcare.errors import CommCareError, TransientError
from sf_sync.commcare.project import open_session
from sf_sync.commcare.session import CommCareSession
from sf_sync.doctor.finding import Finding, failed, ok, warning
from sf_sync.settings import Settings

PROJECT = "CommCare project"
FORMS = "CommCare forms"
CASES = "CommCare cases"
NOBODY = "sf-sync-doctor"  # no case has this id

TRY_LATER = "try again later; CommCare's own state is told at https://status.commcarehq.org"


def look(settings: Settings) -> Iterator[Finding]:
    """What a request for one form and one for a case that isn't there tell; nothing where no CC_* is set."""
    missing = settings.missing_for_commcare
    if len(missing) == 3:
        return
    if missing:
        yield failed(PROJECT, f"not set: {', '.join(missing)}", "set them in the environment or in .env")
        return
    with open_session(settings) as session:
        forms = _ask(session, "/api/form/v1/?limit=1", "asking for a form")
        reached = _project(session, forms)
        yield reached
        if reached.mark != "ok":
            return
        yield _readable(FORMS, forms, "the list of forms can be read", (200,))
        cases = _ask(session, f"/api/case/v2/{NOBODY}", "asking for a case")
        yield _readable(CASES, cases, "cases can be read", (200, 404))


def _ask(session: CommCareSession, below: str, doing: str) -> int | CommCareError:
    """The status of an answer, or why there is none."""
    try:
        return session.send("GET", session.path(below), doing).status
    except CommCareError as error:
        return error


def _project(session: CommCareSession, said: int | CommCareError) -> Finding:
    where = f"{urlsplit(session.base_url).netloc}, project {session.domain}"
    if isinstance(said, TransientError):
        return failed(PROJECT, str(said), "check CC_BASE_URL and the network")
    if isinstance(said, CommCareError):
        return failed(PROJECT, str(said), "check CC_BASE_URL")
    if said == 401:
        remedy = "check CC_USERNAME (an e-mail address) and CC_API_KEY; CommCare makes keys under My Account, API Keys"
        return failed(PROJECT, f"{where}: the key is not accepted (401)", remedy)
    if said == 404:
        return failed(PROJECT, f"{where}: no such project space (404)", "correct CC_DOMAIN")
    if said == 429:
        return warning(PROJECT, f"{where}: too many requests at the moment (429)", TRY_LATER)
    if 300 <= said < 400:
        return failed(
            PROJECT, f"{where}: answers with a redirect ({said})", "correct CC_BASE_URL and CC_DOMAIN"
        )
    if said >= 500:
        return failed(PROJECT, f"{where}: CommCare answers {said}", TRY_LATER)
    return ok(PROJECT, f"{where}: reached, the key is accepted")


def _readable(looked_at: str, said: int | CommCareError, well: str, good: tuple[int, ...]) -> Finding:
    if isinstance(said, CommCareError):
        return warning(looked_at, str(said), TRY_LATER)
    if said in good:
        return ok(looked_at, well)
    if said == 403:
        return failed(
            looked_at,
            "the key's user may not read them (403)",
            "give the user's role Edit Data and Access APIs in CommCare, or take away what the key is limited to",
        )
    return warning(looked_at, f"CommCare answers {said}", "check CC_BASE_URL and CC_DOMAIN")
