"""The guard before the server, as pure ASGI: who is let in, who is not, and what every answer carries. Nothing is started."""

import asyncio
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from fmnist.errors import AccessError
from ui.guard import limits, terms
from ui.guard.gate import Guard
from ui.guard.headers import FIXED, policy
from ui.guard.limits import Allowance
from ui.guard.login import without_token
from ui.guard.terms import Terms, agree

TOKEN = "the-token"
OPEN, CLOSED = Terms(), Terms(token=TOKEN)
HTML = {"accept": "text/html,*/*"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """What is guarded: says yes to everything."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await scope["until"]()
    else:
        await PlainTextResponse("let in")(scope, receive, send)


def scope_of(kind: str = "http", path: str = "/", here: str = "127.0.0.1", who: str = "127.0.0.1", **said: str) -> Scope:
    """A request; headers as keywords, with _ for -."""
    headers = {
        "host": "127.0.0.1:8501",
        **{name.replace("_", "-"): value for name, value in said.items() if name not in ("method", "query")},
    }
    return {
        "type": kind,
        "method": said.get("method", "GET"),
        "path": path,
        "query_string": said.get("query", "").encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "server": (here, 8501),
        "client": (who, 50_000),
        "scheme": "http",
    }


async def ask(guard: Guard, scope: Scope, body: bytes = b"") -> Answer:
    """Ask once; status 101 is an open WebSocket, which stays so until the scope's `until` is over, and 403 one that was not opened."""
    answer = Answer(0)
    first: Message = (
        {"type": "websocket.connect"} if scope["type"] == "websocket" else {"type": "http.request", "body": body, "more_body": False}
    )

    async def receive() -> Message:
        return first

    async def send(message: Message) -> None:
        if message["type"] == "websocket.accept":
            answer.status = 101
        if message["type"] == "websocket.close":
            answer.status = 403
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        answer.body += message.get("body", b"")

    async def until() -> None: ...

    await guard({"until": until, **scope}, receive, send)
    return answer


def get(guard: Guard, path: str = "/", body: bytes = b"", **said: str) -> Answer:
    return asyncio.run(ask(guard, scope_of(path=path, **said), body))


def connect(guard: Guard, **said: str) -> Answer:
    return asyncio.run(ask(guard, scope_of("websocket", "/_stcore/stream", **said)))


def cookie_of(answer: Answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


# ---- who the server is called, and from where ----


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8501", "localhost:9000", "LOCALHOST", "localhost.", "[::1]:8501", "127.9.9.9"])
def test_it_answers_to_the_names_of_this_machine(host: str) -> None:
    assert (get(Guard(_app, OPEN), host=host).status, connect(Guard(_app, OPEN), host=host).status) == (200, 101)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:8501", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.1", 421),
        ("0.0.0.0", 421),
        ("127.0.0.1@evil.example", 400),
        ("evil@127.0.0.1", 400),
        ("127.0.0.1/evil", 400),
        ("127.0.0.1:port", 400),
        ("127.0.0.1:99999", 400),
        ("[::1", 400),
        ("", 400),
        (":8501", 400),
        ("127.0.0.1\t", 400),
    ],
)
def test_it_answers_to_no_other_name(host: str, status: int) -> None:
    assert (get(Guard(_app, OPEN), host=host).status, connect(Guard(_app, OPEN), host=host).status) == (status, 403)


def test_two_hosts_or_none_are_refused() -> None:
    for hosts in ([], ["127.0.0.1", "127.0.0.1"], ["127.0.0.1", "evil.example"]):
        scope = scope_of()
        scope["headers"] = [(b"host", host.encode()) for host in hosts]
        assert asyncio.run(ask(Guard(_app, OPEN), scope)).status == 400


def test_it_answers_to_the_names_that_it_is_given_and_to_the_address_at_which_somebody_came_in() -> None:
    guard = Guard(_app, Terms(frozenset({"clothes.example"}), TOKEN))
    assert [
        get(guard, here="192.0.2.7", host=host).status for host in ("clothes.example", "192.0.2.7:8501", "192.0.2.8", "other.example")
    ] == [
        401,
        401,
        421,
        421,
    ]


def test_without_a_token_nobody_is_let_in_at_an_address_of_the_network_however_the_server_was_started() -> None:
    assert get(Guard(_app, OPEN), here="192.0.2.7", host="127.0.0.1").status == 403
    assert connect(Guard(_app, OPEN), here="::", host="127.0.0.1").status == 403


