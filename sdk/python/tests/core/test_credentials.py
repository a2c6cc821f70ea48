"""Tokens: fetched, refreshed, refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from antiphon import ProblemError, State, UnauthorizedError, UnreachableError
from antiphon._core import tokens
from antiphon._core.address import Address
from antiphon._core.credential import Credential, Source, Token
from antiphon._core.effects import Fail, FetchToken
from antiphon._login import login_body
from antiphon.credentials import ConsumerApp, Device, User

from .bench import Bench, disconnected

UNAUTHORIZED = ProblemError.from_document({"type": "unauthorized", "status": 401})


def fetching() -> Bench:
    return Bench(Credential(Source.FETCHED))


def session(text: str = "one", lifetime: float = 100.0) -> Token:
    return Token(text, lifetime, refreshable=True)


def test_a_token_is_fetched_before_the_first_attempt() -> None:
    bench = fetching()
    assert bench.one(FetchToken).previous is None and bench.connects == []
    bench.give(session())
    assert [connect.token for connect in bench.connects] == ["one"]


def test_it_is_refreshed_at_half_of_its_lifetime_on_the_live_connection() -> None:
    bench = fetching()
    bench.give(session())
    bench.online()
    bench.take(FetchToken)
    for _ in range(2):
        bench.advance(24.0)
        bench.hear(type="pong")
    assert bench.take(FetchToken) == []
    bench.advance(2.0)
    assert bench.one(FetchToken).previous == "one"
    bench.sent.clear()
    bench.give(session("two"))
    sent = bench.one_sent("authenticate")
    assert sent["token"] == "two"
    bench.hear(type="ok", id=sent["id"], identity="alice")
    assert not disconnected(bench)
    bench.lose()
    bench.attempt()
    assert bench.connects[-1].token == "two"


def test_a_server_that_does_not_know_authenticate_gets_another_connection() -> None:
    bench = fetching()
    bench.give(session())
    bench.online()
    listener_request = bench.listen()
    bench.ok_subscribe(10)
    bench.advance(24.0)
    bench.hear(type="pong")
    bench.give(session("two"))
    broadcast = bench.broadcast()
    bench.refuse(broadcast - 1, 400, "invalid-parameter", parameter="type")
    assert not disconnected(bench), "a broadcast is under way"
    bench.hear(type="ok", id=broadcast, position="17")
    bench.hear(type="replies_end", id=broadcast, complete=False)
    assert disconnected(bench)
    assert bench.connects[-1].token == "two" and bench.take(Fail) == []
    bench.take_sent()
    bench.online()
    assert bench.ok_subscribe(20)["channels"] == [{"channel": "room", "since": "10"}]
    assert listener_request


def test_a_refresh_that_is_refused_is_a_login() -> None:
    bench = fetching()
    bench.give(session())
    bench.online()
    bench.take(FetchToken)
    bench.advance(50.0)
    bench.one(FetchToken)
    bench.core.handle_token_failed(UNAUTHORIZED, bench.now)
    bench.pump()
    assert bench.one(FetchToken).previous is None
    bench.core.handle_token_failed(UNAUTHORIZED, bench.now)
    bench.pump()
    assert bench.core.state is State.CLOSED and isinstance(bench.core.error, UnauthorizedError)


def test_a_refresh_that_fails_is_tried_again() -> None:
    bench = fetching()
    bench.give(session(lifetime=40.0))
    bench.online()
    bench.take(FetchToken)
    bench.advance(20.0)
    for _ in range(3):
        bench.one(FetchToken)
        bench.core.handle_token_failed(UnreachableError("no"), bench.now)
        bench.pump()
        assert bench.core.state is State.ONLINE
        bench.advance(4.0)
    assert bench.one(FetchToken).previous == "one"


def test_a_login_that_fails_at_first_is_tried_again_unless_it_is_refused() -> None:
    bench = fetching()
    bench.core.handle_token_failed(UnreachableError("no"), bench.now)
    bench.pump()
    bench.take(FetchToken)
    bench.advance(1.0)
    bench.one(FetchToken)
    bench.core.handle_token_failed(UNAUTHORIZED, bench.now)
    bench.pump()
    assert bench.core.state is State.CLOSED


def test_an_expired_token_is_followed_by_a_login() -> None:
    bench = fetching()
    bench.give(session())
    bench.online()
    bench.take(FetchToken)
    bench.lose(4001, "expired")
    bench.advance(1.0)
    assert bench.one(FetchToken).previous is None
    bench.give(session("two"))
    assert bench.connects[-1].token == "two"


def test_a_token_that_was_good_and_is_refused_is_followed_by_one_login() -> None:
    bench = fetching()
    bench.give(session())
    bench.online().lose()
    bench.attempt()
    bench.take(FetchToken)
    bench.core.handle_refused(bench.connection, UNAUTHORIZED, bench.now)
    bench.pump()
    bench.advance(1.0)
    bench.one(FetchToken)
    bench.give(session("two"))
    bench.core.handle_refused(bench.connection, UNAUTHORIZED, bench.now)
    bench.pump()
    assert bench.core.state is State.CLOSED


def test_a_token_past_its_end_is_not_used() -> None:
    bench = fetching()
    bench.give(session(lifetime=10.0))
    bench.online()
    bench.advance(5.0)
    bench.core.handle_token_failed(UnreachableError("no"), bench.now)
    bench.lose()
    bench.pump()
    bench.now += 20.0
    bench.take(FetchToken)
    bench.advance(1.0)
    assert len(bench.connects) == 1
    bench.give(session("two"))
    assert len(bench.connects) == 2


def test_a_token_that_comes_during_an_attempt_is_told_afterwards() -> None:
    bench = fetching()
    bench.give(session())
    bench.give(session("two"))
    bench.online()
    assert bench.one_sent("authenticate")["token"] == "two"


def test_signed_logins_are_jwts() -> None:
    token = tokens.login_token("device", "test-uuid", "test-secret", 1000.9)
    header, claims, signature = token.split(".")
    expected = hmac.new(b"test-secret", f"{header}.{claims}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64encode(expected).rstrip(b"=").decode() == signature
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "JWT"}
    assert tokens.claims_of(token) == {"type": "device", "uuid": "test-uuid", "iat": 1000, "exp": 1300}
    assert login_body(ConsumerApp("u", "k"), 0)["token"] == tokens.login_token("consumerApp", "u", "k", 0)
    assert login_body(User("n", "p"), 0) == {"type": "user", "username": "n", "password": "p"}
    assert login_body(User("n", "p", "o"), 0)["organization"] == "o"


def test_lifetimes_are_by_the_servers_clock_where_it_tells() -> None:
    both = tokens.sign({"iat": 5000, "exp": 5600}, "x")
    milliseconds = tokens.sign({"iat": 1763741000000, "exp": 1763741600000}, "x")
    assert tokens.lifetime_of(both, 9e15, 1.0) == 600
    assert tokens.lifetime_of(milliseconds, None, 1.0) == 600
    assert tokens.lifetime_of(tokens.sign({"exp": 1100}, "x"), None, 1000.0) == 100
    assert tokens.lifetime_of("key", 1_100_000.0, 1000.0) == 100
    assert tokens.lifetime_of("key", 900_000.0, 1000.0) == 0
    for text in ["key", "a.b.c", "a.ÿ.c", tokens.sign({"exp": True}, "x"), "a.W10.c", "a." + "W" * 5 + ".c"]:
        assert tokens.lifetime_of(text, None, 1000.0) is None


def test_secrets_are_not_shown() -> None:
    shown = repr([Device("u", "hidden"), ConsumerApp("u", "hidden"), User("u", "hidden"), Token("hidden")])
    assert "hidden" not in shown


def test_addresses() -> None:
    address = Address.of("https://example.com:8443/below/")
    assert address.events("a b/ü") == "wss://example.com:8443/below/v1/events?identity=a%20b%2F%C3%BC"
    assert address.login() == "https://example.com:8443/below/api/auth/login"
    assert Address.of("ws://[::1]:80").refresh() == "http://[::1]:80/api/auth/token"
    for url in ["", "localhost:8080", "ftp://a", "http://", "http://a?b", "http://a#b", "http://user:hidden@host"]:
        with pytest.raises(ValueError) as raised:
            Address.of(url)
        assert "hidden" not in str(raised.value)
