"""The partner and enterprise login call of the SOAP API, for old clients (protocol §1.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from .cells import NULL, cell_text
from .errors import SoapFault
from .http import Call, Reply
from .org import RELEASES, Org

LAST_WITH_LOGIN = 64.0
LAST_RETIRED = 30.0
WSDLS = {"u": "partner", "c": "enterprise"}
_PATH = re.compile(r"/services/soap/([uc])/(\d+(?:\.\d)?)(?:/.*)?")
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"{namespaces}'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>'
)


def find(path: str) -> Callable[[Org, Call], Reply] | None:
    """The login call of a path, if it is one of the SOAP API's."""
    match = _PATH.fullmatch(path)
    return None if match is None else partial(_answer, wsdl=match[1], version=match[2])


def _answer(org: Org, call: Call, wsdl: str, version: str) -> Reply:
    try:
        return _reply(200, f' xmlns="urn:{WSDLS[wsdl]}.soap.sforce.com"', _login(org, call, wsdl, version))
    except SoapFault as fault:
        body = (
            f"<soapenv:Fault><faultcode>sf:{fault.code}</faultcode>"
            f"<faultstring>{fault.code}: {escape(fault.message)}</faultstring>"
            f'<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{fault.code}</sf:exceptionCode>'
            f"<sf:exceptionMessage>{escape(fault.message)}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
        )
        return _reply(500, f' xmlns:sf="urn:fault.{WSDLS[wsdl]}.soap.sforce.com"', body)


def _reply(status: int, namespaces: str, body: str) -> Reply:
    envelope = _ENVELOPE.format(namespaces=namespaces, body=body)
    return Reply(status, envelope.encode(), {"Content-Type": "text/xml; charset=utf-8"})


def _login(org: Org, call: Call, wsdl: str, version: str) -> str:
    number = float(version)
    if number <= LAST_RETIRED or f"{number:.1f}" not in RELEASES:
        raise SoapFault("UNSUPPORTED_API_VERSION", f"Invalid Api version specified on URL: {version}")
    given = _arguments(call.body)
    if number > LAST_WITH_LOGIN:
        raise SoapFault("INVALID_OPERATION", f"login() is not available in API version {version}")
    user, token = org.auth.password_session(given.get("username", ""), given.get("password", ""))
    base, short = call.base, org.id[:15]
    return (
        "<loginResponse><result>"
        f"<metadataServerUrl>{base}/services/Soap/m/{version}/{short}</metadataServerUrl>"
        "<passwordExpired>false</passwordExpired><sandbox>false</sandbox>"
        f"<serverUrl>{base}/services/Soap/{wsdl}/{version}/{short}</serverUrl>"
        f"<sessionId>{escape(token)}</sessionId><userId>{user}</userId>"
        f"<userInfo>{_user_info(org, user)}</userInfo>"
        "</result></loginResponse>"
    )


def _arguments(body: bytes) -> dict[str, str]:
    """The arguments of the login element, whatever its namespace is called."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - the caller may stop this org anyway
    except ElementTree.ParseError as error:
        raise SoapFault("UNKNOWN_EXCEPTION", f"The request is not XML: {error}") from None
    login = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "login"), None)
    if login is None:
        raise SoapFault("INVALID_OPERATION", "The only operation of this org's SOAP API is login")
    return {child.tag.rpartition("}")[2]: child.text or "" for child in login}


def _user_info(org: Org, user: str) -> str:
    table = org.tables["User"]
    slot = table.slot(user)

    def text(name: str) -> str:
        cell = NULL if slot is None else table.cell(slot, name)
        return "" if cell == NULL else cell_text(cell)

    # Some clients read these by position.
    values = {
        "accessibilityMode": "false",
        "chatterExternal": "false",
        "currencySymbol": "$",
        "orgAttachmentFileSizeLimit": "5242880",
        "orgDefaultCurrencyIsoCode": "USD",
        "orgDefaultCurrencyLocale": "en_US",
        "orgDisallowHtmlAttachments": "false",
        "orgHasPersonAccounts": "false",
        "organizationId": org.id,
        "organizationMultiCurrency": "false",
        "organizationName": "Local Org",
        "profileId": text("ProfileId"),
        "roleId": text("UserRoleId"),
        "sessionSecondsValid": str(int(org.auth.session_seconds)),
        "userDefaultCurrencyIsoCode": "",
        "userEmail": text("Email"),
        "userFullName": text("Name"),
        "userId": user,
        "userLanguage": text("LanguageLocaleKey"),
        "userLocale": text("LocaleSidKey"),
        "userName": text("Username"),
        "userTimeZone": text("TimeZoneSidKey"),
        "userType": "Standard",
        "userUiSkin": "Theme3",
    }
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
