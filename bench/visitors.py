"""Visitors of a running dashboard: real browsers, and clients that speak its protocol alone and so cost this machine next to nothing."""

import asyncio
import random
import shutil
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import Browser, async_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

LIGHT, HEAVY = ("", "train", "runs", "compare", "sweep"), ("evaluate", "explore", "try_it")
PATIENCE = 120.0  # seconds for a page; what takes longer has failed
THINKS = (1.0, 4.0)  # seconds between an answer and the next page
BUSY = (429, 503)  # the guard of the server asks to come later


@dataclass
class Diary:
    """What visitors have seen."""

    seconds: dict[str, list[float]] = field(default_factory=dict)  # by page
    failures: list[str] = field(default_factory=list)

    def wrote(self, page: str, begun: float) -> None:
        self.seconds.setdefault(page or "overview", []).append(time.monotonic() - begun)


async def client(url: str, until: float, diary: Diary, chance: random.Random) -> None:
    """A session that opens page after page by the protocol; a failure ends it."""
    try:
        async with await _enter(url) as socket:
            while time.monotonic() < until:
                page, begun = chance.choice(LIGHT + HEAVY), time.monotonic()
                await look(socket, page)
                diary.wrote(page, begun)
                await asyncio.sleep(chance.uniform(*THINKS))
    except (WebSocketException, OSError, TimeoutError, ValueError) as error:
        diary.failures.append(f"client: {type(error).__name__} {error}")


async def come_and_go(url: str, page: str = "") -> None:
    """A session that reads one page and leaves."""
    async with await _enter(url) as socket:
        await look(socket, page)


async def _enter(url: str) -> ClientConnection:
    """A connection; where there are too many already, as soon as there is room."""
    while True:
        try:
            return await connect(f"ws://{urlsplit(url).netloc}/_stcore/stream", origin=url, subprotocols=["streamlit"], max_size=None)  # type: ignore[arg-type]
        except InvalidStatus as error:
            if error.response.status_code not in BUSY:
                raise
            await asyncio.sleep(1.0)


async def look(socket: ClientConnection, page: str) -> None:
    """Ask for a page, and take all of it.

    Raises:
        ValueError: the page shows an error.
        TimeoutError: it was not there in time.
    """
    asked = BackMsg()
    asked.rerun_script.page_name = page
    await socket.send(asked.SerializeToString())
    async with asyncio.timeout(PATIENCE):
        while True:
            said = ForwardMsg.FromString(await socket.recv(decode=False))
            kind = said.WhichOneof("type")
            if kind == "delta" and said.delta.new_element.WhichOneof("type") == "exception":
                raise ValueError(f"{page}: {said.delta.new_element.exception.message}")
            if kind == "delta" and "logged as error" in said.delta.new_element.alert.body:
                raise ValueError(f"{page}: {said.delta.new_element.alert.body}")
            if kind == "script_finished" and said.script_finished in (
                ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
                ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
            ):
                raise ValueError(f"{page}: its script ended as {said.script_finished}")
            if kind == "script_finished" and said.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return


async def browsers(url: str, count: int, until: float, diary: Diary) -> None:
    """Real browser sessions that open page after page."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        await asyncio.gather(*(_browse(started, url, until, diary, random.Random(number)) for number in range(count)))
        await started.close()


async def _browse(browser: Browser, url: str, until: float, diary: Diary, chance: random.Random) -> None:
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(1_000 * PATIENCE)
    page.on("pageerror", lambda error: diary.failures.append(f"browser: {error}"))
    await page.goto(url)
    try:
        while time.monotonic() < until:
            name, begun = chance.choice(LIGHT + HEAVY), time.monotonic()
            await page.locator(f"[data-testid=stSidebarNavLink][href$='/{name}']").click()
            await page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
            diary.wrote(name, begun)
            if await page.get_by_text("logged as error").count() or await page.locator("[data-testid=stException]").count():
                diary.failures.append(f"browser: an error on {name}")
            await asyncio.sleep(chance.uniform(*THINKS))
    except Exception as error:  # of Playwright's: whatever it is, this session has failed
        diary.failures.append(f"browser: {error}")
