"""Fetching the dataset from real servers and a real package, good ones and bad ones: only what is whole ever gets in."""

import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fmnist import data, sources
from fmnist.errors import DataError

IMAGES, LABELS = (data.ARCHIVES[what].name for what in ("train images", "test labels"))
NOBODY = 65534


class Mirror(ThreadingHTTPServer):
    """A web server with the four files, or one that fails in a way of its own."""

    daemon_threads = False  # so that closing it waits for them

    def __init__(self, folder: Path, fault: str = "none") -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.folder, self.fault = folder, fault
        self.asked: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked may hang up in the middle."""


class Answer(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        """Tests are quiet."""

    def do_GET(self) -> None:
        mirror = self.server
        assert isinstance(mirror, Mirror)
        name, fault = Path(self.path).name, mirror.fault
        mirror.asked.append(name)
        content = (mirror.folder / name).read_bytes()
        if fault == "no HTTP":
            self.wfile.write(b"220 this is another kind of server\r\n")
            return
        if fault == "not found" or (fault == "only labels" and "labels" not in name):
            self.send_error(404)
            return
        self.send_response(200)
        if fault == "breaks off in a chunk":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"1000\r\n" + content[:100])
            return
        self.send_header("Content-Length", "many" if fault == "a length that is no number" else str(len(content)))
        self.end_headers()
        if fault == "silent":
            time.sleep(1)
        elif fault == "breaks off":
            self.wfile.write(content[:1_000])
        elif fault == "a login page":
            self.wfile.write(b"<html>Please log in</html>".ljust(len(content)))
        else:
            self.wfile.write(content)


@contextmanager
def serving(*mirrors: Mirror) -> Iterator[None]:
    for mirror in mirrors:
        threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield
    finally:
        for mirror in mirrors:
            mirror.shutdown()
            mirror.server_close()


@pytest.fixture
def network(copies: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of `copies`, on a machine that reaches its own servers."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return copies


def name_mirrors(monkeypatch: pytest.MonkeyPatch, *mirrors: Mirror) -> None:
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(FashionMNIST, "mirrors", [mirror.address for mirror in mirrors])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- mirrors ---------------------------------------------------------------------------------------------------------------------------


def test_an_empty_installation_fetches_all_four_files(network: Path, whole: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.rmtree(network)
    mirror, said, shares = Mirror(whole), [], []
    name_mirrors(monkeypatch, mirror)
    with serving(mirror):
        dataset = data.load(say=said.append, progress=lambda share, words: shares.append(share))
    assert dataset.source == str(network)
    assert contents(network) == {archive.name: (whole / archive.name).read_bytes() for archive in data.ARCHIVES.values()}
    assert [words for words in said if "Fetching" in words] == [
        f"Fetching {archive.name} from {mirror.address} …" for archive in data.ARCHIVES.values()
    ]
    assert len(shares) > 50
    assert shares == sorted(shares), "a progress bar never goes back"
    assert 0 <= shares[0] <= shares[-1] == 1


@pytest.mark.parametrize("before", ["missing", "damaged"])
def test_only_the_file_that_is_not_whole_is_fetched(before: str, network: Path, whole: Path, monkeypatch: pytest.MonkeyPatch):
    (network / LABELS).unlink()
    if before == "damaged":
        (network / LABELS).write_bytes(b"damaged")
    mirror = Mirror(whole)
    name_mirrors(monkeypatch, mirror)
    with serving(mirror):
        data.load()
    assert mirror.asked == [LABELS]
    assert (network / LABELS).read_bytes() == (whole / LABELS).read_bytes()
    assert len(contents(network)) == 4


FAULTS = {
    "no HTTP": "did not give",
    "not found": "did not give .* 404",
    "breaks off in a chunk": "did not give",
    "breaks off": "is damaged",
    "a login page": "is damaged",
    "a length that is no number": "did not give",
    "silent": "timed out",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mirror_that_fails_changes_nothing_and_is_named(fault: str, network: Path, whole: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "QUIET_SECONDS", 0.3)
    (network / IMAGES).write_bytes(b"damaged before")
    before = contents(network)
    mirror = Mirror(whole, fault)
    name_mirrors(monkeypatch, mirror)
    with serving(mirror), pytest.raises(DataError, match=FAULTS[fault]) as caught:
        data.load()
    assert mirror.address in str(caught.value)
    assert "Connect to the internet" in str(caught.value)
    assert contents(network) == before


def test_where_one_mirror_fails_the_next_one_is_asked(network: Path, whole: Path, monkeypatch: pytest.MonkeyPatch):
    (network / IMAGES).unlink()
    login, good = Mirror(whole, "a login page"), Mirror(whole)
    name_mirrors(monkeypatch, login, good)
    said: list[str] = []
    with serving(login, good):
        assert len(data.load(say=said.append).train) == 60_000
    assert any(login.address in words and "damaged" in words for words in said)


def test_what_came_before_a_failure_is_kept(network: Path, whole: Path, monkeypatch: pytest.MonkeyPatch):
    """The labels come and the images do not; the next attempt asks for the images alone."""
    shutil.rmtree(network)
    labels_only, good = Mirror(whole, "only labels"), Mirror(whole)
    labels_alone = dict(sorted(data.ARCHIVES.items(), key=lambda item: "labels" not in item[0]))
    monkeypatch.setattr(data, "ARCHIVES", labels_alone)
    name_mirrors(monkeypatch, labels_only)
    with serving(labels_only), pytest.raises(DataError, match="did not give"):
        data.load()
    assert sorted(contents(network)) == sorted(name for name in contents(whole) if "labels" in name)
    name_mirrors(monkeypatch, good)
    with serving(good):
        data.load()
    assert all("images" in name for name in good.asked)


def test_a_machine_on_which_torchvision_is_broken_asks_debian_all_the_same(copies: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    (copies / LABELS).unlink()
    with pytest.raises(DataError, match=r"torchvision, which knows the mirrors, cannot be imported .* no apt-get"):
        data.load()


# ---- the folder ------------------------------------------------------------------------------------------------------------------------


def test_a_folder_in_the_place_of_a_file_is_never_emptied(network: Path, whole: Path, monkeypatch: pytest.MonkeyPatch):
    (network / LABELS).unlink()
    (network / LABELS).mkdir()
    (network / LABELS / "thesis.txt").write_text("years of work")
    mirror = Mirror(whole)
    name_mirrors(monkeypatch, mirror)
    with serving(mirror), pytest.raises(DataError, match=f"{LABELS} is in the way: move it elsewhere"):
        data.load()
    assert (network / LABELS / "thesis.txt").read_text() == "years of work"
    assert mirror.asked == []


def test_a_full_disk_leaves_what_was_there(network: Path, whole: Path, monkeypatch: pytest.MonkeyPatch):
    """The limit on the size of files stands for the full disk: the write fails in the middle of the images."""
    (network / IMAGES).write_bytes(b"damaged before")
    before, mirror = contents(network), Mirror(whole)
    name_mirrors(monkeypatch, mirror)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, hard))
    try:
        with serving(mirror), pytest.raises(DataError, match=f"{IMAGES} cannot be written: File too large"):
            data.load()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(network) == before


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, if the tests run with them."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("rights", [0o000, 0o555])
def test_a_folder_without_the_rights_is_a_sentence(rights: int, network: Path, whole: Path, monkeypatch: pytest.MonkeyPatch):
    mirror = Mirror(whole)
    name_mirrors(monkeypatch, mirror)
    (network / LABELS).unlink()
    network.chmod(rights)
    for folder in network.parents:
        if folder.stat().st_uid == os.geteuid() and "pytest" in str(folder):
            folder.chmod(0o755)  # so that nobody gets as far as the folder in question
    try:
        with serving(mirror), as_nobody(), pytest.raises(DataError, match=r"cannot be written: Permission denied\. FMNIST_HOME"):
            data.load()
    finally:
        network.chmod(0o755)
    assert mirror.asked == [], "nothing is fetched that could not be kept"


# ---- Debian's package ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def debian(copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the real dpkg-deb, and a script for apt-get; the folder that the script's package is made of."""
    program = shutil.which("dpkg-deb", path=os.defpath + ":/usr/bin")
    if not program:
        pytest.skip("dpkg-deb is not installed, so there is no package to make")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.defpath}")
    (tmp_path / "bin").mkdir()
    name_mirrors(monkeypatch)
    content = tmp_path / "package"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN" / "control").write_text(
        f"Package: {sources.DEBIAN_PACKAGE}\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: x\n"
    )
    return content


