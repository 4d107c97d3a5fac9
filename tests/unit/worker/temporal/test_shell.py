"""The shell's beginnings: what keeps a server from working with Temporal is said in a sentence."""

import asyncio
import sys
from pathlib import Path

import pytest
from tests import shells
from tests.temporal_server import TemporalServer

from gennaker import app
from gennaker.model.problems import Problem, Refused
from gennaker.settings import EngineSettings, Settings, TemporalSettings
from gennaker.worker.temporal import shell

pytestmark = pytest.mark.slow


def refused(**temporal: str) -> Problem:
    with pytest.raises(Refused) as caught:
        asyncio.run(shell.connect(Settings(temporal=TemporalSettings(**temporal)), server="me"))
    (problem,) = caught.value.problems
    return problem


def test_an_address_where_nobody_listens() -> None:
    problem = refused(address="127.0.0.1:1")

    assert problem.code == "temporal.unreachable"
    assert problem.message == "Temporal at 127.0.0.1:1 can't be reached: Connection refused."
    assert "temporal.address" in str(problem.remedy)


@pytest.mark.parametrize("address", ["localhost", "http://localhost", ":7233", "localhost:http"])
def test_what_is_no_address(address: str) -> None:
    assert refused(address=address).message.endswith("it is not of the form host:port.")


def test_somebody_else_who_listens_there() -> None:
    async def main() -> Problem:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
            port = other.sockets[0].getsockname()[1]
            with pytest.raises(Refused) as caught:
                await shell.connect(Settings(temporal=TemporalSettings(address=f"127.0.0.1:{port}")), server="me")
        return caught.value.problems[0]

    problem = asyncio.run(main())

    assert problem.code == "temporal.unreachable"
    assert "is no Temporal" in problem.message


def test_a_namespace_that_is_not_there(temporal_server: TemporalServer) -> None:
    problem = refused(address=temporal_server.address, namespace="nowhere")

    assert problem.code == "temporal.namespace"
    assert "temporal operator namespace create --namespace nowhere" in str(problem.remedy)


def test_all_servers_of_a_namespace_and_task_queue_share_a_lease(temporal_server: TemporalServer) -> None:
    settings = shells.settings_of(temporal_address=temporal_server.address, task_queue="shop")

    assert asyncio.run(shell.connect(settings, server="me")).lease == "temporal:default/shop"


def served(settings: Settings, folder: Path) -> Problem:
    with pytest.raises(Refused) as caught:
        app.serve(settings, folder, {})
    return caught.value.problems[0]


def test_a_server_on_sqlite_says_that_temporal_needs_postgresql(tmp_path: Path) -> None:
    engine = EngineSettings(shell="temporal")  # noqa: S604 - the engine's shell, not the system's
    problem = served(Settings(engine=engine), tmp_path)

    assert problem.code == "temporal.store"
    assert "store.url" in str(problem.remedy)


def test_a_server_without_the_extra_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("gennaker.worker.temporal.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("gennaker.worker.temporal.shell")
    monkeypatch.setitem(sys.modules, "temporalio.api.workflowservice.v1", None)
    monkeypatch.setitem(sys.modules, "temporalio", None)

    problem = served(shells.settings_of(url="postgresql://x@127.0.0.1:1/x", temporal_address="127.0.0.1:1"), tmp_path)

    assert problem.code == "temporal.not_installed"
    assert problem.message.endswith("the Python package temporalio is not installed.")
    assert "pip install 'gennaker[temporal]'" in str(problem.remedy)
