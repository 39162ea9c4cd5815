"""Clusters: other places to train, where they are reached, what they have and what they do.

A cluster is Ray's (docs/cluster.md), reached over HTTP. Its token is in a file that only its owner can read; the store knows the path.
"""

import os
import re
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fmnist.database import CLUSTERS, RUNS, SWEEPS
from fmnist.errors import ClusterError, StoreError
from fmnist.home import home
from fmnist.jobs_api import JobsApi
from fmnist.run import Status, clean_name
from fmnist.store import Store
from fmnist.sweep import SweepStatus

APP = "fmnist"  # in the metadata of our jobs
OVER = ("SUCCEEDED", "FAILED", "STOPPED")  # the statuses of a job that does nothing any more


@dataclass(frozen=True)
class Cluster:
    """One line of the table of clusters."""

    id: str
    name: str
    address: str  # of the head's dashboard: http://head:8265
    storage: str  # a folder that all its nodes and this machine reach: /nfs/fmnist or s3://bucket/fmnist
    token_file: str | None  # a path; None: the cluster wants no token
    created: float  # wall clock, seconds since the epoch


@dataclass(frozen=True)
class Resources:
    """What a cluster has, and what of it is used now."""

    nodes: int
    cpus: float
    cpus_used: float
    gpus: float
    gpus_used: float

    def in_words(self) -> str:
        """Such as "2 nodes, 1 of 4 CPUs and 0.5 of 1 GPU in use"."""
        nodes = f"{self.nodes} node{'s' * (self.nodes != 1)}"
        gpus = f"{self.gpus_used:g} of {self.gpus:g} GPU{'s' * (self.gpus != 1)}" if self.gpus else "no GPU"
        return f"{nodes}, {self.cpus_used:g} of {self.cpus:g} CPU{'s' * (self.cpus != 1)} and {gpus} in use"


@dataclass(frozen=True)
class Job:
    """Something that a cluster does or did."""

    name: str  # what the cluster calls it
    status: str  # PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED
    user: str | None  # who submitted it from a studio; None: not ours
    what: str | None  # the name of the run or the sweep
    owner: str | None  # its id
    started: float | None  # wall clock, seconds since the epoch
    message: str

    @property
    def is_over(self) -> bool:
        return self.status in OVER


class Clusters:
    """All clusters of a store.

    Raises:
        StoreError: from every method, when the database cannot be reached or refuses.
    """

    def __init__(self, store: Store) -> None:
        self._database = store.database

    def list(self) -> list[Cluster]:
        """Every cluster, by name."""
        with self._database.reading() as connection:
            return [Cluster(**row) for row in connection.execute(sa.select(CLUSTERS).order_by(CLUSTERS.c.name)).mappings()]

    def get(self, word: str) -> Cluster:
        """One cluster by its id or its name.

        Raises:
            StoreError: there is none.
        """
        fitting = [cluster for cluster in self.list() if word in (cluster.id, cluster.name)]
        if not fitting:
            known = ", ".join(cluster.name for cluster in self.list()) or "none yet"
            raise StoreError(f"There is no cluster {word[:40]!r}. Known: {known}.")
        return fitting[0]

    def add(self, name: str, address: str, storage: str, *, token: str | None = None, token_file: Path | str | None = None) -> Cluster:
        """A new cluster; nobody is asked whether it is there (`check`).

        Args:
            token: what a person typed: it goes into a file of its own.
            token_file: a file that has the token in its first line, instead.

        Raises:
            StoreError: the name is empty or taken.
            ClusterError: the address, the storage or the token is none.
        """
        new = uuid.uuid4().hex
        values = {"name": clean_name(name), "address": checked_address(address), "storage": checked_storage(storage)}
        with self._database.writing(in_turn=True) as connection:
            _check_is_free(connection, values["name"])
            row = {"id": new, "created": time.time(), "token_file": _kept(new, token, token_file), **values}
            return Cluster(**connection.execute(sa.insert(CLUSTERS).values(**row).returning(CLUSTERS)).mappings().one())

    def change(
        self,
        cluster: Cluster,
        *,
        name: str | None = None,
        address: str | None = None,
        storage: str | None = None,
        token: str | None = None,
        token_file: Path | str | None = None,
    ) -> Cluster:
        """The cluster with something changed; what is None stays. Errors as in `add`."""
        values: dict[str, Any] = asdict(cluster)
        if name is not None:
            values["name"] = clean_name(name)
        if address is not None:
            values["address"] = checked_address(address)
        if storage is not None:
            values["storage"] = checked_storage(storage)
        if token or token_file:
            values["token_file"] = _kept(cluster.id, token, token_file)
        with self._database.writing(in_turn=True) as connection:
            _check_is_free(connection, values["name"], cluster.id)
            connection.execute(sa.update(CLUSTERS).where(CLUSTERS.c.id == cluster.id).values(**values))
        return self.get(cluster.id)

    def remove(self, cluster: Cluster) -> None:
        """Forget a cluster and its token.

        Raises:
            StoreError: something still runs or waits there.
        """
        open_runs = sa.select(RUNS.c.name).where(RUNS.c.cluster == cluster.id, RUNS.c.status.in_([Status.QUEUED, Status.RUNNING]))
        open_sweeps = sa.select(SWEEPS.c.name).where(SWEEPS.c.cluster == cluster.id, SWEEPS.c.status == SweepStatus.RUNNING)
        with self._database.writing() as connection:
            if busy := connection.execute(open_runs).scalars().first() or connection.execute(open_sweeps).scalars().first():
                raise StoreError(f"{busy} is still at work on {cluster.name}. Stop or cancel it first, then remove the cluster.")
            connection.execute(sa.delete(CLUSTERS).where(CLUSTERS.c.id == cluster.id))
        _own_token_file(cluster.id).unlink(missing_ok=True)


