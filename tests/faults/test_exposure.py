"""A real server that demands a token, asked by everybody: every route, by every name, from every site, with and without a login; then
uploads and WebSockets gone wild. It lets in who may come in, and nothing takes it from the others.
"""

import contextlib
import http.client
import itertools
import json
import os
import random
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import psutil
import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.e2e.conftest import ROOT, Server, free_port, running
from ui.guard import limits
from ui.guard.headers import FIXED

pytestmark = pytest.mark.timeout(3_600)
PATIENCE = 120.0
STREAM = "/_stcore/stream"

# Every route: an address of it, and what it answers to somebody who may ask. One that is not here is one that nobody thought of.
RULES = {
    "/assets": ("GET", "/assets/plotly.min.js", 200),
    "/_stcore/health": ("GET", "/_stcore/health", 200),
    "/_stcore/metrics": ("GET", "/_stcore/metrics", 200),
    "/_stcore/host-config": ("GET", "/_stcore/host-config", 200),
    "/media/{file_id:path}": ("GET", "/media/nothing.png", 404),
    "/_stcore/upload_file/{session_id}/{file_id}": ("PUT", "/_stcore/upload_file/a/b", 403),  # no XSRF token
    "/component/{path:path}": ("GET", "/component/nothing/index.html", 404),
    "/_stcore/bidi-components/{path:path}": ("GET", "/_stcore/bidi-components/nothing", 404),
    STREAM: ("WS", STREAM, 101),
    "/auth/login": ("GET", "/auth/login", 302),
    "/auth/logout": ("GET", "/auth/logout", 302),
    "/oauth2callback": ("GET", "/oauth2callback", 302),
    "/_stcore/agent/interact": ("POST", "/_stcore/agent/interact", 403),  # it is off
    "/_stcore/agent/openapi.json": ("GET", "/_stcore/agent/openapi.json", 200),
    "/_stcore/agent/mcp": ("POST", "/_stcore/agent/mcp", 400),
    "": ("GET", "/", 200),
}
FOREIGN_HOSTS = {
    "evil.example": 421,
    "evil.example:{port}": 421,
    "127.0.0.1.evil.example": 421,
    "localhost.evil.example:{port}": 421,
    "0.0.0.0:{port}": 421,
    "192.0.2.1": 421,
    "[2001:db8::1]:{port}": 421,
    "2130706433": 421,  # 127.0.0.1 as one number
    "0x7f.1": 421,
    "rebind.127.0.0.1.example": 421,
    "xn--lcalhost-23a": 421,
    "evil.example#127.0.0.1": 400,
    "evil.example@127.0.0.1": 400,
    "127.0.0.1@evil.example": 400,
    "127.0.0.1/evil.example": 400,
    "127.0.0.1:{port}x": 400,
    "127.0.0.1:99999": 400,
    "": 400,
}
OWN_HOSTS = ["127.0.0.1:{port}", "localhost:{port}", "localhost", "127.0.0.1", "LOCALHOST:{port}", "[::1]:{port}", "127.0.0.1:9000"]
FOREIGN_ORIGINS = [
    "null",
    "http://evil.example",
    "http://127.0.0.1:1",
    "http://{host}.evil.example",
    "http://evil.example/{host}",
    "file://",
    "",
]
OWN_ORIGINS = [None, "http://{host}", "https://{host}"]


