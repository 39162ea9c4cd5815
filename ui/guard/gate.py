"""The gate: asks the rules of this folder in their order, then lets a request through, or says why not."""

import contextlib
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.guard import headers as page_headers
from ui.guard import sender
from ui.guard.limits import Bodies, Sessions
from ui.guard.login import Login
from ui.guard.refusal import Refusal, send_refusal, send_response
from ui.guard.terms import Terms


class Guard:
    """Middleware around the whole server: every route, also those that are added later, and every WebSocket.

    Args:
        app: what is guarded.
        terms: who is let in.
        page: the HTML of Streamlit's page, whose own scripts are allowed.
        held: how many bytes of uploads lie in memory.
    """

    def __init__(self, app: ASGIApp, terms: Terms, page: str = "", held: Callable[[], int] = lambda: 0) -> None:
        self._app, self._terms = app, terms
        self._policy = page_headers.policy(page)
        self._login = Login(terms.token) if terms.token else None
        self._sessions, self._bodies = Sessions(), Bodies(held)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):  # the server's own start and end
            await self._app(scope, receive, send)
            return
        send = page_headers.added(send, self._policy)
        try:
            await self._let_through(scope, receive, send)
        except Refusal as refusal:
            await send_refusal(refusal, scope, receive, send)

    async def _let_through(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        sender.check(scope, headers, self._terms)
        if self._login and not self._login.knows(scope, headers):
            await send_response(await self._login.answer(scope, headers, receive), scope, receive, send)
            return
        if scope["type"] == "websocket":
            with self._sessions.one_more(_who(scope)):
                await self._app(scope, _of_bytes(receive, send), _to_whoever_is_there(send))
            return
        self._bodies.check(scope, headers)
        if headers.get("sec-fetch-mode") == "navigate":
            self._sessions.check_room()
        await self._app(scope, receive, send)


def _of_bytes(receive: Receive, send: Send) -> Receive:
    """What a WebSocket says, until it sends text: Streamlit speaks in bytes, and writes a traceback for each line of text."""

    async def receiving() -> Message:
        message = await receive()
        if message["type"] != "websocket.receive" or message.get("bytes") is not None:
            return message
        await send({"type": "websocket.close", "code": 1003})
        return {"type": "websocket.disconnect", "code": 1003}

    return receiving


def _to_whoever_is_there(send: Send) -> Send:
    """What is said to a tab that was closed meanwhile is dropped; Streamlit takes the error for a line of text, and logs a traceback."""

    async def sending(message: Message) -> None:
        with contextlib.suppress(OSError):
            await send(message)

    return sending


def _who(scope: Scope) -> str:
    return (scope.get("client") or ("", 0))[0]
