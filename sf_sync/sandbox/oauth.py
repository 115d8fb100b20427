"""The OAuth resources: token, revoke, userinfo and the identity URL (protocol §1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from .cells import NULL, TRUE, cell_text
from .errors import OAuthError
from .http import Call, Reply, json_reply
from .org import Org

NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def find(path: str) -> Callable[[Org, Call], Reply] | None:
    """The resource of a path, if it is one of OAuth's."""
    bare = path.rstrip("/").lower()
    known = {
        "/services/oauth2/token": token,
        "/services/oauth2/revoke": revoke,
        "/services/oauth2/userinfo": userinfo,
    }
    return identity if re.fullmatch(r"/id/\w{15,18}/\w{15,18}", bare) else known.get(bare)


def token(org: Org, call: Call) -> Reply:
    """`POST /services/oauth2/token`."""
    try:
        body = org.auth.issue(
            _form(call), call.headers.get("authorization", ""), call.headers.get("host", ""), call.base
        )
    except OAuthError as error:
        refusal = {"error": error.error, "error_description": error.description}
        return json_reply(refusal, error.status, NOT_STORED)
    return json_reply(body, headers=NOT_STORED)


def revoke(org: Org, call: Call) -> Reply:
    """`POST /services/oauth2/revoke` with the token to end."""
    if org.auth.revoke(_form(call).get("token", "")):
        return Reply(200)
    return json_reply({"error": "invalid_token", "error_description": "invalid token"}, 400, NOT_STORED)


def userinfo(org: Org, call: Call) -> Reply:
    """`GET /services/oauth2/userinfo`: who the token belongs to; a bad token is 403, not 401."""
    user, refusal = _user(org, call)
    if user is None:
        return refusal
    return json_reply({"sub": org.auth.identity(user), **_claims(org, call, user)})


def identity(org: Org, call: Call) -> Reply:
    """`GET /id/<org>/<user>`."""
    user, refusal = _user(org, call)
    if user is None:
        return refusal
    if call.path.split("/")[2][:15] != org.id[:15]:
        return _text(403, b"Wrong_Org")
    claims = _claims(org, call, user)
    shown = {"id": org.auth.identity(user), "asserted_user": True, "username": claims["preferred_username"]}
    return json_reply(shown | {"display_name": claims["name"]} | claims)


def _form(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode(errors="replace"))) | dict(call.params)


def _user(org: Org, call: Call) -> tuple[str | None, Reply]:
    bearer = call.headers.get("authorization", "").partition(" ")[2] or call.params.get("access_token", "")
    user = org.auth.user_of(bearer) if bearer else None
    return user, _text(403, b"Bad_OAuth_Token" if bearer else b"Missing_OAuth_Token")


def _text(status: int, body: bytes) -> Reply:
    return Reply(status, body, {"Content-Type": "text/html;charset=UTF-8"})


def _claims(org: Org, call: Call, user: str) -> dict[str, object]:
    table = org.tables["User"]
    slot = table.slot(user)

    def text(name: str) -> str | None:
        cell = NULL if slot is None else table.cell(slot, name)
        return None if cell == NULL else cell_text(cell)

    rest = f"{call.base}/services/data/v{{version}}/"
    soap = {
        name: f"{call.base}/services/Soap/{letter}/{{version}}/{org.id[:15]}"
        for name, letter in (("enterprise", "c"), ("metadata", "m"), ("partner", "u"))
    }
    found = {name: f"{rest}{name}/" for name in ("sobjects", "query", "recent")}
    urls = soap | {"rest": rest, "search_rest": f"{rest}search/"} | found | {"profile": f"{call.base}/{user}"}
    return {
        "user_id": user,
        "organization_id": org.id,
        "preferred_username": text("Username"),
        "nickname": text("CommunityNickname"),
        "name": text("Name"),
        "email": text("Email"),
        "email_verified": True,
        "given_name": text("FirstName"),
        "family_name": text("LastName"),
        "zoneinfo": text("TimeZoneSidKey"),
        "urls": urls,
        "active": slot is not None and table.cell(slot, "IsActive") == TRUE,
        "user_type": "STANDARD",
        "language": text("LanguageLocaleKey"),
        "locale": text("LocaleSidKey"),
        "utcOffset": 0,
    }
