"""The way to a connection, and what ends it."""

from __future__ import annotations

import pytest

from antiphon import (
    ClosedError,
    ConnectionLostError,
    NotPermittedError,
    ProblemError,
    State,
    TooLargeError,
    UnauthorizedError,
    UnreachableError,
)
from antiphon._core.credential import Credential, Source
from antiphon._core.effects import Fail, StateChanged
from antiphon._core.settings import Settings

from .bench import Bench, disconnected


def problem(status: int, kind: str = "x", retry_after: float = 0.0) -> ProblemError:
    error = ProblemError.from_document({"type": kind, "status": status})
    error.retry_after = retry_after
    return error


def test_online_once_the_server_says_open() -> None:
    bench = Bench()
    bench.core.handle_connected(bench.connection, bench.now)
    assert bench.take(StateChanged) == []
    bench.hear(type="open", identity="alice", position="5")
    assert bench.one(StateChanged).state is bench.core.state is State.ONLINE
    assert bench.core.identity == "alice"


def test_attempts_are_further_and_further_apart() -> None:
    bench = Bench()
    delays = []
    for _ in range(10):
        bench.core.handle_unreachable(bench.connection, UnreachableError("no"), bench.now)
        bench.pump()
        delay = bench.one(StateChanged).delay
        assert delay is not None
        delays.append(delay)
        bench.advance(delay)
    for n, delay in enumerate(delays):
        whole = min(30.0, 0.5 * 2**n)
        assert whole / 2 <= delay <= whole
    assert len(bench.connects) == 11


def test_a_server_that_accepts_and_drops_does_not_reset_the_delay() -> None:
    bench = Bench()
    for _ in range(8):
        bench.online().lose()
        bench.attempt()
    bench.online()
    bench.done.clear()
    bench.lose()
    assert (bench.one(StateChanged).delay or 0) >= 15.0
    bench.attempt()
    bench.online()
    bench.done.clear()
    bench.advance(5.0)
    bench.lose()
    assert (bench.one(StateChanged).delay or 0) <= 0.5


def test_retry_after_counts_if_it_is_longer() -> None:
    bench = Bench()
    bench.core.handle_refused(bench.connection, problem(503, retry_after=7.0), bench.now)
    bench.pump()
    assert bench.one(StateChanged).delay == 7.0


def test_an_attempt_that_takes_too_long_is_given_up() -> None:
    bench = Bench()
    bench.core.handle_connected(bench.connection, bench.now)
    bench.advance(10.0)
    assert disconnected(bench)
    assert isinstance(bench.one(StateChanged).error, UnreachableError)
    assert len(bench.connects) == 1
    # What it says later is of no interest.
    bench.hear(type="open", identity="alice", position="5")
    assert bench.core.state is State.CONNECTING


@pytest.mark.parametrize("status", [400, 401, 403, 404, 426])
def test_a_first_refusal_that_stays_one_ends_it(status: int) -> None:
    bench = Bench()
    bench.core.handle_refused(bench.connection, problem(status), bench.now)
    bench.pump()
    assert bench.core.state is State.CLOSED
    changed = bench.one(StateChanged)
    assert isinstance(changed.error, ProblemError) and changed.error.status == status


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_other_refusals_are_waited_out(status: int) -> None:
    bench = Bench()
    bench.core.handle_refused(bench.connection, problem(status), bench.now)
    bench.reconnect()
    assert bench.core.state is State.ONLINE


def test_a_404_later_on_is_a_proxy_without_its_server() -> None:
    bench = Bench().online()
    bench.lose()
    bench.attempt()
    bench.core.handle_refused(bench.connection, problem(404), bench.now)
    bench.pump()
    bench.reconnect()


def test_403_ends_it_at_any_time() -> None:
    bench = Bench().online()
    bench.lose()
    bench.attempt()
    bench.core.handle_refused(bench.connection, problem(403, "not-permitted"), bench.now)
    bench.pump()
    assert isinstance(bench.core.error, NotPermittedError)


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1011, 1012, 1013])
def test_comes_back_after(code: object) -> None:
    bench = Bench().online()
    bench.lose(code)  # type: ignore[arg-type]
    bench.reconnect()


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008])
def test_does_not_come_back_after(code: int) -> None:
    bench = Bench().online()
    bench.lose(code, "why")
    assert bench.core.state is State.CLOSED
    error = bench.core.error
    assert isinstance(error, ConnectionLostError) and (error.code, error.reason) == (code, "why")
    bench.advance(1000.0)
    assert len(bench.connects) == 1


def test_does_not_come_back_when_told_not_to() -> None:
    bench = Bench().online()
    bench.hear(type="close", reason="go away", reconnect=False)
    bench.lose(1000)
    assert bench.core.state is State.CLOSED
    assert "go away" in str(bench.core.error)


def test_the_longest_message_is_to_blame_for_1009() -> None:
    bench = Bench().online()
    small, large = bench.publish("a"), bench.publish("b" * 1000)
    bench.take_sent()
    bench.lose(1009, "too long")
    failed = bench.one(Fail)
    assert failed.request == large and isinstance(failed.error, TooLargeError)
    bench.reconnect()
    assert [message["id"] for message in bench.take_sent()] == [small]


def test_an_expired_key_ends_it() -> None:
    bench = Bench(Credential(Source.STATIC, "key")).online()
    assert bench.connects[0].token == "key"
    bench.lose(4001, "expired")
    assert isinstance(bench.core.error, UnauthorizedError)


def test_silence_is_asked_about_and_ends_the_connection() -> None:
    bench = Bench().online()
    bench.advance(20.0)
    bench.hear(type="pong")
    bench.advance(24.0)
    assert bench.take_sent() == []
    bench.advance(1.0)
    assert bench.one_sent("ping") == {"type": "ping"}
    bench.advance(9.0)
    bench.hear(type="pong")
    bench.advance(25.0)
    bench.one_sent("ping")
    bench.done.clear()
    bench.advance(10.0)
    assert disconnected(bench)
    changed = bench.one(StateChanged)
    assert changed.state is State.CONNECTING and isinstance(changed.error, ConnectionLostError)


def test_a_longer_time_for_the_sign_of_life_than_between_two_questions() -> None:
    bench = Bench(settings=Settings(heartbeat_interval=1.0, heartbeat_timeout=3.5)).online()
    bench.advance(4.0)
    bench.one_sent("ping")
    assert not disconnected(bench)
    bench.advance(1.0)
    assert disconnected(bench)


def test_close_ends_everything_and_refuses_more() -> None:
    bench = Bench().online()
    request = bench.publish()
    bench.core.close(bench.now)
    bench.pump()
    failed = bench.one(Fail)
    assert failed.request == request and isinstance(failed.error, ClosedError)
    assert disconnected(bench)
    with pytest.raises(ClosedError):
        bench.publish()
    with pytest.raises(ClosedError):
        bench.listen()
    assert bench.core.poll_time() is None


def test_messages_that_are_none_are_passed_over() -> None:
    bench = Bench().online()
    for text in ["", "[]", "{", '{"type":"message"}', '{"type":"ok","id":1e999}', '{"type":"gap","channel":"a"}']:
        assert bench.hear_text(text) is not None, text
    for text in ['{"type":"news"}', "{}", '{"type":"ok","id":77}', '{"type":"error","error":{}}']:
        assert bench.hear_text(text) is None, text
    assert bench.core.state is State.ONLINE


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="backoff_min"):
        Settings(backoff_min=0)