class Asked(NamedTuple):
    rule: str
    host: str
    origin: str | None
    cookie: str


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard on loopback that demands a token, as somebody on a shared machine wants it."""
    home = tmp_path_factory.mktemp("guarded")
    (home / "data").symlink_to(ROOT / "data")
    before = os.environ.get("FMNIST_HOME")
    os.environ["FMNIST_HOME"] = str(home)
    try:
        with running(home, free_port(), "--token") as server:
            yield server
        # Streamlit writes a traceback for a frame that is none of its protocol; none may go through code of ours.
        assert not re.findall(rf'File "{ROOT}/(?:app|ui|pages|fmnist)\b.*', server.log.read_text())
    finally:
        os.environ.pop("FMNIST_HOME") if before is None else os.environ.update(FMNIST_HOME=before)


@pytest.fixture(scope="module")
def cookie(guarded: Server) -> str:
    """That of somebody who has logged in with the address from the terminal."""
    (token,) = set(re.findall(r"\?token=([\w-]+)", guarded.log.read_text()))
    status, headers = ask(port_of(guarded), "GET", f"/runs?run=1&token={token}", {"Host": f"127.0.0.1:{port_of(guarded)}"})
    assert (status, headers["location"]) == (303, "/runs?run=1")
    return headers["set-cookie"].partition(";")[0]


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, dict[str, str]]:
    """One request with just these headers; the method WS asks for a WebSocket, whose status is 101 when it opens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.putrequest("GET" if method == "WS" else method, path, skip_host=True, skip_accept_encoding=True)
        if method == "WS":
            headers = {**headers, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
            headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        elif method in ("PUT", "POST"):
            headers = {"Content-Length": str(len(body)), **headers}
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def expected(asked: Asked, cookie: str) -> int:
    """What the table says: first the name, then the site, then the login, then the route itself. A WebSocket opens or does not."""
    if asked.rule == STREAM:
        return 101 if asked.host in OWN_HOSTS and asked.origin in OWN_ORIGINS and asked.cookie == cookie else 403
    if asked.host in FOREIGN_HOSTS:
        return FOREIGN_HOSTS[asked.host]
    if asked.origin in FOREIGN_ORIGINS:
        return 403
    return RULES[asked.rule][2] if asked.cookie == cookie else 401


def test_every_route_has_a_rule(guarded: Server) -> None:
    code = "import app, json; print(json.dumps([route.path for route in app.app._build_starlette_app().routes]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == RULES.keys()


def test_every_route_by_every_name_from_every_site_with_and_without_a_login(
    guarded: Server, cookie: str, size: Callable[[int, int], int]
) -> None:
    wrong = cookie.partition("=")[0] + "=" + secrets.token_urlsafe(32)
    hosts, origins = [*FOREIGN_HOSTS, *OWN_HOSTS], [*FOREIGN_ORIGINS, *OWN_ORIGINS]
    everything = [Asked(*each) for each in itertools.product(RULES, hosts, origins, ("", wrong, cookie))]
    allowed = [each for each in everything if each.host in OWN_HOSTS and each.origin in OWN_ORIGINS]
    chosen = (
        everything
        if len(everything) <= size(0, 10**9)
        else random.Random(0).sample(everything, 1_500) + random.Random(1).sample(allowed, 500)
    )
    port, surprises = port_of(guarded), []
    for each in chosen:
        method, path, _ = RULES[each.rule]
        host = each.host.format(port=port)
        headers = {"Host": host} | ({} if each.origin is None else {"Origin": each.origin.format(host=host)})
        status, answer = ask(port, method, path, headers | ({"Cookie": each.cookie} if each.cookie else {}))
        bare = method != "WS" and not {name.lower() for name in FIXED} <= answer.keys()
        if status != expected(each, cookie) or bare:
            surprises.append((each, host, status, "without headers" if bare else ""))
    assert surprises == []


def test_the_token_is_said_once_and_five_wrong_ones_a_minute_are_all_that_anybody_gets(guarded: Server, cookie: str) -> None:
    port = port_of(guarded)
    own = {"Host": f"127.0.0.1:{port}", "Accept": "text/html"}
    statuses = [ask(port, "GET", f"/?token=wrong-{number}", own)[0] for number in range(8)]
    assert statuses[:5] == [401] * 5
    assert 429 in statuses[5:7]
    assert ask(port, "GET", "/", {**own, "Cookie": cookie})[0] == 200
    log = guarded.log.read_text()
    (token,) = re.findall(r"token=([\w-]+)", log)
    assert log.count(token) == 1
    assert cookie.partition("=")[2] not in log
    assert "wrong-" not in log


def test_it_listens_on_loopback_alone(guarded: Server) -> None:
    listening = [each.laddr.ip for each in psutil.Process(guarded.process.pid).net_connections() if each.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_an_address_of_the_network_without_a_login_does_not_start(address: str, home: object) -> None:
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.address={address}", f"--server.port={port}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "can be reached from other machines, and nobody would have to log in" in done.stderr
    assert "-- --token" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(OSError):  # noqa: PT011 - nobody is there
        socket.create_connection(("127.0.0.1", port), timeout=5)


# ---- gone wild ----


def tab(server: Server, cookie: str) -> contextlib.AbstractContextManager[ClientConnection]:
    """A WebSocket as a browser opens it."""
    headers = {"Cookie": f"{cookie}; _streamlit_xsrf={XSRF}"}
    return connect(
        server.url.replace("http", "ws") + STREAM,
        origin=server.url,  # type: ignore[arg-type]
        subprotocols=["streamlit", XSRF],  # type: ignore[list-item]
        additional_headers=headers,
        max_size=None,
        proxy=None,
        open_timeout=PATIENCE,
    )


XSRF = "2|aaaaaaaa|" + "b" * 32 + "|1700000000"


def session_of(connection: ClientConnection) -> str:
    """The session's id, from the first message that says it."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    wish = BackMsg()
    wish.rerun_script.query_string = ""
    connection.send(wish.SerializeToString())
    while True:
        message = ForwardMsg()
        message.ParseFromString(bytes(connection.recv(timeout=PATIENCE)))  # type: ignore[arg-type]
        if message.WhichOneof("type") == "new_session":
            return message.new_session.initialize.session_id


def healthy(server: Server, cookie: str) -> bool:
    return ask(port_of(server), "GET", "/_stcore/health", {"Host": "127.0.0.1", "Cookie": cookie})[0] == 200


def test_broken_frames_hurt_nobody_but_their_sender(guarded: Server, cookie: str, size: Callable[[int, int], int]) -> None:
    dice = random.Random(0)
    kinds = [
        lambda: dice.randbytes(dice.randrange(1, 400)),
        lambda: "text " + "x" * dice.randrange(1, 400),
        lambda: b"",
        lambda: b"\x0a" + dice.randbytes(40),  # a field of the protocol, with junk in it
        lambda: bytes([dice.choice((0x0A, 0x3A, 0x42, 0x5A)), 2, 8, dice.randrange(128)]),
        lambda: b"\xff" * 70_000,
    ]
    sent, frames = 0, size(200, 10_000)
    with tab(guarded, cookie) as bystander:
        session = session_of(bystander)
        while sent < frames:
            with contextlib.suppress(ConnectionClosed), wait_for_room(guarded, cookie) as connection:
                while sent < frames:
                    connection.send(dice.choice(kinds)())
                    sent += 1
            if sent % 50 == 0:
                assert healthy(guarded, cookie)
        assert session_of(bystander) == session  # still there, still the same
    assert healthy(guarded, cookie)


def wait_for_room(server: Server, cookie: str) -> contextlib.AbstractContextManager[ClientConnection]:
    """A new tab, as soon as the allowance of handshakes has one."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        with contextlib.suppress(InvalidStatus):
            return tab(server, cookie)
        time.sleep(1)
    pytest.fail("no tab can be opened any more")


def test_a_flood_of_uploads_ends_at_the_limits(guarded: Server, cookie: str, size: Callable[[int, int], int]) -> None:
    port, own = port_of(guarded), f"127.0.0.1:{port_of(guarded)}"
    headers = {"Host": own, "Cookie": f"{cookie}; _streamlit_xsrf={XSRF}", "X-Xsrftoken": XSRF}
    with tab(guarded, cookie) as connection:
        session = session_of(connection)
        body, kind = multipart(b"x" * 5_000_000)
        statuses = [
            ask(port, "PUT", f"/_stcore/upload_file/{session}/{number}", {**headers, "Content-Type": kind}, body)[0]
            for number in range(size(60, 1_000))
        ]
        assert set(statuses) <= {204, 429, 507}
        assert statuses[0] == 204
        assert {429, 507} & set(statuses)
        assert 0.9 * limits.HELD_BYTES < statuses.count(204) * 5_000_000 <= limits.HELD_BYTES
        assert ask(port, "PUT", "/_stcore/upload_file/nobody/1", {**headers, "Content-Type": kind}, multipart(b"x")[0])[0] == 400
        assert ask(port, "PUT", f"/_stcore/upload_file/{session}/1", {**headers, "Content-Length": "99999999"})[0] == 413
        assert ask(port, "PUT", f"/_stcore/upload_file/{session}/1", {**headers, "Transfer-Encoding": "chunked"}, b"0\r\n\r\n")[0] in (
            400,
            411,
        )
        assert session not in guarded.log.read_text()
        assert healthy(guarded, cookie)


def multipart(content: bytes) -> tuple[bytes, str]:
    head = b'--frame\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    return head + content + b"\r\n--frame--\r\n", "multipart/form-data; boundary=frame"


def test_half_a_request_from_two_hundred_sockets_keeps_nobody_out(guarded: Server, cookie: str) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(guarded)), timeout=PATIENCE))
            slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert healthy(guarded, cookie)
        with tab(guarded, cookie) as connection:
            assert session_of(connection)
