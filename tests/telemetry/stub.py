"""The server under test and the agent it is compared with: how they are started,
and their HTTP interfaces as plain calls. Nothing here knows what is tested."""

import contextlib
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeVar

START_DEADLINE_S = 60
# How long a question may wait for what a client has sent. Nothing takes this
# long unless it is lost.
WAIT = "15s"
T = TypeVar("T")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def http(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout: float = 60,
) -> Answer:
    """One request; an error status is an answer like any other."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, for TCP and UDP alike."""
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        while len(ports) < count:
            tcp = held.enter_context(socket.socket())
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            udp = held.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                ports.append(port)
    return ports


def eventually(what: str, ready: Callable[[], bool], seconds: float = 15) -> None:
    """For what the query API has no `wait` for."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)


class Process:
    """A server that is stopped with everything it started. Its output goes to a file."""

    def __init__(self, command: list[str], log: pathlib.Path, env: dict[str, str] | None = None):
        self.command = command
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self, what: str, ready: Callable[[], T | None]) -> T:
        """Asks until `ready` gives something; fails at the deadline or when the program has ended."""
        deadline = time.monotonic() + START_DEADLINE_S
        while (found := ready()) is None:
            if self.process.poll() is not None:
                raise RuntimeError(f"`{shlex.join(self.command)}` ended: {self.log.read_text()[-2000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {START_DEADLINE_S} s in vain for {what} of `{shlex.join(self.command)}`")
            time.sleep(0.05)
        return found

    def wait_for_port(self, port: int) -> None:
        def ready() -> bool | None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
            return None

        self.wait(f"port {port}", ready)

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)


@dataclass
class Ports:
    apm: int
    dogstatsd: int
    otlp_grpc: int
    otlp_http: int
    query: int
    health: int


@dataclass
class Stub:
    """`sandbox serve telemetry`, and the questions it answers."""

    ports: Ports
    sockets: pathlib.Path
    process: Process

    @classmethod
    def start(cls, folder: pathlib.Path, *more: str) -> "Stub":
        """Starts the command of `SANDBOX_TELEMETRY_SERVE` on ports of its own choice."""
        folder.mkdir(parents=True, exist_ok=True)
        sockets = folder / "sockets"
        sockets.mkdir()
        command = shlex.split(os.environ["SANDBOX_TELEMETRY_SERVE"])
        command += [f"--{port}port=0" for port in ("", "apm-", "dogstatsd-", "otlp-grpc-", "otlp-http-", "health-")]
        command += [f"--sockets={sockets}", *more]
        process = Process(command, folder / "server.log")

        def listening() -> dict[str, str] | None:
            for line in process.log.read_text().splitlines(keepends=True):
                if line.startswith('{"listening"') and line.endswith("\n"):
                    return json.loads(line)["listening"]
            return None

        try:
            where = process.wait("the line that says where it listens", listening)
        except BaseException:
            process.stop()
            raise
        names = (field.name for field in fields(Ports))
        ports = Ports(*(int(where[name].rpartition(":")[2]) for name in names))
        return cls(ports, sockets, process)

    @property
    def apm_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.apm}"

    @property
    def otlp_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.otlp_http}"

    @property
    def apm_socket(self) -> pathlib.Path:
        return self.sockets / "apm.socket"

    @property
    def dsd_socket(self) -> pathlib.Path:
        return self.sockets / "dsd.socket"

    def call(self, method: str, path: str, body: Any = None, /, **parameters: Any) -> Any:
        query = urllib.parse.urlencode(
            {key.rstrip("_"): value for key, value in parameters.items() if value is not None}, doseq=True
        )
        url = f"http://127.0.0.1:{self.ports.query}/sandbox/v1/{path}" + (f"?{query}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        answer = http(method, url, data, headers)
        if answer.status != 200:
            raise AssertionError(f"{method} {url} answered {answer.status}: {answer.body[:500]!r}")
        return answer.json()

    def ask(self, kind: str, /, count: str = ">=1", **filters: Any) -> Any:
        """Waits until `count` items match, and fails saying what is there instead."""
        answer = self.call("GET", kind, count=count, wait=WAIT, **filters)
        if not answer["met"]:
            raise AssertionError(
                f"{kind} with {filters}: {answer['total']} within {WAIT}, wanted {count}; "
                f"stored: {self.call('GET', 'stats')}"
            )
        return answer

    def spans(self, count: int, **filters: Any) -> list[dict[str, Any]]:
        answer = self.ask("spans", f"=={count}", order="oldest", limit=10000, **filters)
        return answer["spans"]

    def logs(self, count: int, **filters: Any) -> list[dict[str, Any]]:
        return self.ask("logs", f"=={count}", order="oldest", limit=10000, **filters)["logs"]

    def metric(self, name: str, count: int = 1, **filters: Any) -> dict[str, Any]:
        return self.ask("metrics", f"=={count}", name=name, raw="true", limit=10000, **filters)

    def trace(self, trace_id: str, count: int) -> dict[str, Any]:
        return self.ask(f"traces/{trace_id}", str(count))

    def seq(self) -> int:
        return self.call("GET", "stats")["seq"]

    def endpoint(self, path: str) -> dict[str, int]:
        nothing = {"requests": 0, "bytes": 0, "accepted": 0, "malformed": 0, "dropped": 0}
        return self.call("GET", "stats")["endpoints"].get(path, nothing)

    @contextlib.contextmanager
    def fault(self, endpoint: str, **what: Any):
        """A fault for the time of a block; gives a call that reads its hits."""
        fault = self.call("POST", "faults", {"endpoint": endpoint, **what})

        def hits() -> int:
            there = self.call("GET", "faults")["faults"]
            return next((one["hits"] for one in there if one["id"] == fault["id"]), what.get("times", 0))

        try:
            yield hits
        finally:
            self.call("DELETE", "faults")


@dataclass
class TestAgent:
    """`ddapm-test-agent`, the vendor's own stand-in for the agent."""

    __test__ = False
    apm: int
    otlp_http: int
    otlp_grpc: int
    socket: pathlib.Path
    process: Process

    @classmethod
    def start(cls, folder: pathlib.Path, program: str = "ddapm-test-agent") -> "TestAgent":
        folder.mkdir(parents=True, exist_ok=True)
        apm, otlp_http, otlp_grpc = free_ports(3)
        unix = folder / "apm.socket"
        process = Process(
            [
                program,
                f"--port={apm}",
                f"--otlp-http-port={otlp_http}",
                f"--otlp-grpc-port={otlp_grpc}",
                f"--trace-uds-socket={unix}",
                f"--snapshot-dir={folder}",
                "--log-level=ERROR",
            ],
            folder / "test-agent.log",
        )
        try:
            process.wait_for_port(apm)
        except BaseException:
            process.stop()
            raise
        return cls(apm, otlp_http, otlp_grpc, unix, process)

    @property
    def apm_url(self) -> str:
        return f"http://127.0.0.1:{self.apm}"

    def traces(self, token: str) -> list[list[dict[str, Any]]]:
        return http("GET", f"{self.apm_url}/test/session/traces?test_session_token={token}").json()

    def stop(self) -> None:
        self.process.stop()
