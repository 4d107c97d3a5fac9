"""A client of the server that each file's own fixture `api` plays."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes.api_server import ApiServer

from gennaker.transport.client import Client


@pytest.fixture
def client(api: ApiServer, tmp_path: Path) -> Iterator[Client]:
    with closing(Client(tmp_path)) as found:
        assert found.address == api.address
        yield found
