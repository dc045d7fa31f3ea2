"""What a request must be before it is answered: of this machine or with the token, of our page, not too large.

The page shows what is on the user's disk, so other pages that the browser has open must not reach it. A name of theirs
that is made to point here (DNS rebinding) fails by its Host; a form or script of theirs by its Origin, by what browsers
say of it (Sec-Fetch-Site), and by the kind of its content. No text of ours is run as a script: see POLICY.

A program sends none of this, and so do browsers of before 2023 without Sec-Fetch-Site. A GET of the API that says
nothing of where it is from is answered all the same, so that curl needs no header: another page cannot read the answer,
whose headers keep it to our own. What such a browser asks for as a picture, a sound or a style is refused, as is what
refers to another host: it would set us to work.
"""

import asyncio
import hmac
import html
import ipaddress
import json
import re
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from firth.errors import UsageError
from firth.explorer import translations
from firth.files import printable

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

LOCAL: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""The hosts by which this machine calls itself."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MOST_BYTES: Final = 1 << 20
"""Of the body of a request."""
BODY_SECONDS: Final = 15.0
"""In which a body has to come."""
COOKIE: Final = "firth_token"
"""Opens all; browsers send it with what our own page asks."""
PAGE_COOKIE: Final = "firth_page"
"""Opens the pages, not the API; browsers send it with links from elsewhere too."""
MOST_QUERY_BYTES: Final = 16_384

_REFUSALS: Final = {
    "host": 400,
    "token": 401,
    "foreign": 403,
    "slow": 408,
    "address": 413,
    "body": 413,
    "kind": 415,
    "broken": 500,
}
"""Why a request is not answered, and the status that says so; the words are among the texts of the pages."""

_HEADERS: Final = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_PARTS_OF_PAGES: Final = ("image/", "audio/", "video/", "text/css")
"""What the Accept of a browser begins with that asks for a part of a page."""
_ORIGIN: Final = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?/?")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_ELSEWHERE: Final = ("192.0.2.1", "2001:db8::1")
"""Addresses that no machine has: RFC 5737 and RFC 3849."""


