"""What the tests stand on: a home of their own, a store on SQLite and on PostgreSQL, a small config, the browser.

Where PostgreSQL or chromium is not installed, the tests that need it are skipped and say why; in CI that is a failure.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded: small steps are faster so, and tests share the cores

from fmnist.config import TrainConfig
from fmnist.home import data_folder
from fmnist.store import Store


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="the long tier of tests/faults: hours instead of minutes")


@pytest.fixture(autouse=True)
def numbers_stay_whole() -> Iterator[None]:
    """A training flushes denormal numbers in its thread; what comes after a test that trains here has them again."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty FMNIST_HOME with SQLite; the dataset of the real home is reachable in it."""
    real_data, folder = data_folder(), tmp_path / "home"
    folder.mkdir()
    if real_data.exists():
        (folder / "data").symlink_to(real_data)
    monkeypatch.setenv("FMNIST_HOME", str(folder))
    monkeypatch.delenv("FMNIST_DB", raising=False)
    return folder


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store, once on SQLite and once on PostgreSQL; FMNIST_DB names it, so that other processes find it too."""
    with _empty_database(request) as url:
        if url:
            monkeypatch.setenv("FMNIST_DB", url)
        opened = Store()
        yield opened
        opened.close()


@pytest.fixture
def tiny_config() -> TrainConfig:
    """A training of the linear network that takes well under a second: 2 epochs of 8 steps on the CPU."""
    return TrainConfig(network="linear", epochs=2, batch_size=64, train_size=600, validation_size=100, device="cpu", precision="float32")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's chromium."""
    return shutil.which("chromium") or _not_installed("chromium")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server: the one that FMNIST_TEST_POSTGRES names, or one of our own on loopback."""
    if url := os.environ.get("FMNIST_TEST_POSTGRES"):
        yield url
        return
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = str(programs[-1]) if programs else shutil.which("initdb") or _not_installed("postgresql")
    with _postgres_server(Path(found).parent) as url:
        yield url


def _not_installed(package: str) -> str:
    reason = f"Debian's package '{package}' is not installed: apt-get install {package}, or make test as root."
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def _empty_database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of a schema of its own on PostgreSQL; None for SQLite, whose file lies in the home."""
    if request.param == "sqlite":
        yield None
        return
    server, schema = request.getfixturevalue("postgres"), f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    url = sa.make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))
    engine.dispose()


@contextmanager
def _postgres_server(programs: Path) -> Iterator[str]:
    """A server that lives as long as the tests, without fsync, in a folder that is removed; root hands it to Debian's user postgres."""
    folder, password = Path(tempfile.mkdtemp(prefix="fmnist-postgres-")), secrets.token_hex()
    (folder / "password").write_text(password)
    who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if who:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres", "postgres")
    initdb = [programs / "initdb", "-D", folder / "db", "-U", "fmnist", "-A", "scram-sha-256", "--pwfile", folder / "password"]
    subprocess.run([*initdb, "-E", "UTF8", "--no-locale", "--no-sync"], check=True, cwd="/", stdout=subprocess.DEVNULL, **who)
    port = _free_port()
    settings = ["-clisten_addresses=127.0.0.1", f"-cport={port}", f"-cunix_socket_directories={folder}", "-cfsync=off"]
    arguments = [programs / "postgres", "-D", folder / "db", *settings]
    with (folder / "log").open("w") as log, subprocess.Popen(arguments, cwd="/", stdout=log, stderr=log, **who) as server:
        try:
            yield _once_it_answers(f"postgresql+psycopg://fmnist:{password}@127.0.0.1:{port}/postgres", folder / "log")
        finally:
            server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            server.wait(30)
            shutil.rmtree(folder)


def _once_it_answers(url: str, log: Path) -> str:
    engine, give_up = sa.create_engine(url), time.monotonic() + 30
    while True:
        try:
            engine.connect().close()
            engine.dispose()
            return url
        except OperationalError:
            assert time.monotonic() < give_up, f"PostgreSQL does not answer:\n{log.read_text()}"
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
