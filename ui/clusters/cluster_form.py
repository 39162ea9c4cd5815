"""The form of a cluster: a new one, or another address, storage or token for one that is known.

The token that a person types is taken out of the session the moment the button is pressed, and goes into a file of its own.
"""

import streamlit as st

from fmnist.clusters import Cluster, Clusters
from fmnist.errors import FmnistError
from ui import notice, state
from ui.labels import plain

_PROBLEM = "clusters.problem"  # key of the form -> the sentence that the last try came to
FIELDS = ("name", "address", "storage", "token", "token_file")


def add() -> None:
    """Ask for a new cluster."""
    _form("clusters.new", None, "Add the cluster")


def change(cluster: Cluster) -> None:
    """Ask for what shall be otherwise."""
    _form(f"clusters.change.{cluster.id}", cluster, "Save")


def _form(key: str, cluster: Cluster | None, label: str) -> None:
    new = cluster is None
    kept = "" if new else " (empty: as it is)"
    with st.form(key, border=False, enter_to_submit=False):
        with st.grid(2, min_column_width=220):
            st.text_input("Name", _of(cluster, "name"), key=f"{key}.name", max_chars=64, placeholder="lab")
            st.text_input(
                "Address", _of(cluster, "address"), key=f"{key}.address", placeholder="http://head:8265", help="Of the head's dashboard."
            )
            st.text_input(
                "Storage",
                _of(cluster, "storage"),
                key=f"{key}.storage",
                placeholder="/nfs/fmnist",
                help="Where checkpoints are kept: a folder that every node and this machine reach under the same path, or s3://bucket/folder.",
            )
            st.text_input(
                f"Token{kept}",
                key=f"{key}.token",
                type="password",
                autocomplete="off",
                help="It is kept in a file that only you can read, and never shown.",
            )
            st.text_input(f"or a file that has the token{kept}", key=f"{key}.token_file", placeholder="~/.ray/auth_token")
        st.form_submit_button(label, icon=":material/check:", type="primary", on_click=_save, args=(key, cluster))
    if problem := st.session_state.pop(f"{_PROBLEM}.{key}", None):
        st.error(plain(problem), icon=":material/error:")


def _of(cluster: Cluster | None, field: str) -> str:
    return getattr(cluster, field) if cluster else ""


def _save(key: str, cluster: Cluster | None) -> None:
    """Before the page is drawn again: so the token is in no widget any more."""
    given = {field: str(st.session_state.get(f"{key}.{field}") or "").strip() for field in FIELDS}
    st.session_state[f"{key}.token"] = ""
    token, file = given["token"] or None, given["token_file"] or None
    known = Clusters(state.store())
    try:
        if cluster is None:
            saved = known.add(given["name"], given["address"], given["storage"], token=token, token_file=file)
        else:
            saved = known.change(
                cluster, name=given["name"], address=given["address"], storage=given["storage"], token=token, token_file=file
            )
    except FmnistError as error:
        st.session_state[f"{_PROBLEM}.{key}"] = str(error)
        return
    if cluster is None:
        for field in FIELDS:
            st.session_state[f"{key}.{field}"] = ""
    notice.later(f"{saved.name} is kept. What it answers stands below.")
