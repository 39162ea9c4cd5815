"""The HTTP interface of a Ray cluster: jobs submitted, listed, stopped, their output followed. Nothing of Ray is needed for it.

Whatever goes wrong is one sentence: `LostContact` when nobody answers now, so that trying again may help, `ClusterError` for what a
person has to mend. The token goes into a header and nowhere else; no sentence repeats what a server says of it.
"""

import http.client
import json
import re
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from fmnist.errors import ClusterError, LostContact

OLDEST = (2, 60)  # of Ray: from this version on the interface was tested
PATIENCE = 5.0  # seconds for a connection and for an answer
SUBMIT_PATIENCE = 30.0  # ... and for one that waits until a node has an agent that takes a job
SILENCE = 8.0  # seconds without a byte of a job's output, which says something every second
SAID = 200  # letters of a server's complaint that are repeated


class JobsApi:
    """What a cluster answers.

    Args:
        address: http://head:8265 or https://..., as `fmnist.clusters` has checked it.
        token: of the cluster; none is sent if None.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        self._address, self._url = address, urlsplit(address)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def version(self) -> str:
        """The version of Ray there.

        Raises:
            ClusterError: it is no Ray cluster, or one that is too old; or as every method: out of reach, or the token is refused.
        """
        found = str(self._json("GET", "/api/version").get("ray_version", ""))
        numbers = tuple(int(number) for number in re.findall(r"\d+", found)[:2])
        if not numbers:
            raise self._no_ray()
        if numbers < OLDEST:
            needed = ".".join(map(str, OLDEST))
            raise ClusterError(f"The cluster at {self._address} runs Ray {found}; {needed} or later is needed. Update Ray there.")
        return found

    def submit(self, name: str, entrypoint: str, environment: dict[str, str], metadata: dict[str, str]) -> None:
        """Start a job under a name that no other has; one that is there already is left as it is.

        Args:
            environment: variables of the job; everybody with the token can read them.
        """
        body = {
            "submission_id": name,
            "entrypoint": entrypoint,
            "runtime_env": {"env_vars": environment},
            "metadata": metadata,
        }
        try:
            self._json("POST", "/api/jobs/", body, SUBMIT_PATIENCE)
        except ClusterError:
            if self.job(name) is None:
                raise

    def job(self, name: str) -> dict[str, Any] | None:
        """What is known of a job: its `status`, `message`, `driver_node_id`...; None if there is none of this name."""
        return self._json("GET", f"/api/jobs/{quote(name)}", missing=None)

    def jobs(self) -> list[dict[str, Any]]:
        """Everybody's jobs, the newest first."""
        found = self._json("GET", "/api/jobs/")
        if not isinstance(found, list):
            raise self._no_ray()
        return sorted(found, key=lambda job: job.get("start_time") or 0, reverse=True)

    def stop(self, name: str) -> None:
        """Ask a job to end; one that is over or unknown is left as it is."""
        self._json("POST", f"/api/jobs/{quote(name)}/stop", missing=None)

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes that live, as `raylet` and `resourcesTotal` describe them, and with what of them is used."""
        found = self._json("GET", "/nodes?view=summary")
        try:
            data = found["data"]
            used = data.get("nodeLogicalResources") or {}
            return [
                {**node, "used": used.get(node["raylet"]["nodeId"], "")}
                for node in data["summary"]
                if node["raylet"].get("state", "ALIVE") == "ALIVE"
            ]
        except (KeyError, TypeError, AttributeError):
            raise self._no_ray() from None

    def output(self, name: str, node: str) -> Iterator[str]:
        """The lines that a job prints, from its first one on and as they come; it never ends by itself.

        Args:
            node: the `driver_node_id` of the job.

        Raises:
            LostContact: the connection broke, or nothing came for some seconds.
        """
        path = f"/api/v0/logs/stream?node_id={quote(node)}&filename=job-driver-{quote(name)}.log&lines=-1&interval=0.25"
        try:
            connection, answer = self._ask("GET", path, None, SILENCE)
            with connection:
                self._check(answer)
                while line := answer.readline():
                    yield line.decode("utf-8", "replace").rstrip("\n")
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from None
        raise LostContact(f"The cluster at {self._address} has closed the connection.")

    def logs(self, name: str) -> Iterator[str]:
        """The lines that a job has printed so far."""
        found = self._json("GET", f"/api/jobs/{quote(name)}/logs", missing={})
        yield from str(found.get("logs") or "").splitlines()

    # ---- inside --------------------------------------------------------------------------------------------------------------

    def _json(self, method: str, path: str, body: Any = None, patience: float | None = None, **missing: Any) -> Any:
        """The answer, decoded; Args: missing: missing=VALUE is returned for what is not there."""
        try:
            connection, answer = self._ask(method, path, body, patience or PATIENCE)
            with connection:
                if answer.status == http.client.NOT_FOUND and "missing" in missing:
                    return missing["missing"]
                self._check(answer)
                return json.loads(answer.read())
        except ValueError:
            raise self._no_ray() from None
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from None

    def _ask(self, method: str, path: str, body: Any, patience: float) -> tuple["_Connection", http.client.HTTPResponse]:
        connection = _Connection(self._url.scheme, self._url.hostname or "", self._url.port, patience)
        content = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if content else {}
        return connection, connection.ask(method, self._url.path.rstrip("/") + path, content, {**self._headers, **kind})

    def _check(self, answer: http.client.HTTPResponse) -> None:
        """Raises ClusterError for every answer that is none."""
        if answer.status == http.client.OK:
            return
        if answer.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise ClusterError(f"The cluster at {self._address} refuses the token. Give it the token that its head was started with.")
        if answer.status == http.client.NOT_FOUND:
            raise self._no_ray()
        said = " ".join(answer.read(10_000).decode("utf-8", "replace").split())[-SAID:]
        kind = LostContact if answer.status >= http.client.INTERNAL_SERVER_ERROR else ClusterError
        raise kind(f"The cluster at {self._address} answered with an error ({answer.status}): {said or 'it says nothing more'}.")

    def _no_ray(self) -> ClusterError:
        return ClusterError(f"What answers at {self._address} is not the dashboard of a Ray cluster. It usually has the port 8265.")

    def _lost(self, error: Exception) -> ClusterError:
        if isinstance(error, ClusterError):
            return error
        if isinstance(error, ssl.SSLError):
            return ClusterError(f"The cluster at {self._address} has no certificate that can be trusted: {error.reason}.")
        if isinstance(error, TimeoutError):
            return LostContact(f"The cluster at {self._address} does not answer in time. Check that its head runs, and the network to it.")
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        return LostContact(f"The cluster at {self._address} cannot be reached ({reason}). Check its address, and that its head runs.")


class _Connection:
    """One question on a connection of its own, closed at the end of a `with` block. Proxies and redirects, which would see the token,
    are not followed."""

    def __init__(self, scheme: str, host: str, port: int | None, patience: float) -> None:
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        self._connection = kind(host, port, timeout=patience)

    def ask(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        try:
            self._connection.request(method, path, content, headers)
            return self._connection.getresponse()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._connection.close()
