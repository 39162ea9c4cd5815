"""The server: `streamlit run app.py`. The pages, the plotting library from the installed package, and the supervisor of trainings."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import streamlit as st
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from fmnist.engines.local import Supervisor
from fmnist.store import Store
from ui import boundary

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, object]]:
    supervisor = Supervisor(Store())
    supervisor.start()
    yield {}
    supervisor.close()


app = st.App(
    "ui/main.py",
    lifespan=lifespan,
    routes=[Mount("/assets", StaticFiles(directory=str(files("plotly") / "package_data")))],
    on_script_error=boundary.show,
)
