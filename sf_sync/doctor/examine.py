"""The whole examination, in the order in which one thing needs another."""

from __future__ import annotations

from collections.abc import Iterator

from sf_sync.catalog.definition import CatalogError, ObjectDefinition, catalog_of, chosen
from sf_sync.doctor import commcare, database, objects, org, permissions, probing, settings, state_folder
from sf_sync.doctor.database import DatabaseLooked
from sf_sync.doctor.finding import Finding, failed, warning
from sf_sync.salesforce.errors import SalesforceError
from sf_sync.salesforce.org import open_session
from sf_sync.salesforce.session import OrgSession, Retries
from sf_sync.settings import CONNECTION, Settings, SettingsError

CATALOG = "catalog"
PATIENCE = Retries(attempts=3, first_wait_s=0.5, longest_wait_s=5.0)


def examine(given: Settings | None = None, *, probe: bool = False) -> Iterator[Finding]:
    """Findings as they are made. Goes on wherever something is missing.

    Changes nothing; only its own requests are counted, as all are.

    With `probe` the facts of docs/assumptions.md are checked too, which costs a few dozen requests and three jobs.
    """
    looked = settings.look(given)
    yield from looked.findings
    yield from state_folder.look(looked.settings)
    store = database.look(looked.settings)
    yield from store.findings
    catalog, complaint = _catalog(looked.settings)
    if complaint is not None:
        yield complaint
    yield from commcare.look(looked.settings)
    if not looked.names_org:
        return
    reached = org.look_at_address(looked.settings)
    yield from reached
    if any(finding.mark == "failed" and finding.looked_at == org.ADDRESS for finding in reached):
        return
    if looked.settings.auth == "refresh_token" and store.ready is None:
        yield warning(
            org.SIGN_IN,
            "not tried: a refresh token may rotate, and the database that would keep the new one isn't ready",
            "make the database ready with `sf-sync migrate`",
        )
        return
    try:
        with open_session(looked.settings, retries=PATIENCE, purpose="look") as session:
            if store.ready is not None:
                session.budget.share(store.ready, CONNECTION)
            yield from _signed_in(session, looked.settings, store, catalog, probe=probe)
    except SettingsError as error:
        yield failed(org.SIGN_IN, str(error), "correct the SF_* settings of the sign-in")


def _signed_in(
    session: OrgSession,
    given: Settings,
    store: DatabaseLooked,
    catalog: dict[str, ObjectDefinition],
    *,
    probe: bool,
) -> Iterator[Finding]:
    signed_in = org.look_at_sign_in(session, given)
    yield signed_in
    if signed_in.mark == "failed":
        return
    if store.ready is not None and (other := org.look_at_other_org(session, store.ready)) is not None:
        yield other
        return
    yield from org.look_at_budget(session)
    yield permissions.look(session, {s.sobject for one in catalog.values() for s in one.sources})
    for definition in catalog.values():
        yield from objects.look(session, definition, by_name=given.object_names is not None)
    if probe:
        try:
            yield from probing.probe(session, list(catalog.values()))
        except SalesforceError as error:
            yield failed(probing.LOOKED_AT, str(error), "look at the failures above first")


def _catalog(given: Settings) -> tuple[dict[str, ObjectDefinition], Finding | None]:
    try:
        return chosen(catalog_of(given), given.object_names), None
    except CatalogError as error:
        return {}, failed(CATALOG, str(error), "correct the file, SF_SYNC_CATALOG or SF_SYNC_OBJECTS")
