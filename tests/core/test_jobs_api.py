"""How a cluster is asked, against a small server that stands for Ray's: each failure is one sentence, and none has the token in it."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fmnist import jobs_api
from fmnist.errors import ClusterError, LostContact
from fmnist.jobs_api import JobsApi

TOKEN = "t0ken-that-nobody-may-see"
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Answers as it is told; remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode() if length else None
        self.server.asked.append((self.command, self.path, body))
        path = self.path.partition("?")[0]
        self.server.answers.get(path, says(404, "not here"))(self)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def says(status: int, what: object) -> Answer:
    content = (what if isinstance(what, str) else json.dumps(what)).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def complaint(action: Callable[[], object]) -> ClusterError:
    with pytest.raises(ClusterError) as caught:
        action()
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_head_that_is_gone() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = complaint(JobsApi(f"http://127.0.0.1:{port}", TOKEN).version)
    assert isinstance(found, LostContact)
    assert "cannot be reached (Connection refused)" in str(found)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token(server: Server, status: int) -> None:
    server.answers["/api/version"] = says(status, f"the token {TOKEN} is wrong")
    found = complaint(JobsApi(server.address, TOKEN).version)
    assert not isinstance(found, LostContact), "trying again does not help"
    assert "refuses the token" in str(found)


@pytest.mark.parametrize(("version", "fine"), [("2.59.1", False), ("1.99.0", False), ("2.60.0", True), ("2.61.0rc1", True), ("3.0", True)])
def test_an_old_version(server: Server, version: str, fine: bool) -> None:
    server.answers["/api/version"] = says(200, {"ray_version": version})
    api = JobsApi(server.address, TOKEN)
    if fine:
        assert api.version() == version
    else:
        assert f"runs Ray {version}; 2.60 or later is needed" in str(complaint(api.version))


@pytest.mark.parametrize("what", ["<html>a router</html>", "[1, 2", {"something": "else"}, {}])
def test_a_server_that_is_something_else(server: Server, what: object) -> None:
    server.answers["/api/version"] = says(200, what)
    assert "is not the dashboard of a Ray cluster" in str(complaint(JobsApi(server.address, TOKEN).version))
    assert "is not the dashboard of a Ray cluster" in str(complaint(JobsApi(server.address, TOKEN).nodes))


def test_a_network_that_is_slow(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_api, "PATIENCE", 0.2)
    released = threading.Event()
    server.answers["/api/version"] = lambda handler: (released.wait(60), None)[1]
    found = complaint(JobsApi(server.address, TOKEN).version)
    released.set()
    assert isinstance(found, LostContact)
    assert "does not answer in time" in str(found)


def test_an_answer_that_breaks_off(server: Server) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"{")
        handler.close_connection = True

    server.answers["/api/jobs/"] = answer
    assert isinstance(complaint(JobsApi(server.address, TOKEN).jobs), LostContact)


def test_an_error_of_the_server_is_told_in_short(server: Server) -> None:
    server.answers["/api/jobs/"] = says(500, "Traceback: " + "deep " * 1_000 + "the reason")
    found = complaint(JobsApi(server.address, TOKEN).jobs)
    assert isinstance(found, LostContact)
    assert str(found).endswith("the reason.")
    assert len(str(found)) < 400


def test_the_token_is_a_header_and_in_no_address_or_body(server: Server) -> None:
    server.answers["/api/jobs/"] = says(200, {"submission_id": "mine"})
    JobsApi(server.address, TOKEN).submit("mine", "python -c 1", {"A": "1"}, {"app": "fmnist"})
    ((method, path, body),) = server.asked
    assert (method, path) == ("POST", "/api/jobs/")
    assert json.loads(body or "")["submission_id"] == "mine"
    assert TOKEN not in path + (body or "")


def test_a_job_that_is_there_already_is_left_as_it_is(server: Server) -> None:
    server.answers["/api/jobs/"] = says(400, "Job with submission_id mine already exists")
    server.answers["/api/jobs/mine"] = says(200, {"status": "RUNNING"})
    JobsApi(server.address, TOKEN).submit("mine", "python -c 1", {}, {})
    assert JobsApi(server.address, TOKEN).job("another") is None
    assert "already exists" in str(complaint(lambda: JobsApi(server.address, TOKEN).submit("another", "x", {}, {})))


def test_output_is_read_as_it_comes_and_its_silence_is_noticed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_api, "SILENCE", 0.3)
    released = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (b"first\nsec", b"ond\n"):
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            handler.wfile.flush()
            time.sleep(0.05)
        released.wait(60)

    server.answers["/api/v0/logs/stream"] = answer
    lines = JobsApi(server.address, TOKEN).output("mine", "node")
    assert [next(lines), next(lines)] == ["first", "second"]
    assert isinstance(complaint(lambda: next(lines)), LostContact)
    released.set()
