"""Tokens: from a function, and by logging in."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest

import antiphon
from antiphon._core.address import Address
from antiphon._core.tokens import claims_of, sign
from antiphon._login import TokenArgument, TokenSource, credential_of
from antiphon.credentials import User

from .conftest import Connect
from .server import Server

JWTS = """
[[org]]
name = "acme"
[[org.jwt]]
algorithm = "HS256"
secret = "a secret of thirty-two characters"
allow = ["publish", "subscribe", "history", "presence"]
"""


def jwt(lifetime: float, subject: str = "ann") -> str:
    now = int(time.time())
    return sign({"sub": subject, "iat": now, "exp": now + int(lifetime)}, "a secret of thirty-two characters")


def test_a_function_is_asked_again_before_its_token_ends(own_server: Callable[[str], Server], connect: Connect) -> None:
    server = own_server(JWTS)
    given: queue.Queue[None] = queue.Queue()
    states: List[antiphon.State] = []

    def token() -> str:
        given.put(None)
        return jwt(4)

    client = connect(server.url, token=token, on_state=lambda state, error: states.append(state))
    assert client.identity == "ann"
    listener = client.get_channel("room").listen()
    # The fourth comes when the first is over.
    for _ in range(4):
        given.get(timeout=10)
    client.get_channel("room").publish("x", 1)
    message = listener.wait(5)
    assert message is not None and message.publisher == "ann"
    assert states == [antiphon.State.ONLINE]


def test_a_static_token_that_expires_ends_the_client(own_server: Callable[[str], Server], connect: Connect) -> None:
    client = connect(own_server(JWTS).url, token=jwt(2))
    listener = client.get_channel("room").listen()
    with pytest.raises(antiphon.UnauthorizedError):
        listener.wait(15)
    with pytest.raises(antiphon.UnauthorizedError):
        client.get_channel("room").publish("x")
    assert client.state is antiphon.State.CLOSED


def test_a_function_whose_tokens_are_bad(own_server: Callable[[str], Server], connect: Connect) -> None:
    calls: List[int] = []

    def token() -> str:
        calls.append(1)
        return "not-a-good-one"

    with pytest.raises(antiphon.UnauthorizedError):
        connect(own_server(JWTS).url, token=token)
    assert len(calls) == 1


def test_a_function_that_raises_is_asked_again(own_server: Callable[[str], Server], connect: Connect) -> None:
    calls: List[int] = []

    def token() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise OSError("no network yet")
        return jwt(100)

    assert connect(own_server(JWTS).url, token=token, backoff_min=0.05).identity == "ann"
    assert len(calls) == 3


def test_an_asynchronous_function(own_server: Callable[[str], Server]) -> None:
    server = own_server(JWTS)

    async def token() -> str:
        await asyncio.sleep(0)
        return jwt(100)

    async def main() -> None:
        async with antiphon.aio.connect(server.url, token=token) as exp:
            assert exp.identity == "ann"

    asyncio.run(main())


Handle = Callable[[str, Dict[str, Any], Any], Tuple[int, Dict[str, str], Any]]


class FakeLogin:
    """A login that answers what the test says."""

    def __init__(self) -> None:
        self.handle: Handle = lambda path, headers, body: (500, {}, None)
        self.asked: queue.Queue[Tuple[str, Dict[str, Any], Any]] = queue.Queue()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = json.loads(text) if text else None
                fake.asked.put((self.path, dict(self.headers), body))
                status, headers, answer = fake.handle(self.path, dict(self.headers), body)
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def source(self, **who: Any) -> TokenSource:
        options: Dict[str, Any] = {"token": None, "device": None, "consumer_app": None, "user": None, **who}
        token: Optional[TokenArgument] = options.pop("token")
        _, source = credential_of(Address.of(self.url), token, timeout=5.0, ssl=None, **options)
        assert source is not None
        return source

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def fake() -> Iterator[FakeLogin]:
    fake = FakeLogin()
    yield fake
    fake.stop()


def test_a_device_signs_its_login(fake: FakeLogin) -> None:
    expiration = (time.time() + 600) * 1000
    fake.handle = lambda path, headers, body: (200, {}, {"token": "one", "expiration": expiration})
    token = asyncio.run(fake.source(device={"uuid": "test-uuid", "secret": "test-secret"}).fetch(None))
    assert (token.text, token.refreshable) == ("one", True)
    assert token.lifetime is not None and 590 < token.lifetime <= 600
    path, headers, body = fake.asked.get_nowait()
    assert path == "/api/auth/login" and "Authorization" not in headers
    claims = claims_of(body["token"])
    assert (claims["type"], claims["uuid"]) == ("device", "test-uuid")


def test_a_refresh_has_the_token_and_no_body(fake: FakeLogin) -> None:
    fake.handle = lambda path, headers, body: (200, {}, {"token": "two"})
    assert asyncio.run(fake.source(user=User("a", "b")).fetch("one")).text == "two"
    path, headers, body = fake.asked.get_nowait()
    assert (path, headers["Authorization"], body) == ("/api/auth/token", "Bearer one", None)


def test_a_wrong_clock_is_corrected_by_the_servers(fake: FakeLogin) -> None:
    def handle(path: str, headers: Dict[str, Any], body: Any) -> Tuple[int, Dict[str, str], Any]:
        if claims_of(body["token"])["iat"] == 951827696:
            return 200, {}, {"token": "one"}
        return 401, {"Date": "Tue, 29 Feb 2000 12:34:56 GMT"}, {"code": "unauthorized", "message": "expired"}

    fake.handle = handle
    device = antiphon.Device("test-uuid", "test-secret")
    assert asyncio.run(fake.source(device=device).fetch(None)).text == "one"
    assert fake.asked.qsize() == 2
    with pytest.raises(antiphon.UnauthorizedError) as raised:
        fake.handle = lambda path, headers, body: (401, {"Date": "nonsense"}, {"code": "unauthorized", "message": "no"})
        asyncio.run(fake.source(device=device).fetch(None))
    assert raised.value.detail == "no"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((404, {}, b"<html>"), antiphon.ProblemError),
        ((503, {"Retry-After": "7"}, {"code": "overloaded", "message": "busy"}), antiphon.UnavailableError),
        ((302, {"Location": "/elsewhere"}, b""), antiphon.ProblemError),
        ((200, {}, b"not json"), antiphon.UnreachableError),
        ((200, {}, {"token": 5}), antiphon.UnreachableError),
    ],
)
def test_answers_that_are_no_token(fake: FakeLogin, answer: Any, error: type) -> None:
    fake.handle = lambda path, headers, body: answer
    with pytest.raises(error) as raised:
        asyncio.run(fake.source(user={"username": "a", "password": "hidden"}).fetch(None))
    assert "hidden" not in str(raised.value)
    assert fake.asked.qsize() == 1
    if isinstance(raised.value, antiphon.UnavailableError):
        assert raised.value.retry_after == 7.0


def test_nobody_to_log_in_with(fake: FakeLogin) -> None:
    fake.stop()
    with pytest.raises(antiphon.UnreachableError):
        asyncio.run(fake.source(user=User("a", "b")).fetch(None))


EXP = """
[exp]
token_lifetime = "2s"
[[org]]
name = "scala"
[[org.device]]
uuid = "test-uuid"
secret = "test-secret"
[[org.consumer_app]]
uuid = "test-uuid"
api_key = "test-api-key"
[[org.user]]
username = "test@test.com"
password = "12345test"
"""
DEVICE = {"uuid": "test-uuid", "secret": "test-secret"}


@pytest.fixture(scope="module")
def exp_server() -> Iterator[Server]:
    server = Server(EXP)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("who", "identity"),
    [
        ({"device": DEVICE}, "test-uuid"),
        ({"consumer_app": {"uuid": "test-uuid", "api_key": "test-api-key"}}, "test-uuid"),
        ({"user": {"username": "test@test.com", "password": "12345test"}}, "test@test.com"),
        ({"user": antiphon.User("test@test.com", "12345test", "scala")}, "test@test.com"),
    ],
)
def test_whoever_logs_in_is_who_they_say(
    exp_server: Server, connect: Connect, who: Dict[str, Any], identity: str
) -> None:
    client = connect(exp_server.url, **who)
    assert client.identity == identity
    channel = client.get_channel("mine", consumer=True)
    listener = channel.listen("n")
    channel.broadcast("n", {"text": "Grüße"}, timeout=0.1)
    message = listener.wait(5)
    assert message is not None and message["text"] == "Grüße" and message.publisher == identity


@pytest.mark.parametrize(
    "who",
    [
        {"device": {"uuid": "test-uuid", "secret": "wrong-secret"}},
        {"device": {"uuid": "other-uuid", "secret": "test-secret"}},
        {"consumer_app": {"uuid": "test-uuid", "api_key": "test-secret"}},
        {"user": {"username": "test@test.com", "password": "wrong-password"}},
    ],
)
def test_a_login_that_is_refused(exp_server: Server, connect: Connect, who: Dict[str, Any]) -> None:
    with pytest.raises(antiphon.UnauthorizedError) as raised:
        connect(exp_server.url, **who)
    assert raised.value.status == 401


def test_consumer_apps_are_on_consumer_channels_only(exp_server: Server, connect: Connect) -> None:
    client = connect(exp_server.url, consumer_app=antiphon.ConsumerApp("test-uuid", "test-api-key"))
    for refused in (lambda: client.get_channel("c").listen(), lambda: client.get_channel("c").broadcast("x")):
        with pytest.raises(antiphon.NotPermittedError):
            refused()


def test_session_tokens_are_refreshed_without_another_connection(exp_server: Server, connect: Connect) -> None:
    states: List[antiphon.State] = []
    client = connect(exp_server.url, device=DEVICE, on_state=lambda state, error: states.append(state))
    channel = client.get_channel("refreshed")
    listener = channel.listen()
    # More than two of the tokens' lifetimes.
    assert listener.wait(5) is None
    channel.publish("x", 1)
    message = listener.wait(5)
    assert message is not None and message.payload == 1
    assert states == [antiphon.State.ONLINE]


def test_a_session_outlives_the_server(own_server: Callable[[str], Server], connect: Connect) -> None:
    server = own_server(EXP)
    channel = connect(server.url, device=DEVICE).get_channel("kept")
    listener = channel.listen()
    server.kill()
    server.start()
    channel.publish("x", 1)
    message = listener.wait(15)
    assert message is not None and message.payload == 1