def checked_address(address: str) -> str:
    """The address of a cluster's dashboard, such as http://head:8265.

    Raises:
        ClusterError: it is none, or has a password or a token in it.
    """
    address = address.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise ClusterError("The address of a cluster is like http://head:8265; this one cannot be read.") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ClusterError("An address has no user, password or token in it: it would be seen. Give the token on its own.")
    if parts.scheme not in ("http", "https") or not parts.hostname or not re.fullmatch(r"[\w.:\-]+", parts.hostname):
        raise ClusterError(f"{address[:80]!r} is not the address of a cluster; it is like http://head:8265.")
    return address


def checked_storage(storage: str) -> str:
    """A folder that all machines reach: an absolute path, or a URI such as s3://bucket/folder.

    Raises:
        ClusterError: it is neither.
    """
    storage = storage.strip()
    if not re.fullmatch(r"(/|(s3|gs|gcs|hdfs|file|abfs|abfss)://)[^@\s][^@]*", storage):
        raise ClusterError(
            f"{storage[:80]!r} is not a place for checkpoints that every node reaches: "
            "give an absolute path such as /nfs/fmnist, or s3://bucket/folder."
        )
    return storage.rstrip("/") or "/"


def connect(cluster: Cluster) -> JobsApi:
    """Its HTTP interface; nothing is asked yet.

    Raises:
        ClusterError: its token cannot be read.
    """
    return JobsApi(cluster.address, read_token(Path(cluster.token_file)) if cluster.token_file else None)


def check(cluster: Cluster) -> str:
    """What a person wants to know of a cluster that answers: "Ray 2.60.0; 2 nodes, 0 of 4 CPUs and no GPU in use".

    Raises:
        ClusterError: it does not answer, refuses the token, or is too old; one sentence that says what to do.
    """
    version = connect(cluster).version()
    return f"Ray {version}; {resources(cluster).in_words()}"


def resources(cluster: Cluster) -> Resources:
    """What it has and what is used. Errors as in `check`."""
    totals, used = {"CPU": 0.0, "GPU": 0.0}, {"CPU": 0.0, "GPU": 0.0}
    nodes = connect(cluster).nodes()
    for node in nodes:
        for kind, has in node["raylet"].get("resourcesTotal", {}).items():
            if kind in totals:
                totals[kind] += float(has)
        for busy, _, kind in re.findall(r"([\d.]+)/([\d.]+) (CPU|GPU)\b", str(node["used"])):
            used[kind] += float(busy)
    return Resources(len(nodes), totals["CPU"], used["CPU"], totals["GPU"], used["GPU"])


def jobs(cluster: Cluster) -> list[Job]:
    """Everybody's jobs there, the newest first. Errors as in `check`."""
    found = []
    for job in connect(cluster).jobs():
        metadata = job.get("metadata") or {}
        mine = metadata if metadata.get("app") == APP else {}
        name, started = job.get("submission_id") or job.get("job_id") or "?", job.get("start_time")
        since = started / 1000 if started else None
        words = (job.get("message") or "", mine.get("user"), mine.get("what"), mine.get("owner"))
        found.append(Job(name, job.get("status") or "?", words[1], words[2], words[3], since, words[0]))
    return found


def stop(cluster: Cluster, job: Job) -> None:
    """Ask a job to end. Errors as in `check`."""
    connect(cluster).stop(job.name)


def read_token(path: Path) -> str:
    """The first line of a token file.

    Raises:
        ClusterError: it cannot be read, or has no token in it.
    """
    try:
        lines = path.expanduser().read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ClusterError(f"The token file {path} cannot be read: {reason}. Name another one.") from None
    if len(lines) != 1 or not re.fullmatch(r"[\x21-\x7e]{1,4096}", lines[0]):
        raise ClusterError(f"The token file {path} must hold one token, in one line, and nothing else.")
    return lines[0]


def _kept(cluster_id: str, token: str | None, token_file: Path | str | None) -> str | None:
    """The path of the file that has the token, after what was typed is in one."""
    if token_file:
        path = Path(token_file).expanduser().absolute()
        read_token(path)
        return str(path)
    if not token:
        return None
    if not re.fullmatch(r"[\x21-\x7e]{1,4096}", token.strip()):
        raise ClusterError("The token has spaces or letters in it that no token has. Copy it again.")
    path = _own_token_file(cluster_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token.strip() + "\n")
    return str(path)


def _own_token_file(cluster_id: str) -> Path:
    return home() / "tokens" / f"{cluster_id}.token"


def _check_is_free(connection: Connection, name: str, besides: str = "") -> None:
    """Raises StoreError if another cluster has the name."""
    if connection.execute(sa.select(CLUSTERS.c.id).where(CLUSTERS.c.name == name, CLUSTERS.c.id != besides)).first():
        raise StoreError(f"There is a cluster {name!r} already. Choose another name.")
