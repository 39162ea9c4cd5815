"""Where the archives come from when this machine has no whole copy: torchvision's mirrors, then Debian's package, without root."""

import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from math import prod
from pathlib import Path

import numpy as np

from fmnist import files
from fmnist.archives import ARCHIVES, MOST_BYTES, Say, Tell, verified
from fmnist.errors import DataError, one_line

DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_BYTES = 30_900_652  # of the package, for the progress bar alone
QUIET_SECONDS = 10  # a mirror that says nothing for so long is given up
TICK_SECONDS = 0.2
CHUNK_BYTES = 1 << 18


class Fetch:
    """One attempt to complete a folder: what is still missing, what has come, and why the rest has not."""

    def __init__(self, folder: Path, missing: list[str], say: Say, tell: Tell) -> None:
        """
        Args:
            missing: names of ARCHIVES; no other file of the folder is touched.
            say, tell: as in `fmnist.data.load`.
        """
        self.folder, self.missing, self.say, self._tell = folder, list(missing), say, tell
        self.arrays: dict[str, np.ndarray] = {}  # verified and kept, uint8
        self.complaints: list[str] = []
        self._size = sum(prod(ARCHIVES[what].shape) for what in missing)

    def run(self) -> None:
        """Ask one source after the other until nothing is missing; those that fail leave a sentence in `complaints`."""
        self._attempt(self._check_folder)
        if not self.complaints:  # else nothing that came could be kept
            for source in (self._from_mirrors, self._from_debian):
                self._attempt(source)

    def _attempt(self, source: Callable[[], None]) -> None:
        if not self.missing:
            return
        try:
            source()
        except OSError as error:  # DataError is one; of the others only a full or missing folder for temporary files is left
            self.say(str(error))
            self.complaints.append(str(error))

    def _check_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise DataError(f"{self.folder} cannot be written: {error.strerror}. FMNIST_HOME can name another place.") from error
        for path in (self.folder / ARCHIVES[what].name for what in self.missing):
            if path.exists() and not path.is_file():
                raise DataError(f"{path} is in the way: move it elsewhere.")

    def _keep(self, what: str, packed: bytes, source: str) -> None:
        """Verify what came, and only then put it durably in the place of what was there."""
        archive = ARCHIVES[what]
        array = verified(packed, archive, f"{archive.name} from {source}")
        try:
            files.write_bytes(self.folder / archive.name, packed)
        except OSError as error:
            raise DataError(f"{self.folder / archive.name} cannot be written: {error.strerror}.") from error
        self.arrays[what] = array
        self.missing.remove(what)

    def _progress(self, what: str, share: float, words: str) -> None:
        """Tell the share of everything that was missing, from the share of one archive."""
        done = sum(array.size for array in self.arrays.values())
        self._tell(min(1.0, (done + share * prod(ARCHIVES[what].shape)) / self._size), words)

    def _from_mirrors(self) -> None:
        try:
            from torchvision.datasets import FashionMNIST  # only here: it takes seconds to import
        except (ImportError, RuntimeError) as error:  # RuntimeError: of another build than torch
            raise DataError(f"torchvision, which knows the mirrors, cannot be imported ({one_line(error)}).") from error
        for mirror in FashionMNIST.mirrors:
            self._attempt(partial(self._from_mirror, mirror))

    def _from_mirror(self, mirror: str) -> None:
        for what in list(self.missing):
            name = ARCHIVES[what].name
            self.say(f"Fetching {name} from {mirror} …")
            try:
                packed = _download(mirror + name, partial(self._progress, what))
            except (OSError, HTTPException, ValueError) as error:  # ValueError: a header that is no number, an address that is none
                raise DataError(f"{mirror} did not give {name} ({_reason(error)}).") from error
            self._keep(what, packed, mirror)

    def _from_debian(self) -> None:
        """`apt-get download` and `dpkg-deb -x`, neither of which needs root."""
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            raise DataError("This system has no apt-get to fetch Debian's package with.")
        self.say(f"Fetching Debian's package {DEBIAN_PACKAGE} …")
        with tempfile.TemporaryDirectory(prefix="fmnist-") as temporary:
            package = _download_package(Path(temporary), lambda share: self._tell(share, "Fetching Debian's package"))
            unpacked = Path(temporary, "unpacked")
            try:
                subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True, capture_output=True, text=True)
            except subprocess.CalledProcessError as error:
                raise DataError(f"Debian's package {DEBIAN_PACKAGE} cannot be unpacked ({one_line(error.stderr)}).") from error
            found = {path.name: path.read_bytes() for path in unpacked.rglob("*.gz")}
        for what in list(self.missing):
            if (name := ARCHIVES[what].name) not in found:
                raise DataError(f"Debian's package {DEBIAN_PACKAGE} has no {name}.")
            self._keep(what, found[name], "Debian's package")


def _download(url: str, progress: Callable[[float, str], None]) -> bytes:
    """The content of an address.

    Raises:
        OSError, HTTPException: it is not to be had, or larger than any archive.
    """
    content = bytearray()
    with urllib.request.urlopen(url, timeout=QUIET_SECONDS) as response:
        total = int(response.headers.get("Content-Length") or 0)
        while chunk := response.read(CHUNK_BYTES):
            content += chunk
            if len(content) > MOST_BYTES:
                raise OSError("far too many bytes")
            of = f" of {total / 1e6:.1f}" if total else ""
            progress(len(content) / (total or MOST_BYTES), f"Fetching {url.rpartition('/')[2]}: {len(content) / 1e6:.1f}{of} MB")
    return bytes(content)


def _download_package(folder: Path, progress: Callable[[float], None]) -> Path:
    """Debian's package, in a folder of its own.

    Raises:
        DataError: apt-get's own reason.
    """
    quiet = (f"Acquire::{way}::Timeout={QUIET_SECONDS}" for way in ("http", "https"))
    command = ["apt-get", "download", *(word for option in quiet for word in ("-o", option)), DEBIAN_PACKAGE]
    errors, env = folder / "errors", os.environ | {"LC_ALL": "C"}
    with (
        errors.open("w") as stderr,
        subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, env=env) as apt,
    ):
        while apt.poll() is None:
            progress(min(0.99, sum(path.stat().st_size for path in folder.glob("*.deb")) / DEBIAN_BYTES))
            time.sleep(TICK_SECONDS)
    packages = list(folder.glob("*.deb"))
    if apt.returncode or not packages:
        reasons = [line for line in errors.read_text(errors="replace").splitlines() if line.startswith("E:")]
        raise DataError(f"apt-get download {DEBIAN_PACKAGE} failed ({one_line(reasons[-1] if reasons else 'no reason given')}).")
    return packages[0]


def _reason(error: Exception) -> str:
    """Why a download failed, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()  # it is the server's answer too
    elif isinstance(error, urllib.error.URLError):
        return one_line(error.reason)
    return one_line(error) or type(error).__name__