@pytest.mark.parametrize(
    ("origin", "host", "let_in"),
    [
        ("http://127.0.0.1:8501", "127.0.0.1:8501", True),
        ("https://127.0.0.1:8501", "127.0.0.1:8501", True),  # something in front of it encrypts
        ("http://LOCALHOST:8501", "localhost:8501", True),
        ("http://evil.example", "127.0.0.1:8501", False),
        ("http://127.0.0.1:3000", "127.0.0.1:8501", False),
        ("http://localhost:8501", "127.0.0.1:8501", False),
        ("http://127.0.0.1:8501.evil.example", "127.0.0.1:8501", False),
        ("null", "127.0.0.1:8501", False),
        ("", "127.0.0.1:8501", False),
        ("http://[", "127.0.0.1:8501", False),
    ],
)
def test_only_its_own_pages_may_ask(origin: str, host: str, let_in: bool) -> None:
    expected = (200, 101) if let_in else (403, 403)
    assert (
        get(Guard(_app, OPEN), origin=origin, host=host).status,
        connect(Guard(_app, OPEN), origin=origin, host=host).status,
    ) == expected


def test_another_site_may_link_to_it_but_not_take_pieces_of_it() -> None:
    guard = Guard(_app, OPEN)
    assert get(guard, sec_fetch_site="cross-site", sec_fetch_mode="navigate").status == 200
    assert get(guard, sec_fetch_site="cross-site", sec_fetch_mode="no-cors").status == 403
    assert get(guard, sec_fetch_site="same-site", sec_fetch_mode="cors").status == 403
    assert get(guard, sec_fetch_site="same-origin", sec_fetch_mode="cors").status == 200


@given(
    host=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40),
    origin=st.none() | st.text(st.characters(max_codepoint=255), max_size=40),
)
def test_no_host_and_no_origin_makes_it_stumble(host: str, origin: str | None) -> None:
    said = {"host": host} | ({} if origin is None else {"origin": origin})
    answer = get(Guard(_app, OPEN), **said)
    own = re.fullmatch(r"(127\.\d+\.\d+\.\d+|localhost\.?|\[::1\])(:\d*)?", host, re.IGNORECASE)
    assert answer.status in ({200, 400, 403} if own else {400, 421})


# ---- what every answer carries ----


@pytest.mark.parametrize("said", [{}, {"host": "evil.example"}, {"origin": "http://evil.example"}])
@pytest.mark.parametrize("agreed", [OPEN, CLOSED])
def test_every_answer_carries_the_headers(said: dict[str, str], agreed: Terms) -> None:
    answer = get(Guard(_app, agreed), **said)
    assert {name.lower(): value for name, value in FIXED.items()}.items() <= answer.headers.items()
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_the_policy_allows_the_scripts_between_the_tags_of_the_page_by_their_hash_and_no_other() -> None:
    rules = dict(rule.split(" ", 1) for rule in policy("<script>alert(1)</script><script src='a.js'></script>").split("; "))
    assert rules["script-src"].endswith("'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='")  # openssl dgst -sha256 -binary | base64
    assert "'unsafe-inline'" not in rules["script-src"]
    assert rules["default-src"] == "'none'"


# ---- logging in ----


def test_the_token_in_an_address_becomes_a_cookie_and_leaves_the_address() -> None:
    guard = Guard(_app, CLOSED)
    answer = get(guard, "/runs", query=f"run=12&token={TOKEN}&x=%26", **HTML)
    assert (answer.status, answer.headers["location"]) == (303, "/runs?run=12&x=%26")
    assert re.fullmatch(r"fmnist-8501=[\w-]{43}; HttpOnly; Path=/; SameSite=strict", answer.headers["set-cookie"])
    assert TOKEN not in answer.headers["set-cookie"]
    assert get(guard, cookie=cookie_of(answer)).body == b"let in"
    assert connect(guard, cookie=cookie_of(answer)).status == 101


def test_the_form_does_the_same_without_a_script() -> None:
    guard, body = Guard(_app, CLOSED), f"token=+{TOKEN}+".encode()
    said = {"method": "POST", "content_length": str(len(body)), "content_type": "application/x-www-form-urlencoded", **HTML}
    page = get(guard, "/compare", query="runs=1", **HTML)
    assert page.status == 401
    assert b'action="/compare?runs=1"' in page.body
    assert b"<script" not in page.body
    answer = get(guard, "/compare", body, query="runs=1", **said)
    assert (answer.status, answer.headers["location"]) == (303, "/compare?runs=1")
    assert get(guard, cookie=cookie_of(answer)).status == 200


