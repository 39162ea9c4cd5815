"""The server: `streamlit run app.py`. The pages, the plotting library from its package, the supervisor of trainings, the guard."""

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import anyio
import cv2  # noqa: F401 - before any page runs: its import fails when Streamlit changes sys.path in another thread meanwhile, and then for good
import streamlit as st
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from fmnist import tuning
from fmnist.bin import clear
from fmnist.engines.local import Supervisor
from fmnist.errors import StoreError
from fmnist.store import Store
from ui import boundary
from ui.guard import start

RETRY_SECONDS = 2.0  # between attempts to open a run store that refuses
WARM_AFTER_SECONDS = 4.0  # the first page comes first: importing PyTorch keeps Python busy for seconds

tuning.spin_briefly()  # evaluations here and trainings beside share the cores
logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
log = logging.getLogger("fmnist.app")
terms = start.agree()


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, object]]:
    """Trainings are looked after as long as the server runs."""
    start.invite(terms)
    warming = threading.Timer(WARM_AFTER_SECONDS, _warm)
    warming.daemon = True
    warming.start()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_supervise)
        yield {}
        tasks.cancel_scope.cancel()


async def _supervise() -> None:
    store = await _open_store()
    supervisor = Supervisor(store)
    supervisor.start()
    try:
        await anyio.to_thread.run_sync(clear, store)
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(supervisor.close)


async def _open_store() -> Store:
    """The run store; while it refuses, the pages say why and this waits for it."""
    complained = False
    while True:
        try:
            return await anyio.to_thread.run_sync(Store)
        except StoreError as error:
            if not complained:
                log.error("no training is started: %s", error)
            complained = True
            await anyio.sleep(RETRY_SECONDS)


def _warm() -> None:
    """Find the dataset and import PyTorch, before a page needs them."""
    from ui import state

    state.dataset_preparation()


app = st.App(
    "ui/main.py",
    lifespan=lifespan,
    routes=[Mount("/assets", StaticFiles(directory=str(files("plotly") / "package_data")))],
    middleware=[start.middleware(terms)],
    on_script_error=boundary.show,
)
