"""The guard as Streamlit's configuration and the command line want it; the rest of this folder knows nothing of Streamlit."""

import sys
from importlib.resources import files

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime import Runtime
from streamlit.runtime.stats import CacheStat

from fmnist.errors import AccessError
from ui.guard import terms
from ui.guard.gate import Guard

EVERYWHERE = ("0.0.0.0", "::")


def agree() -> terms.Terms:
    """Who is let in; the process ends here, with a sentence, where that would be everybody."""
    names = [*st.get_option("server.allowedHosts"), st.get_option("browser.serverAddress") or ""]
    try:
        return terms.agree(st.get_option("server.address"), names, sys.argv[1:])
    except AccessError as error:
        raise SystemExit(f"\n{error}\n") from None


def middleware(agreed: terms.Terms) -> Middleware:
    """The guard, for `st.App`."""
    page = (files("streamlit") / "static" / "index.html").read_text(encoding="utf-8")
    return Middleware(Guard, terms=agreed, page=page, held=_held_bytes)


def invite(agreed: terms.Terms) -> None:
    """The terminal says where the dashboard is. A token is written here and nowhere else."""
    address, name = st.get_option("server.address"), st.get_option("browser.serverAddress")
    host = name if not address or address in EVERYWHERE or name != "localhost" else address
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{st.get_option('server.port')}"
    sys.stdout.write(terms.invitation(agreed, url))
    sys.stdout.flush()


def _held_bytes() -> int:
    """How much of what visitors have uploaded lies in memory."""
    found = Runtime.instance().uploaded_file_mgr.get_stats()
    return sum(stat.byte_length for stats in found.values() for stat in stats if isinstance(stat, CacheStat))