@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/_stcore/metrics", "/media/x", "/assets/plotly.min.js", "/a/route/of/tomorrow"])
def test_without_the_cookie_there_is_nothing_on_any_route(path: str) -> None:
    for cookie in ("", "fmnist-8501=", "fmnist-8501=wrong", f"fmnist-8501={TOKEN}", "fmnist-8501=\xff"):
        answer = get(Guard(_app, CLOSED), path, cookie=cookie)
        assert (answer.status, b"let in" in answer.body) == (401, False)
        assert connect(Guard(_app, CLOSED), cookie=cookie).status == 403


def test_after_five_wrong_tokens_a_minute_even_the_right_one_waits() -> None:
    guard = Guard(_app, CLOSED)
    known = cookie_of(get(guard, query=f"token={TOKEN}"))
    assert [get(guard, query="token=wrong").status for _ in range(7)] == [401] * 5 + [429] * 2
    answer = get(guard, query=f"token={TOKEN}")
    assert (answer.status, answer.headers["retry-after"]) == (429, "60")
    assert get(guard, query=f"token={TOKEN}", who="127.0.0.2").status == 303  # somebody else
    assert get(guard, cookie=known).status == 200  # who is in stays in


def test_the_way_on_after_the_login_never_leads_to_another_server() -> None:
    for path in ("//evil.example", "/\\evil.example", "/\\/evil.example", "///evil.example/a"):
        assert re.match(r"/(?![/\\])", without_token({"path": path, "query_string": b""}))
    assert without_token({"path": "/a\r\nSet-Cookie: x", "query_string": b"b=\r\nc"}) == "/a%0D%0ASet-Cookie%3A%20x?b=%0D%0Ac"


def test_the_page_that_asks_for_the_token_runs_nothing_that_an_address_brings() -> None:
    answer = get(Guard(_app, CLOSED), '/"><script>alert(1)</script>', query='a="><img src=x onerror=alert(1)>', **HTML)
    assert b"<script" not in answer.body
    assert b"<img" not in answer.body
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_who_comes_by_a_link_on_another_site_is_sent_once_more_from_here_so_that_the_strict_cookie_comes_along() -> None:
    guard, again = Guard(_app, CLOSED), b'http-equiv="refresh"'
    assert again in get(guard, sec_fetch_site="cross-site", sec_fetch_mode="navigate", **HTML).body
    assert again not in get(guard, sec_fetch_site="same-origin", sec_fetch_mode="navigate", **HTML).body
    assert again not in get(guard, **HTML).body


# ---- terms ----


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "::", "192.0.2.7", "clothes.example"])
def test_an_address_of_the_network_needs_a_token(address: str | None) -> None:
    with pytest.raises(AccessError, match=r"can be reached from other machines.*--token") as error:
        agree(address, [], [])
    assert "\n" not in str(error.value)
    assert agree(address, [], ["--token"]).token


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "localhost", "::1"])
def test_this_machine_alone_needs_none_and_may_have_one(address: str) -> None:
    assert agree(address, [], []).token is None
    first, second = (agree(address, ["Clothes.example."], ["--token"]) for _ in range(2))
    assert len(first.token or "") == 43
    assert first.token != second.token
    assert first.token not in repr(first)
    assert "clothes.example" in first.names


def test_the_terminal_says_the_address_and_warns_where_nothing_is_encrypted() -> None:
    assert terms.invitation(OPEN, "http://127.0.0.1:8501") == "\n  The dashboard is at http://127.0.0.1:8501\n\n"
    assert f"http://127.0.0.1:8501/?token={TOKEN}" in terms.invitation(CLOSED, "http://127.0.0.1:8501")
    assert "encrypted" not in terms.invitation(CLOSED, "http://127.0.0.1:8501")
    assert "encrypted" in terms.invitation(CLOSED, "http://clothes.example:8501")
    assert "encrypted" not in terms.invitation(CLOSED, "https://clothes.example:8501")


# ---- limits ----


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"content_length": "8000000"}, 200),
        ({"content_length": "68200001"}, 413),
        ({}, 411),
        ({"transfer_encoding": "chunked"}, 411),
        ({"transfer_encoding": "chunked", "content_length": "5"}, 411),
        ({"content_length": "-1"}, 400),
        ({"content_length": "1e3"}, 400),
        ({"content_length": "٣"}, 400),
        ({"content_length": "9" * 30}, 400),
    ],
)
def test_what_is_sent_says_how_long_it_is_and_is_not_too_long(said: dict[str, str], status: int) -> None:
    said = {name: value.encode().decode("latin-1") for name, value in said.items()}
    for method in ("PUT", "POST", "PATCH"):
        assert get(Guard(_app, OPEN), "/_stcore/upload_file/a/b", method=method, **said).status == status


