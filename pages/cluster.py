"""Other places to train: add a cluster, see whether it answers and what it does."""

import streamlit as st

from fmnist.clusters import Clusters
from ui import notice, state
from ui.clusters import cluster_form, cluster_panel

st.title("Clusters", anchor=False)
notice.show()
known = Clusters(state.store()).list()
if not known:
    with st.container(border=True):
        st.markdown(
            "**No cluster yet.** A cluster is for what one machine is too small for: many trials of a sweep at once, or one training on "
            "several GPUs. It is Ray's: any machine, or many, on which Ray and this studio are installed. For trying it out, "
            "`make cluster` in a terminal starts one of two nodes on this machine and adds it here."
        )
for cluster in known:
    cluster_panel.show(cluster)
with st.expander("Add a cluster", icon=":material/add:", expanded=not known, key="clusters.add"):
    cluster_form.add()
