"""HTTP to one CommCare project space: the key, time-outs, bounded answers, retries of what is only read."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, Self
from urllib.parse import quote

import requests
import urllib3
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from sf_sync.commcare.errors import (
    AnswerTooLong,
    ConfigurationError,
    TransientError,
    refusal,
    retry_moment,
)

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
CONNECTIONS = 32
MOST_BYTES = 64 * 1024 * 1024  # of a page of forms
CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of any status, whole. `headers` are found in any case of their letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> datetime | None:
        """Before which moment (UTC) asking again is of no use, as the answer says."""
        return retry_moment(self.headers.get("Retry-After"))


class CommCareSession:
    """Requests to one project space with one API key. Safe to use from several threads."""

    def __init__(
        self,
        base_url: str,
        domain: str,
        username: str,
        api_key: str,
        *,
        attempts: int = 5,
        first_wait_s: float = 0.5,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.domain = domain
        self._attempts = attempts
        self._first_wait_s = first_wait_s
        self._http = requests.Session()
        self._http.trust_env = False  # a .netrc entry would replace our key
        self._http.mount(self.base_url, HTTPAdapter(pool_maxsize=CONNECTIONS))
        self._http.headers["Authorization"] = f"ApiKey {username}:{api_key}"
        self._http.headers["User-Agent"] = f"sf_sync/{version('sf-sync')}"

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def path(self, below: str) -> str:
        """The path of something of the project space: `/api/case/v2/` → `/a/{domain}/api/case/v2/`."""
        return f"/a/{quote(self.domain, safe='')}{below}"

    def send(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """Send once; an answer of any status. `doing` is a phrase for messages.

        Raises TransientError where no answer came, ConfigurationError where the server can't be trusted, and
        AnswerTooLong where the answer is longer than `most_bytes`.
        """
        try:
            with self._http.request(
                method,
                self.base_url + path,
                params=params,
                data=body,
                headers=headers,
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                stream=True,
                allow_redirects=False,
            ) as response:
                return Answer(response.status_code, response.headers, _body(response, doing, most_bytes))
        except requests.exceptions.SSLError:
            raise ConfigurationError(
                f"{doing}: the certificate of {self.base_url} could not be verified; check CC_BASE_URL"
            ) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise TransientError(
                f"{doing}: no answer from {self.base_url} ({type(error).__name__})"
            ) from None

    def json(
        self,
        path: str,
        doing: str,
        *,
        params: Mapping[str, str] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> Any:
        """Read a JSON answer (GET). Asks again for what is transient. Raises CommCareError."""

        def once() -> Any:
            answer = self.send("GET", path, doing, params=params, most_bytes=most_bytes)
            if answer.status >= 300:
                raise refusal(answer.status, doing, answer.retry_after)
            try:
                return json.loads(answer.body)
            except (ValueError, RecursionError):
                raise TransientError(f"{doing}: the answer is not JSON", status=answer.status) from None

        policy = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(self._attempts),
            wait=_Wait(self._first_wait_s),
            before_sleep=_log_retry,
            reraise=True,
        )
        return policy(once)


class _Wait(wait_exponential_jitter):
    """Longer each time, and not before the moment that the answer named, as far as that is worth waiting for."""

    def __init__(self, first_s: float) -> None:
        super().__init__(initial=first_s, max=30.0, jitter=first_s)

    def __call__(self, retry_state: RetryCallState) -> float:
        wait_s = super().__call__(retry_state)
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, TransientError) and error.retry_after is not None:
            asked_s = (error.retry_after - datetime.now(error.retry_after.tzinfo)).total_seconds()
            return max(wait_s, min(asked_s, 60.0))
        return wait_s


def _body(response: requests.Response, doing: str, most_bytes: int) -> bytes:
    read = bytearray()
    for chunk in response.iter_content(CHUNK_BYTES):
        read += chunk
        if len(read) > most_bytes:
            raise AnswerTooLong(f"{doing}: the answer is longer than {most_bytes} bytes")
    return bytes(read)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0
    log.warning("%s; asking again in %.1f s", error, wait)
