from __future__ import annotations

from typing import Callable, Iterator, List

import pytest

import antiphon

from .proxy import Proxy
from .server import Server

Connect = Callable[..., antiphon.Client]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """An open server that all tests share. Each uses channels of its own."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def own_server() -> Iterator[Callable[[str], Server]]:
    """Starts servers for the one test."""
    servers: List[Server] = []

    def start(config: str = "") -> Server:
        servers.append(Server(config))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.url)
    yield proxy
    proxy.close()


@pytest.fixture
def connect(server: Server) -> Iterator[Connect]:
    """Connects blocking clients that are closed in the end."""
    clients: List[antiphon.Client] = []

    def connect(url: str = server.url, **options: object) -> antiphon.Client:
        client = antiphon.connect(url, **{"connect_timeout": 15.0, **options})  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def channel_name(request: pytest.FixtureRequest) -> str:
    """A channel of the test's own."""
    return f"{request.node.name} ü/日"
