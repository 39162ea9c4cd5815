"""The token from the terminal, exchanged for a cookie that no script can read: once for each browser.

The token is in an address only until the first answer, which leads to the same address without it.
"""

import hmac
import secrets
from html import escape
from importlib.resources import files
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope

from ui.guard import headers as page_headers
from ui.guard.limits import TRIES_A_MINUTE, Allowance, length_of
from ui.guard.terms import FIELD

MOST_BYTES = 4_096  # of a form
_PAGE = (files("ui.guard") / "login.html").read_text(encoding="utf-8")
_STYLE = _PAGE.partition("<style>")[2].partition("</style>")[0]
_POLICY = page_headers.policy_of_a_form([_STYLE])
_AGAIN = '<meta http-equiv="refresh" content="0">'
WRONG = "This is not the token. The terminal that runs the dashboard shows it, in the address behind “token=”."
TOO_OFTEN = f"{TRIES_A_MINUTE} wrong tokens within a minute. Wait a minute, then try again."


class Login:
    """Who has shown the token, and who has to.

    Args:
        token: what the terminal has printed.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._pass = secrets.token_urlsafe(32)  # what the cookie holds: not the token, which can be shown again
        self._tries = Allowance(TRIES_A_MINUTE)

    def knows(self, scope: Scope, headers: Headers) -> bool:
        """Whether the request brings the cookie."""
        cookies = cookie_parser("; ".join(headers.getlist("cookie")))
        return hmac.compare_digest(cookies.get(_cookie_name(scope), "").encode(), self._pass.encode())

    async def answer(self, scope: Scope, headers: Headers, receive: Receive) -> Response:
        """To somebody without the cookie: the cookie for the token, or the page that asks for it."""
        if scope["type"] == "websocket":
            return PlainTextResponse("Log in first: open the dashboard in a browser.\n", 401)
        shown = await _shown(scope, headers, receive)
        if shown is None:
            return self._ask(scope, headers, 401, "")
        who = (scope.get("client") or ("", 0))[0]
        if not self._tries.has(who):
            return self._ask(scope, headers, 429, TOO_OFTEN)
        if not hmac.compare_digest(shown.encode(), self._token.encode()):
            self._tries.take(who)
            return self._ask(scope, headers, 401, WRONG)
        return self._welcome(scope)

    def _welcome(self, scope: Scope) -> Response:
        response = RedirectResponse(without_token(scope), 303)
        secure = scope.get("scheme") in ("https", "wss")
        response.set_cookie(_cookie_name(scope), self._pass, httponly=True, samesite="strict", secure=secure, path="/")
        return response

    def _ask(self, scope: Scope, headers: Headers, status: int, complaint: str) -> Response:
        """The page with the form for a browser, a sentence for a program."""
        retry = {"Retry-After": "60"} if status == 429 else {}
        if "text/html" not in headers.get("accept", ""):
            return PlainTextResponse((complaint or "Log in first: open the dashboard in a browser.") + "\n", status, retry)
        # A link on another site leaves a strict cookie at home; a reload, which comes from this page, brings it.
        again = _AGAIN if headers.get("sec-fetch-site") in ("cross-site", "same-site") and scope["method"] == "GET" else ""
        page = _PAGE.replace("<!-- again -->", again).replace("<!-- complaint -->", escape(complaint))
        page = page.replace("<!-- where -->", escape(without_token(scope)))
        return HTMLResponse(page, status, {"Content-Security-Policy": _POLICY, **retry})


def without_token(scope: Scope) -> str:
    """The address that was asked for, on this server and without the token."""
    path = "/" + quote(scope["path"].lstrip("/\\"))  # "//name" would lead to another server
    query = [(key, value) for key, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True) if key != FIELD]
    return path + ("?" + urlencode(query) if query else "")


async def _shown(scope: Scope, headers: Headers, receive: Receive) -> str | None:
    """The token that somebody shows, in the address or in the form; None where nobody does."""
    if scope["method"] == "GET":
        return parse_qs(scope["query_string"].decode("latin-1")).get(FIELD, [None])[0]
    if scope["method"] != "POST" or headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        return None
    if length_of(headers) > MOST_BYTES:
        return None
    body = await Request(scope, receive).body()
    return parse_qs(body.decode("latin-1")).get(FIELD, [""])[0].strip()


def _cookie_name(scope: Scope) -> str:
    """One for each port: browsers do not tell ports apart."""
    return f"fmnist-{(scope.get('server') or ('', 0))[1]}"