def write_apt_get(content: Path, script: str) -> None:
    program = content.parent / "bin" / "apt-get"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def make_package(content: Path, files: list[Path]) -> None:
    """Build the package, and an apt-get that downloads it."""
    folder = content / "usr/share/datasets/fashion-mnist"
    folder.mkdir(parents=True)
    for path in files:
        shutil.copy(path, folder)
    package = content.with_suffix(".deb")
    subprocess.run(["dpkg-deb", "-Znone", "--build", content, package], check=True, capture_output=True)
    write_apt_get(content, f"cp {package} .")


def test_the_package_is_unpacked_without_root(copies: Path, whole: Path, debian: Path):
    shutil.rmtree(copies)
    make_package(debian, [whole / archive.name for archive in data.ARCHIVES.values()])
    said: list[str] = []
    assert data.load(say=said.append).source == str(copies)
    assert any("Fetching Debian's package" in words for words in said)
    assert contents(copies) == contents(debian / "usr/share/datasets/fashion-mnist")


def test_a_package_without_the_files_is_told(copies: Path, whole: Path, debian: Path):
    (copies / IMAGES).unlink()
    make_package(debian, [whole / LABELS])
    with pytest.raises(DataError, match=f"has no {IMAGES}"):
        data.load()


def test_a_damaged_package_is_told(copies: Path, debian: Path):
    (copies / IMAGES).unlink()
    write_apt_get(debian, "echo no package > x.deb")
    with pytest.raises(DataError, match=r"cannot be unpacked .*not a Debian"):
        data.load()


def test_the_reason_of_apt_get_is_passed_on(copies: Path, debian: Path):
    (copies / IMAGES).unlink()
    write_apt_get(debian, "echo 'W: something' >&2; echo 'E: Unable to locate package' >&2; echo 'W: more' >&2; exit 100")
    with pytest.raises(DataError, match=r"apt-get download dataset-fashion-mnist failed \(E: Unable to locate package\)\."):
        data.load()
