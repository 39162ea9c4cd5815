"""Who asks whom: the name by which the server is called (Host), and the page that the question comes from (Origin).

A page on the internet can make its own name lead to 127.0.0.1 (DNS rebinding) and can open WebSockets to it; neither gets past here.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from ui.guard.refusal import Refusal
from ui.guard.terms import HOW, Terms, is_loopback


def check(scope: Scope, headers: Headers, terms: Terms) -> None:
    """Let through who calls the server by a name of its own and comes from no other site.

    Raises:
        Refusal: 400, 403 or 421.
    """
    here = (scope.get("server") or ("127.0.0.1", None))[0]
    if not terms.token and not _is_own(here):
        raise Refusal(403, f"Nobody is let in at {here} without a login. Start the dashboard with a token: {HOW}.")
    host = _host(headers)
    if not (is_loopback(host) or host in terms.names or _same_address(host, here)):
        raise Refusal(
            421, "The dashboard is not called so. Open it by its address, or add the name to server.allowedHosts in .streamlit/config.toml."
        )
    if "origin" in headers and not all(_place(origin) == headers["host"].lower() for origin in headers.getlist("origin")):
        raise Refusal(403, "This comes from another site. Open the dashboard in a tab of its own.")
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and headers.get("sec-fetch-mode") != "navigate":
        raise Refusal(403, "Another site asks for this. Open the dashboard in a tab of its own.")


def _host(headers: Headers) -> str:
    """The name in the one Host header, without its port."""
    said = headers.getlist("host")
    try:
        (host,) = said
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises where it is no number
    except ValueError:
        parts = None
    if parts is None or parts.netloc != said[0] or not parts.hostname or parts.username is not None:
        raise Refusal(400, "The request names no host, or more than one.")
    return parts.hostname.rstrip(".").lower()


def _place(origin: str) -> str:
    """Host and port of an origin; "" of one that has none, such as "null"."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_own(here: str) -> bool:
    """Whether a request can only come from this machine; a server on a socket file has no address."""
    return here.startswith("/") or is_loopback(here)


def _same_address(host: str, here: str) -> bool:
    """Called by the very address at which it came in: no name, so nobody can have turned it."""
    try:
        return ipaddress.ip_address(host) == ipaddress.ip_address(here)
    except ValueError:
        return False
