"""A cluster to try things out with, on this machine: a head and a second node on loopback. `python -m fmnist.trial_cluster`.

It needs the extra `cluster` (requirements-cluster.txt). Ray's own commands start the nodes; they end with this process, whatever ends it.
"""

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fmnist.clusters import Clusters, check
from fmnist.errors import ClusterError, LostContact, StoreError
from fmnist.home import home
from fmnist.jobs_api import JobsApi
from fmnist.store import Store

if TYPE_CHECKING:
    import psutil

HEAD, SECOND = "127.0.0.2", "127.0.0.3"  # not 127.0.0.1, which Ray turns into the machine's address on the network
UP_SECONDS = 180.0
END_SECONDS = 10.0
NAME = "Trial cluster"
ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Node:
    """A raylet and what belongs to it, in a session of its own; the file tree it works in is removed with it."""

    address: str
    process: subprocess.Popen[bytes]
    folder: Path

    def kill(self) -> None:
        """As when the power fails: no goodbye."""
        import psutil

        members = _members(self.process)
        self.process.kill()
        for member in members:
            with suppress(psutil.Error):
                member.kill()
        self.process.wait()
        if self.process.stdin:  # its lifeline
            self.process.stdin.close()

    def end(self) -> None:
        """With a goodbye, for which there is some time."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(2 * END_SECONDS)
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class TrialCluster:
    """A head that runs, and whatever nodes were added to it."""

    port: int  # of Ray itself
    dashboard_port: int
    token_file: Path
    storage: Path
    variables: Mapping[str, str]
    nodes: list[Node] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://{HEAD}:{self.dashboard_port}"

    def add_node(self, address: str = SECOND, *, cpus: int = 1, gpus: int = 0) -> Node:
        """A second machine, so to say: its own raylet under an address of its own."""
        joined = ["--address", f"{HEAD}:{self.port}", "--node-ip-address", address]
        node = _start(joined, self.variables, address, cpus, gpus)
        self.nodes.append(node)
        return node

    def wait(self, nodes: int) -> None:
        """Until so many nodes live.

        Raises:
            ClusterError: they do not come, or a process of them has ended.
        """
        api, give_up = JobsApi(self.address, self.token_file.read_text().strip()), time.monotonic() + UP_SECONDS
        while True:
            try:
                if len(api.nodes()) == nodes:
                    return
            except LostContact:
                pass
            if time.monotonic() > give_up or any(node.process.poll() is not None for node in self.nodes):
                raise ClusterError(f"The cluster on this machine does not come up. Its nodes say why: {self._last_words()}")
            time.sleep(0.2)

    def _last_words(self) -> str:
        return " | ".join((node.folder / "output").read_text(errors="replace").strip()[-300:] for node in self.nodes)


@contextmanager
def running(
    folder: Path, *, cpus: int = 1, gpus: int = 0, dashboard_port: int = 0, extra: Mapping[str, str] | None = None
) -> Iterator[TrialCluster]:
    """A head that answers, for the length of a `with` block; `add_node` gives it company.

    Args:
        folder: where its token and its storage lie.
        cpus, gpus: what each node says it has; a GPU may be pretended.
        dashboard_port: where it is reached; a free port if 0.
        extra: variables of all its processes.

    Raises:
        ClusterError: Ray is not installed, or the head does not come up.
    """
    if not find_spec("ray"):
        raise ClusterError("A cluster on this machine needs Ray, which is not installed: pip install -r requirements-cluster.txt")
    token_file, storage = folder / "token", folder / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    if not token_file.exists():
        with os.fdopen(os.open(token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(24) + "\n")
    cluster = TrialCluster(_free_port(), dashboard_port or _free_port(), token_file, storage, {**_variables(token_file), **(extra or {})})
    arguments = ["--head", "--port", str(cluster.port), "--dashboard-host", HEAD, "--dashboard-port", str(cluster.dashboard_port)]
    with ExitStack() as ends:
        cluster.nodes.append(_start([*arguments, "--node-ip-address", HEAD], cluster.variables, HEAD, cpus, gpus))
        ends.callback(lambda: [node.end() for node in reversed(cluster.nodes)])
        cluster.wait(1)
        yield cluster


def _start(arguments: list[str], variables: Mapping[str, str], address: str, cpus: int, gpus: int) -> Node:
    """`ray start --block` in a session of its own, with a keeper that ends it when this process does.

    Its agent has a port of its own: without one, a cluster whose agent finds the usual port taken runs no jobs.
    """
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # short: the paths of its sockets must stay below 107 letters
    code = "import sys; from fmnist.trial_cluster import keep; keep(sys.argv[1:])"
    command = [sys.executable, "-c", code, sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments]
    has = ["--num-cpus", str(cpus), "--num-gpus", str(gpus), "--dashboard-agent-listen-port", str(_free_port())]
    small = ["--object-store-memory", "80000000", "--disable-usage-stats", "--temp-dir", str(folder)]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*command, *has, *small],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=dict(variables),
            cwd=folder,
        )
    return Node(address, process, folder)


def _variables(token_file: Path) -> dict[str, str]:
    """The token on, this code to be found, and nothing of the token in what a process is told."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "FMNIST_HOME": str(home()),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        "RAY_memory_monitor_refresh_ms": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    }