def test_a_session_sends_so_much_a_minute_and_takes_nothing_from_another() -> None:
    guard = Guard(_app, OPEN)
    send = [get(guard, f"/_stcore/upload_file/one/{number}", method="PUT", content_length="8000000").status for number in range(33)]
    assert send == [200] * 32 + [429]
    assert get(guard, "/_stcore/upload_file/two/0", method="PUT", content_length="8000000").status == 200


def test_uploads_stop_where_their_memory_is_full_and_go_on_when_there_is_room() -> None:
    held = [limits.HELD_BYTES - 5]
    guard = Guard(_app, OPEN, held=lambda: held[0])
    assert get(guard, method="PUT", content_length="6").status == 507
    assert get(guard, method="PUT", content_length="5").status == 200
    held[0] = 0
    assert get(guard, method="PUT", content_length="6").status == 200


def test_an_allowance_comes_back_with_time_and_is_never_more_than_a_minute_of_it() -> None:
    now = [0.0]
    allowance = Allowance(5, clock=lambda: now[0])
    assert [allowance.take("a") for _ in range(6)] == [True] * 5 + [False]
    now[0] = 12
    assert [allowance.take("a") for _ in range(2)] == [True, False]
    now[0] = 10_000
    assert [allowance.take("a") for _ in range(6)] == [True] * 5 + [False]
    assert allowance.take("b")


def test_what_is_remembered_of_strangers_is_bounded() -> None:
    allowance = Allowance(5)
    for number in range(3 * limits.MOST_KNOWN):
        allowance.take(str(number))
    assert len(allowance._left) == limits.MOST_KNOWN


def test_tabs_are_counted_while_they_are_open_and_a_full_house_says_so() -> None:
    async def fill() -> tuple[list[int], int, int, int]:
        guard, leave = Guard(_app, OPEN), asyncio.Event()
        scope = scope_of("websocket") | {"until": leave.wait}
        opened: list[asyncio.Task[Answer]] = [asyncio.create_task(ask(guard, scope)) for _ in range(limits.OPEN_SESSIONS)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        one_more = await ask(guard, scope_of("websocket"))
        page = await ask(guard, scope_of(sec_fetch_mode="navigate"))
        leave.set()
        answers = await asyncio.gather(*opened)
        after = await ask(guard, scope_of("websocket"))
        return [answer.status for answer in answers], one_more.status, page.status, after.status

    assert asyncio.run(fill()) == ([101] * limits.OPEN_SESSIONS, 403, 503, 101)


def test_a_storm_of_new_sessions_is_stopped() -> None:
    guard = Guard(_app, OPEN)
    found = [connect(guard).status for _ in range(limits.SESSIONS_A_MINUTE + 5)]
    assert found[: limits.SESSIONS_A_MINUTE] == [101] * limits.SESSIONS_A_MINUTE
    assert found[-1] == 403
    assert connect(guard, who="127.0.0.2").status == 101


def test_a_websocket_that_speaks_in_text_is_closed_before_anybody_stumbles_over_it() -> None:
    sent: list[Message] = []
    heard: list[Message] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "bytes": b"a"},
        {"type": "websocket.receive", "text": "a"},
    ]
    given: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        given.extend([await receive() for _ in range(3)])

    async def receive() -> Message:
        return heard.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Guard(app, OPEN)(scope_of("websocket"), receive, send))
    assert [message["type"] for message in given] == ["websocket.connect", "websocket.receive", "websocket.disconnect"]
    assert sent == [{"type": "websocket.close", "code": 1003}]


def test_what_is_said_to_a_tab_that_was_closed_meanwhile_is_dropped() -> None:
    heard: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect"}]
    given: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        given.append((await receive())["type"])
        await send({"type": "websocket.send", "bytes": b"a"})
        given.append((await receive())["type"])

    async def receive() -> Message:
        return heard.pop(0)

    async def send(message: Message) -> None:
        raise OSError("the client has gone")

    asyncio.run(Guard(app, OPEN)(scope_of("websocket"), receive, send))
    assert given == ["websocket.connect", "websocket.disconnect"]
