"""HTTP to one org: time-outs, retries, one sign-in at a time, the limit header; reads only, except to deliver."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from sf_sync.salesforce.budget import Budget
from sf_sync.salesforce.errors import (
    DailyLimitReached,
    PermanentError,
    SalesforceError,
    SessionExpired,
    TransientError,
    refusal,
)
from sf_sync.salesforce.operations import below_version, operation_of
from sf_sync.salesforce.usage import Usage
from sf_sync.settings import is_loopback

T = TypeVar("T")

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = (
    150  # REST answers take up to 120 s of query time; a page's bytes come far more often than this
)
ERROR_BODY_BYTES = 65_536

# What a connection that only reads may send: (method, path below /services/data/vXX.X).
ALLOWED = (
    ("GET", re.compile(r"")),
    ("POST", re.compile(r"/jobs/query$")),
    ("PATCH", re.compile(r"/jobs/query/\w+$")),
    ("DELETE", re.compile(r"/jobs/query/\w+$")),
    ("POST", re.compile(r"/composite$")),
)
# What a connection that delivers may send besides.
ALLOWED_WRITES = (
    ("PATCH", re.compile(r"/composite/sobjects(/\w+/\w+)?$")),
    ("DELETE", re.compile(r"/composite/sobjects$")),
)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how patiently a transient failure is asked again. Seconds."""

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, the address that it is good for, and the org's id where the sign-in told it."""

    access_token: str = field(repr=False)
    instance_url: str
    organization_id: str | None = None