def _members(process: subprocess.Popen[bytes]) -> "list[psutil.Process]":
    """Every process of a node: what it has started, directly or not, and what is in its session though its parent is gone."""
    import psutil

    found: dict[int, psutil.Process] = {}
    with suppress(psutil.Error):
        found |= {each.pid: each for each in psutil.Process(process.pid).children(recursive=True)}
    for each in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(each.pid) == process.pid and each.pid != process.pid:
                found[each.pid] = each
    return list(found.values())


def keep(command: list[str]) -> None:
    """Run a command for as long as standard input is open, and let nothing of it outlive that."""
    import psutil

    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=lambda: (child.wait(), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    threading.Thread(target=lambda: (os.read(0, 1), ended.set()), daemon=True).start()
    ended.wait()
    members = psutil.Process().children(recursive=True)
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(END_SECONDS)
    for member in members:
        with suppress(psutil.Error):
            member.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HEAD, 0))
        return probe.getsockname()[1]


def main(arguments: list[str] | None = None) -> int:
    """Start both nodes, make them a cluster of this studio, and wait for Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m fmnist.trial_cluster", description="A head and a second node on this machine.")
    parser.add_argument("--cpus", type=int, default=1, help="what each of the two nodes says it has (default 1)")
    parser.add_argument("--port", type=int, default=8265, help="of the cluster's own dashboard (default 8265)")
    options = parser.parse_args(arguments)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    try:
        print("Starting a head and a second node; half a minute or so…", flush=True)  # noqa: T201
        with running(home() / "trial_cluster", cpus=options.cpus, dashboard_port=options.port) as cluster:
            cluster.add_node(cpus=options.cpus)
            cluster.wait(2)
            print(_register(cluster), flush=True)  # noqa: T201
            over.wait()
            print("\nEnding both nodes…", flush=True)  # noqa: T201
    except ClusterError as error:
        print(f"fmnist: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _register(cluster: TrialCluster) -> str:
    """Make it a cluster of this studio; returns what to do next."""
    clusters, what = Clusters(Store()), {"address": cluster.address, "storage": str(cluster.storage), "token_file": cluster.token_file}
    try:
        mine = clusters.change(clusters.get(NAME), **what)
    except StoreError:
        mine = clusters.add(NAME, **what)
    return (
        f'"{mine.name}" is a cluster of this studio now: {check(mine)}.\n'
        f"In the dashboard (make app), choose it as the place to run on the Train or the Sweep page. Or, in another terminal:\n"
        f'  python -m fmnist sweep --preset quick --search learning_rate --trials 6 --engine ray --address "{mine.name}"\n'
        "Ctrl-C here ends both nodes."
    )


if __name__ == "__main__":
    sys.exit(main())
