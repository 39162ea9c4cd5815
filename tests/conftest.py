"""What the tests stand on: a home of their own, a store on SQLite and on PostgreSQL, a small config, the browser.

Where PostgreSQL or chromium is not installed, the tests that need it are skipped and say why; in CI that is a failure.
"""

import contextlib
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
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded: small steps are faster so, and tests share the cores

from fmnist.config import TrainConfig
from fmnist.home import data_folder
from fmnist.store import Store
from fmnist.trial_cluster import TrialCluster
from fmnist.trial_cluster import running as running_cluster

REAL_HOME = data_folder().parent


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
def plain_store(home: Path) -> Iterator[Store]:
    """An empty store on SQLite."""
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


@pytest.fixture(scope="session")
def trial_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialCluster]:
    """A real cluster: a head with a pretended GPU and a second node, on 127.0.0.2 and 127.0.0.3, with a token."""
    if not find_spec("ray"):
        _missing("The extra 'cluster' is not installed: pip install -r requirements-cluster.txt")
    variables = {"FMNIST_HOME": str(REAL_HOME), "OMP_NUM_THREADS": "1"}
    with running_cluster(tmp_path_factory.mktemp("cluster"), cpus=2, gpus=1, extra=variables) as cluster:
        cluster.add_node(cpus=2)
        cluster.wait(2)
        yield cluster


def _not_installed(package: str) -> NoReturn:
    _missing(f"Debian's package '{package}' is not installed: apt-get install {package}, or make test as root.")


def _missing(reason: str) -> NoReturn:
    """A reason to skip; in CI a failure."""
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


class Disk:
    """A small disk of its own (ext4 in a file, mounted by a loop device), to be filled, and to become read-only by a real error.

    Args:
        place: the folder where it is mounted.
        image: the file that it lies in.
    """

    def __init__(self, place: Path, image: Path, megabytes: int) -> None:
        self.place, self._image, self._ballast = place, image, place / "ballast"
        place.mkdir(parents=True)
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        self._run("mkfs.ext4", "-q", "-m", "0", str(image))
        self.mount()

    def mount(self) -> None:
        self._run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.place))

    def unmount(self) -> None:
        self._run("umount", str(self.place))

    def fill(self) -> None:
        """Write until there is no room for a single byte."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def empty(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink()

    def fail(self) -> None:
        """From now on nothing can be written, whatever is open: the kernel reacts to an error of the file system."""
        device = subprocess.run(["findmnt", "-no", "SOURCE", str(self.place)], check=True, capture_output=True, text=True).stdout.strip()
        Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("a test\n", encoding="utf-8")

    def mend(self) -> None:
        """Check and mount it anew; nobody may have a file open."""
        self.unmount()
        subprocess.run(["e2fsck", "-fy", str(self._image)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        self.mount()

    @staticmethod
    def _run(*command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"A disk of its own needs root and a loop device; {command[0]} says: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """An empty FMNIST_HOME on a disk of 24 MB; the dataset of the real home is reachable in it."""
    real_data = data_folder()
    made = Disk(tmp_path / "disk", tmp_path / "image", 24)
    (made.place / "data").symlink_to(real_data)
    monkeypatch.setenv("FMNIST_HOME", str(made.place))
    monkeypatch.delenv("FMNIST_DB", raising=False)
    yield made
    subprocess.run(["umount", "--lazy", str(made.place)], check=True)