class OrgSession:
    """Requests to one org with one identity. Safe to use from several threads.

    `sign_in` gets a token; it is called when there is none and once after a 401 (single flight, trap E15).
    `calls` counts the requests that the org charges for, `budget` by object and operation; `subject` is the object
    of the catalog that they are counted for.
    """

    def __init__(
        self,
        sign_in: Callable[[requests.Session], Token],
        *,
        instance_url: str,
        api_version: str,
        verify: bool | str = True,
        retries: Retries | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.api_version = api_version
        self.budget = budget or Budget()
        self.calls = 0
        self.subject = ""
        self.usage: Usage | None = None
        self._sign_in = sign_in
        self._retries = retries or Retries()
        self._token: Token | None = None
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._http = requests.Session()
        self._http.trust_env = False  # a .netrc entry would replace our token
        self._http.verify = verify
        self._http.headers["User-Agent"] = "sf_sync"
        host = urlsplit(instance_url).hostname or ""
        # Compressing costs more than it saves when the bytes never leave this machine.
        self._http.headers["Accept-Encoding"] = "identity" if is_loopback(host) else "gzip"

    def close(self) -> None:
        self._http.close()
        self.budget.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def token(self) -> Token:
        """The token in use, signing in where there is none."""
        return self._current_token()

    @contextmanager
    def about(self, object_name: str) -> Iterator[None]:
        """Requests within are counted for this object of the catalog."""
        before, self.subject = self.subject, object_name
        try:
            yield
        finally:
            self.subject = before

    def path(self, below: str, *, version: str | None = None) -> str:
        """The full path of a resource of this (or another) API version."""
        return f"/services/data/v{version or self.api_version}{below}"

    def json(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JsonAnswer:
        """Send and read a JSON answer (None where it is empty). Retries what is transient. Raises SalesforceError."""

        def once() -> JsonAnswer:
            with closing(
                self.send(method, path, doing, params=params, body=body, headers=headers)
            ) as response:
                try:
                    parsed = response.json(parse_float=Decimal) if response.content else None
                except (ValueError, requests.RequestException) as error:
                    raise TransientError(f"{doing}: the answer is not JSON ({error})") from error
                return JsonAnswer(parsed, server_time(response))

        return self.retrying(once)

    def retrying(self, attempt: Callable[[], T]) -> T:
        """Run `attempt` until it doesn't raise TransientError, waiting longer each time, or attempts run out."""
        policy = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(self._retries.attempts),
            wait=wait_exponential_jitter(
                initial=self._retries.first_wait_s,
                max=self._retries.longest_wait_s,
                jitter=self._retries.first_wait_s,
            ),
            before_sleep=_log_retry,
            reraise=True,
        )
        return policy(attempt)

    def send(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """Send once, signing in (again) where needed. The caller closes the answer. Raises SalesforceError."""
        _check_allowed(method, path, body, writes=self.budget.purpose == "delivery")
        operation = operation_of(method, path, (params or {}).get("q", ""))
        self.budget.admit(doing)
        token = self._current_token()
        # Twice renewed: the first new token may be one that another process got, and dead by now as well.
        for last_try in (False, False, True):
            try:
                response = self._http.request(
                    method,
                    token.instance_url + path,
                    params=params,
                    json=body,
                    headers={"Authorization": f"Bearer {token.access_token}", **(headers or {})},
                    timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                    stream=stream,
                    allow_redirects=False,
                )
            except requests.exceptions.SSLError as error:
                raise PermanentError(
                    f"{doing}: the certificate of {token.instance_url} could not be verified ({error}); "
                    "for a private authority set SF_CA_BUNDLE",
                    code="TLS",
                ) from None
            except requests.RequestException as error:
                raise TransientError(f"{doing}: no answer from {token.instance_url} ({error})") from error
            self._observe(response)
            if response.status_code < 300:
                self._charge(operation, 0 if stream else len(response.content))
                return response
            with closing(response):
                refused = refusal(response.status_code, _error_body(response, stream=stream), doing)
            if _is_charged(refused):
                self._charge(operation, 0)
            if type(refused) is DailyLimitReached:
                self.budget.note_exhausted(refused)
            if not isinstance(refused, SessionExpired) or last_try:
                raise refused
            token = self._current_token(instead_of=token)
        raise AssertionError("unreachable")

    def _current_token(self, instead_of: Token | None = None) -> Token:
        with self._lock:
            if self._token is None or self._token == instead_of:
                try:
                    self._token = self.retrying(lambda: self._sign_in(self._http))
                except DailyLimitReached as refused:
                    self.budget.note_exhausted(refused)
                    raise
            return self._token

    def count_bytes(self, operation: str, size: int) -> None:
        """Bytes of an answer that is read while it comes."""
        self.budget.count(self.subject, operation, size=size)

    def _observe(self, response: requests.Response) -> None:
        usage = Usage.in_header(response.headers.get("Sforce-Limit-Info", ""))
        if usage is not None:
            self.usage = usage
            self.budget.observe(usage)

    def _charge(self, operation: str, size: int) -> None:
        with self._counting:
            self.calls += 1
            self.budget.count(self.subject, operation, calls=1, size=size)


def _is_charged(refused: SalesforceError) -> bool:
    """Whether the org counts a request that it refused: not where it never came to look at it."""
    return not isinstance(refused, SessionExpired | TransientError) and type(refused) is not DailyLimitReached


def _check_allowed(method: str, path: str, body: object | None, *, writes: bool) -> None:
    """Raise PermanentError for anything but a read, and a write where `writes`; composites must consist of GETs."""
    below = below_version(path)
    rules = (*ALLOWED, *ALLOWED_WRITES) if writes else ALLOWED
    allowed = any(method == verb and pattern.match(below) for verb, pattern in rules)
    inner = body.get("compositeRequest", []) if isinstance(body, dict) else []
    if not allowed or any(part.get("method") != "GET" for part in inner):
        raise PermanentError(
            f"{method} {path} is not a read, and this connection only reads", code="READ_ONLY"
        )


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """A parsed body, with fractions as exact decimals (trap B12), and the org's clock when it answered."""

    body: Any
    server_time: datetime


def server_time(response: requests.Response) -> datetime:
    """The org's clock in the `Date` header, whole seconds, UTC (trap C12). Raises PermanentError without one."""
    header = response.headers.get("Date")
    try:
        return parsedate_to_datetime(header or "").astimezone(UTC)
    except ValueError:
        raise PermanentError(
            f"the answer of {urlsplit(response.url).netloc} has no Date header ({header!r}); a proxy must not drop it"
        ) from None


def _error_body(response: requests.Response, *, stream: bool) -> str:
    if not stream:
        return response.text[:ERROR_BODY_BYTES]
    try:
        raw: bytes = response.raw.read(ERROR_BODY_BYTES, decode_content=True)
    except (urllib3.exceptions.HTTPError, OSError):
        return ""  # the status alone is enough to class the refusal
    return raw.decode("utf-8", "replace")


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0
    log.warning("%s; asking again in %.1f s", error, wait)
