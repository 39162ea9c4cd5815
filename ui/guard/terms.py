"""What the server demands of whoever comes: decided once, when it starts."""

import ipaddress
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fmnist.errors import AccessError

FIELD = "token"  # in an address and in the form
FLAG = "--token"  # behind Streamlit's own options: `streamlit run app.py -- --token`
HOW = f"`streamlit run app.py --server.address=0.0.0.0 --browser.serverAddress=NAME -- {FLAG}`"


@dataclass(frozen=True)
class Terms:
    """Under which terms somebody is let in."""

    names: frozenset[str] = frozenset({"localhost"})  # by which the server may be called, besides its own addresses
    token: str | None = field(default=None, repr=False)  # what has to be shown once; None: nobody has to log in


def agree(address: str | None, names: Iterable[str], arguments: Sequence[str]) -> Terms:
    """The terms for a server at an address.

    Args:
        address: what it listens on; None means all addresses.
        names: further host names by which people call it.
        arguments: the words behind `--` on the command line; with `--token` a new token is made.

    Raises:
        AccessError: other machines would reach it, and nobody would have to log in.
    """
    if FLAG not in arguments and not is_loopback(address or ""):
        raise AccessError(
            f"The address {address or '0.0.0.0'} can be reached from other machines, and nobody would have to log in. Start with a token, "
            f"{HOW}, or leave the address at 127.0.0.1; docs/security.md has the other ways."
        )
    called = {name.strip().rstrip(".").lower() for name in (*names, address or "") if name}
    return Terms(frozenset(called | {"localhost"}), secrets.token_urlsafe(32) if FLAG in arguments else None)


def is_loopback(host: str) -> bool:
    """Whether an address or a name means this machine and nothing else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def invitation(terms: Terms, url: str) -> str:
    """What the terminal says, once: the address of the dashboard, with the token in it where somebody has to log in."""
    if not terms.token:
        return f"\n  The dashboard is at {url}\n\n"
    host = urlsplit(url).hostname or ""
    warning = "" if url.startswith("https:") or is_loopback(host) else "\n  Nothing is encrypted on the way; docs/security.md says how to."
    words = f"  The dashboard asks for a token; it is in this address, and valid until the server ends.{warning}"
    return f"\n{words}\n\n    {url}/?{FIELD}={terms.token}\n\n"
