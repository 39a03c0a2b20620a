"""One server and one test agent for the whole run; every test uses services of
its own name, so that nothing it finds can be from somebody else."""

import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stub import Stub, TestAgent

APPS = pathlib.Path(__file__).parent / "apps"
# Where scripts/telemetry-suite keeps what it installed.
CLIENTS = pathlib.Path(os.environ["SANDBOX_TELEMETRY_CLIENTS"])
CLIENT_DEADLINE_S = 60
numbers = itertools.count(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("telemetry")


@pytest.fixture(scope="session")
def stub(folder: pathlib.Path) -> Iterator[Stub]:
    server = Stub.start(folder / "stub")
    yield server
    server.process.stop()


@pytest.fixture(scope="session")
def test_agent(folder: pathlib.Path) -> Iterator[TestAgent]:
    agent = TestAgent.start(folder / "agent", str(pathlib.Path(sys.executable).with_name("ddapm-test-agent")))
    yield agent
    agent.stop()


@pytest.fixture
def service(request: pytest.FixtureRequest) -> str:
    name = request.node.originalname.removeprefix("test_").replace("_", "-")
    return f"{name}-{next(numbers)}"


class Client:
    """What a client program said and when it was done."""

    def __init__(self, done: subprocess.CompletedProcess[str]):
        self.stdout = done.stdout
        self.stderr = done.stderr

    @property
    def said(self) -> Any:
        return json.loads(self.stdout)


def run(command: list[str], **env: str) -> Client:
    """Runs a client to its end, in an environment with nothing but what is given."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "NODE_PATH") if key in os.environ}
    done = subprocess.run(
        command,
        check=False,
        env=kept | env,
        capture_output=True,
        text=True,
        timeout=CLIENT_DEADLINE_S,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} exited with {done.returncode}: {done.stderr[-3000:]}")
    return Client(done)


@pytest.fixture
def python(stub: Stub, service: str) -> Callable[..., Client]:
    """Runs an app of `apps/` as a pod would: where the agent is comes from the environment."""

    def start(app: str, *arguments: str, agent: int | None = None, **env: str) -> Client:
        settings = {
            "DD_AGENT_HOST": "127.0.0.1",
            "DD_TRACE_AGENT_PORT": str(agent or stub.ports.apm),
            "DD_DOGSTATSD_PORT": str(stub.ports.dogstatsd),
            "DD_SERVICE": service,
            "DD_ENV": "test",
            "DD_VERSION": "1.2.3",
        }
        settings = {key: value for key, value in (settings | env).items() if value != ""}
        return run([sys.executable, str(APPS / app), *arguments], **settings)

    return start


@pytest.fixture
def node(stub: Stub, service: str) -> Callable[..., Client]:
    if shutil.which("node") is None or "NODE_PATH" not in os.environ:
        pytest.skip("node or its packages are not there")

    def start(app: str, *arguments: str, **env: str) -> Client:
        settings = {
            "DD_AGENT_HOST": "127.0.0.1",
            "DD_TRACE_AGENT_PORT": str(stub.ports.apm),
            "DD_DOGSTATSD_PORT": str(stub.ports.dogstatsd),
            "DD_SERVICE": service,
            "DD_ENV": "test",
            "DD_VERSION": "1.2.3",
        }
        return run(["node", str(APPS / app), *arguments], **(settings | env))

    return start


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """The path of a Go program that scripts/telemetry-suite built."""

    def find(name: str) -> str:
        path = CLIENTS / "go" / name
        if not path.is_file():
            pytest.skip(f"{name} is not built")
        return str(path)

    return find


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line of all, which says how it went."""
    stats = config.pluginmanager.get_plugin("terminalreporter").stats
    count = {kind: len(stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
    print(f"{count['passed']} passed, {count['failed'] + count['error']} failed, {count['skipped']} skipped")