class Guard:
    """An application behind the checks of this file."""

    def __init__(
        self, application: Application, *, hosts: Iterable[str] = (), token: str | None = None, cors: Iterable[str] = ()
    ) -> None:
        """Lets requests through that ask one of `hosts`, or this machine, and have the token if there is one.

        Args:
            application: What answers.
            hosts: Names under which the server is reached, beside those of LOCAL.
            token: What a request must know; None where anyone on this machine may ask.
            cors: Origins of other pages that may ask the API.

        Raises:
            UsageError: one of `cors` is no origin.
        """
        self._application = application
        self._hosts = LOCAL | {host.lower() for host in hosts}
        self._token = token
        self._cors = frozenset(origin_of(one) for one in cors)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers one request, or has the application answer it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = _headers(scope)
        origin = headers.get("origin")
        is_allowed = origin in self._cors if origin is not None else False
        told = list(_HEADERS)
        if is_allowed and origin is not None:
            told = [header for header in told if header[0] != b"cross-origin-resource-policy"]
            told += [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]
            told += [(b"cross-origin-resource-policy", b"cross-origin")]
        is_begun = False

        async def sent(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                own = {name for name, _ in told}
                message["headers"] = [*told, *((k, v) for k, v in message.get("headers", []) if k.lower() not in own)]
            await send(message)

        refused = self._refused(scope, headers, is_allowed)
        if refused is not None:
            await _answer(sent, scope, headers, refused)
            return
        if scope["method"] == "OPTIONS" and is_allowed:
            await _preflight(sent)
            return
        if self._token is not None and not self._knows_token(scope, headers):
            if not await self._takes_token(scope, sent):
                await _answer(sent, scope, headers, "token")
            return
        try:
            body = await asyncio.wait_for(_body(receive), BODY_SECONDS)
        except TimeoutError:
            await _answer(sent, scope, headers, "slow")
            return
        except _TooLargeError:
            await _answer(sent, scope, headers, "body")
            return
        if body is None:
            return
        try:
            await self._application(scope, _given(body, receive), sent)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            if not is_begun:
                await _answer(sent, scope, headers, "broken")

    def _refused(self, scope: Message, headers: dict[str, str], is_allowed: bool) -> str | None:
        """Why a request is not answered, as _REFUSALS names it; None where it may be."""
        host = _host(headers.get("host", ""))
        if host not in self._hosts and host != _address_asked(scope):
            return "host"
        if len(scope.get("query_string", b"")) > MOST_QUERY_BYTES:
            return "address"
        if headers.get("content-length", "0").isdecimal() and int(headers.get("content-length", "0")) > MOST_BYTES:
            return "body"
        if is_allowed:
            return None if scope["method"] != "POST" else _refused_type(headers)
        site = headers.get("sec-fetch-site", "none")
        own = f"{scope.get('scheme', 'http')}://{headers['host']}".lower()
        is_foreign = headers.get("origin", own).lower() != own or site not in ("same-origin", "none")
        if "sec-fetch-site" not in headers:
            is_foreign = (
                is_foreign
                or urlsplit(headers.get("referer", own)).netloc.lower() != headers["host"].lower()
                or headers.get("accept", "").lower().startswith(_PARTS_OF_PAGES)
            )
        if is_foreign and (scope["method"] != "GET" or scope["path"].startswith("/api")):
            return "foreign"
        return _refused_type(headers) if scope["method"] == "POST" else None

    def _knows_token(self, scope: Message, headers: dict[str, str]) -> bool:
        given = []
        scheme, _, told = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            given.append(told.strip())
        cookies = _cookies(headers)
        is_page = scope["method"] == "GET" and not scope["path"].startswith("/api")
        names = (COOKIE, PAGE_COOKIE) if is_page else (COOKIE,)
        given += [cookies[name].value for name in names if name in cookies]
        return any(hmac.compare_digest(one.encode(), str(self._token).encode()) for one in given)

    async def _takes_token(self, scope: Message, send: Send) -> bool:
        """Turns the token of an address into a cookie, and asks for the address without it; whether there was one."""
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == "token"]
        if scope["method"] != "GET" or not given:
            return False
        if not hmac.compare_digest(given[-1].encode(), str(self._token).encode()):
            return False
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + str(scope["path"]).lstrip("/")
        place = f"{path}?{rest}" if rest else path
        headers = [(b"location", place.encode("ascii", "ignore"))]
        for name, site in ((COOKIE, "Strict"), (PAGE_COOKIE, "Lax")):
            cookie = f"{name}={self._token}; Path=/; HttpOnly; SameSite={site}"
            headers.append((b"set-cookie", cookie.encode("latin-1")))
        await send({"type": "http.response.start", "status": 303, "headers": [*headers, (b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return True


def names_of(host: str) -> set[str]:
    """The names under which an address that is listened on is reached: all of this machine's, where it is all."""
    if host not in ("0.0.0.0", "::", "[::]", ""):
        return {_bracketed(host)}
    names = {socket.gethostname(), socket.getfqdn()}
    names |= {_bracketed(own) for own in map(own_address, (socket.AF_INET, socket.AF_INET6)) if own is not None}
    try:
        found = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        found = []
    names |= {_bracketed(str(address[0])) for *_, address in found}
    return names


def own_address(family: socket.AddressFamily) -> str | None:
    """The address by which other machines reach this one, by IPv4 or IPv6; None where none is. Nothing is sent."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((_ELSEWHERE[family == socket.AF_INET6], 9))
            return str(asked.getsockname()[0])
    except OSError:
        return None


def address_of(bound: socket.socket) -> str:
    """The http:// address at which a socket that listens is reached, by other machines too where it listens to all."""
    host, port = str(bound.getsockname()[0]), int(bound.getsockname()[1])
    if host == "0.0.0.0":
        host = own_address(socket.AF_INET) or "127.0.0.1"
    elif host == "::":
        is_of_both = not bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        host = own_address(socket.AF_INET6) or (own_address(socket.AF_INET) if is_of_both else None) or "::1"
    return f"http://{_bracketed(host)}:{port}/"


def origin_of(text: str) -> str:
    """An origin as browsers write it in the header Origin: without the port that is the scheme's own, or a slash.

    >>> origin_of("HTTP://Localhost:80/")
    'http://localhost'

    Raises:
        UsageError: it is none, or stands for several.
    """
    found = _ORIGIN.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(
            f"--cors {printable(text[:200])} is no origin of a page; scheme, host and port make one, "
            "as http://localhost:3000"
        )
    scheme, host, port = found.groups()
    return f"{scheme}://{host}{'' if port is None or port == _DEFAULT_PORTS.get(scheme) else port}"


class _TooLargeError(Exception):
    """A body of more than MOST_BYTES."""


def _headers(scope: Message) -> dict[str, str]:
    """The headers by lower-case names; of a Host that is given twice, something that no host is called."""
    found: dict[str, str] = {}
    for name, value in scope.get("headers", []):
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _host(value: str) -> str:
    """The host of a Host header, without its port."""
    value = value.strip().lower()
    if value.startswith("["):
        name, bracket, port = value.partition("]")
        is_well_formed = bracket and (not port or (port[0] == ":" and port[1:].isdecimal()))
        return f"{name}]" if is_well_formed else ""
    name, colon, port = value.partition(":")
    return name if not colon or port.isdecimal() else ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _address_asked(scope: Message) -> str | None:
    """The address of this machine at which a request has come, as a Host header has it; None where it is a name.

    No name that was made to point here is an address.
    """
    try:
        address = ipaddress.ip_address(str((scope.get("server") or ("",))[0]))
    except ValueError:
        return None
    return _bracketed(str(getattr(address, "ipv4_mapped", None) or address))


def _refused_type(headers: dict[str, str]) -> str | None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return None if kind == "application/json" else "kind"


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None where the client has gone."""
    parts: list[bytes] = []
    n_bytes = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        n_bytes += len(part)
        if n_bytes > MOST_BYTES:
            raise _TooLargeError
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _given(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def given() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return given


def _cookies(headers: dict[str, str]) -> SimpleCookie:
    try:
        return SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return SimpleCookie()


def _language(scope: Message, headers: dict[str, str]) -> str:
    """The language of a page that says why there is none."""
    query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
    cookies = _cookies(headers)
    remembered = cookies[translations.COOKIE].value if translations.COOKIE in cookies else ""
    return translations.language(query.get("lang", ""), remembered, headers.get("accept-language", ""))


async def _answer(send: Send, scope: Message, headers: dict[str, str], why: str) -> None:
    """Says what is wrong: on a page in the reader's language, where a page is accepted, else in JSON."""
    is_page = "text/html" in headers.get("accept", "").lower()
    language = _language(scope, headers) if is_page else "en"
    texts = translations.texts(language)
    limits = {"address": f"{MOST_QUERY_BYTES:,}", "body": f"{MOST_BYTES:,}"}
    fault, what_to_do = (texts[f"refused-{why}{part}"].format(**limits) for part in ("", "-advice"))
    if is_page:
        kind = b"text/html; charset=utf-8"
        head = '<meta name="viewport" content="width=device-width, initial-scale=1"><title>firth</title>'
        text = f"<h1>{html.escape(fault)}</h1><p>{html.escape(what_to_do)}"
        body = f'<!doctype html><html lang="{translations.tag(language)}">{head}{text}'.encode()
    else:
        kind = b"application/json"
        told = {"error": fault, "what_to_do": what_to_do, "code": f"refused-{why}", "values": limits}
        body = json.dumps(told).encode()
    status = _REFUSALS[why]
    answered = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": answered})
    await send({"type": "http.response.body", "body": body})


async def _preflight(send: Send) -> None:
    headers = [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"content-type, authorization"),
        (b"access-control-max-age", b"600"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
