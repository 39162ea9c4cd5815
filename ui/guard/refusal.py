"""A no: what is wrong and what to do."""

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send


class Refusal(Exception):  # noqa: N818 - an answer
    """Why a request goes no further: an HTTP status, and a sentence for whoever reads it."""

    def __init__(self, status: int, sentence: str, *, wait: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence
        self.headers = {"Retry-After": str(wait)} if wait else {}  # seconds


async def send_refusal(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the sentence as plain text."""
    await send_response(PlainTextResponse(refusal.sentence + "\n", refusal.status, refusal.headers), scope, receive, send)


async def send_response(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request; a WebSocket is closed before it opens, which the server makes a bare 403: no browser shows a page more of it."""
    if scope["type"] == "websocket":
        await receive()  # the wish to connect
        await send({"type": "websocket.close", "code": 1008})
        return
    response.headers["Cache-Control"] = "no-store"
    await response(scope, receive, send)
