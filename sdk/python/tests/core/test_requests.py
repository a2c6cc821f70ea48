"""Requests: answered, refused, late, interrupted, sent again."""

from __future__ import annotations

import pytest

from antiphon import (
    BroadcastInterruptedError,
    ConnectionLostError,
    NotPermittedError,
    QueueFullError,
    RequestTimeoutError,
    TooLargeError,
    UnavailableError,
)
from antiphon._core.effects import Fail, Resolve
from antiphon._core.requests import Collected
from antiphon._core.settings import Settings

from .bench import ROOM, Bench


def test_a_publication_is_answered() -> None:
    bench = Bench().online()
    request = bench.publish({"text": "hi"})
    sent = bench.one_sent("publish")
    assert sent["channel"] == "room" and sent["payload"] == {"text": "hi"}
    bench.hear(type="ok", id=sent["id"], position="17", stored=True)
    assert bench.one(Resolve) == Resolve(request, ("17", True))


def test_a_refusal_is_typed() -> None:
    bench = Bench().online()
    request = bench.publish()
    bench.refuse(request, 403, "not-permitted", channel="room", consumer=True, permission="publish")
    error = bench.one(Fail).error
    assert isinstance(error, NotPermittedError)
    assert (error.type, error.status, error.detail) == ("not-permitted", 403, "why")
    assert (error.channel, error.consumer, error.permission) == ("room", True, "publish")


def test_what_was_not_stored_says_where_it_is() -> None:
    bench = Bench().online()
    bench.refuse(bench.publish(), 507, "storage-full", position="9")
    error = bench.one(Fail).error
    assert isinstance(error, UnavailableError) and error.position == "9"


def test_requests_wait_for_the_connection_and_go_in_their_order() -> None:
    bench = Bench()
    made = [bench.publish(1), bench.broadcast(), bench.publish(2)]
    assert bench.take_sent() == []
    bench.online()
    assert [message["id"] for message in bench.take_sent()] == made


def test_unanswered_publications_are_sent_again_with_their_keys() -> None:
    bench = Bench().online()
    first, second = bench.publish("a"), bench.publish("b")
    sent = bench.take_sent()
    assert sent[0]["idempotency_key"] != sent[1]["idempotency_key"]
    bench.hear(type="ok", id=first, position="17", stored=True)
    bench.lose()
    bench.reconnect()
    assert bench.take_sent() == sent[1:]
    bench.hear(type="ok", id=second, position="18", stored=True)
    assert [resolved.request for resolved in bench.take(Resolve)] == [first, second]


def test_keys_of_two_clients_differ() -> None:
    keys = set()
    for seed in (1, 2):
        bench = Bench(seed=seed).online()
        bench.publish()
        keys.add(bench.one_sent("publish")["idempotency_key"])
    assert len(keys) == 2


def test_a_repeated_publication_waits_for_the_first_one_to_be_stored() -> None:
    bench = Bench().online()
    request = bench.publish()
    bench.lose()
    bench.reconnect()
    bench.take_sent()
    bench.refuse(request, 409, "conflict")
    assert bench.take(Fail) == []
    bench.advance(0.25)
    assert bench.one_sent("publish")["id"] == request


def test_a_conflict_of_the_first_is_an_error() -> None:
    bench = Bench().online()
    bench.refuse(bench.publish(), 409, "conflict")
    bench.one(Fail)


def test_a_server_that_closes_has_not_refused() -> None:
    bench = Bench().online()
    publication, broadcast = bench.publish(), bench.broadcast()
    bench.refuse(publication, 503, "closing")
    bench.refuse(broadcast, 503, "closing")
    assert bench.one(Fail).request == broadcast
    bench.lose(1012)
    bench.take_sent()
    bench.reconnect()
    assert [message["id"] for message in bench.take_sent()] == [publication]


def test_a_late_answer_is_an_error_and_then_ignored() -> None:
    bench = Bench().online()
    request = bench.publish()
    bench.advance(29.0)
    bench.hear(type="pong")
    assert bench.take(Fail) == []
    bench.advance(1.0)
    error = bench.one(Fail).error
    assert isinstance(error, RequestTimeoutError) and isinstance(error, TimeoutError)
    bench.hear(type="ok", id=request, position="17", stored=True)
    assert bench.take(Resolve) == []


def test_a_broadcast_collects() -> None:
    bench = Bench().online()
    request = bench.broadcast(timeout=1.5)
    sent = bench.one_sent("broadcast")
    assert sent["timeout"] == 1500 and "idempotency_key" not in sent
    bench.hear(type="ok", id=request, position="17")
    bench.hear(type="reply", id=request, payload="hi there!", publisher="bob")
    bench.hear(type="reply", id=request, payload="AP8=", encoding="base64")
    assert bench.take(Resolve) == []
    bench.hear(type="replies_end", id=request, complete=False)
    collected = bench.one(Resolve).value
    assert isinstance(collected, Collected)
    assert [(reply.payload, reply.publisher) for reply in collected.replies] == [
        ("hi there!", "bob"),
        (b"\x00\xff", None),
    ]
    assert (collected.position, collected.complete, collected.not_kept) == ("17", False, None)


def test_a_broadcast_that_is_not_kept_goes_on() -> None:
    bench = Bench().online()
    request = bench.broadcast()
    bench.hear(type="ok", id=request, position="17")
    bench.refuse(request, 507, "storage-full", position="17")
    bench.hear(type="reply", id=request, payload=1)
    bench.hear(type="replies_end", id=request, complete=True)
    collected = bench.one(Resolve).value
    assert collected.complete and isinstance(collected.not_kept, UnavailableError)


def test_an_interrupted_broadcast_says_what_came() -> None:
    bench = Bench().online()
    request = bench.broadcast()
    bench.hear(type="ok", id=request, position="17")
    bench.hear(type="reply", id=request, payload="one")
    bench.lose(1012, "restart")
    error = bench.one(Fail).error
    assert isinstance(error, BroadcastInterruptedError)
    assert (error.responses, error.code, error.reason) == (["one"], 1012, "restart")
    bench.take_sent()
    bench.reconnect()
    assert bench.take_sent() == []


def test_a_reply_is_never_sent_twice() -> None:
    bench = Bench().online()
    bench.core.reply(ROOM, 17, {"a": 1}, bench.now)
    bench.pump()
    sent = bench.one_sent("reply")
    assert (sent["to"], sent["payload"]) == ("17", {"a": 1})
    bench.lose()
    assert type(bench.one(Fail).error) is ConnectionLostError
    bench.reconnect()
    assert bench.take_sent() == []


def test_a_hundred_broadcasts_at_once_and_the_others_after_them() -> None:
    bench = Bench().online()
    made = [bench.broadcast() for _ in range(102)]
    assert [message["id"] for message in bench.take_sent()] == made[:100]
    publication = bench.publish()
    assert bench.one_sent("publish")["id"] == publication
    bench.hear(type="ok", id=made[5], position="17")
    bench.hear(type="replies_end", id=made[5], complete=False)
    assert bench.one_sent("broadcast")["id"] == made[100]
    bench.refuse(made[6], 429, "rate-limited")
    assert bench.one_sent("broadcast")["id"] == made[101]
    bench.core.give_up(made[7], bench.now)
    bench.pump()
    assert bench.take_sent() == []


def test_there_is_a_bound() -> None:
    bench = Bench(settings=Settings(queue_max=2))
    bench.publish()
    bench.core.give_up(bench.publish(), bench.now)
    bench.publish()
    with pytest.raises(QueueFullError):
        bench.publish()
    bench = Bench(settings=Settings(queue_bytes_max=1000))
    bench.publish("a" * 500)
    with pytest.raises(QueueFullError):
        bench.publish("a" * 500)
    bench = Bench(settings=Settings(message_bytes_max=1000))
    with pytest.raises(TooLargeError):
        bench.publish("é" * 500)


def test_what_json_cannot_say_is_refused_and_takes_no_number() -> None:
    bench = Bench().online()
    for payload in [float("nan"), float("inf"), "\ud800"]:
        with pytest.raises(ValueError):
            bench.publish(payload)
    for payload in [object(), {"bytes": b"inside"}, {1, 2}]:
        with pytest.raises(TypeError):
            bench.publish(payload)
    assert bench.publish() == 1


def test_reading_is_repeated() -> None:
    bench = Bench().online()
    history = bench.core.history(ROOM, {"limit": 5}, bench.now)
    presence = bench.core.presence(ROOM, bench.now)
    bench.pump()
    sent = bench.take_sent()
    bench.lose()
    bench.reconnect()
    assert bench.take_sent() == sent
    bench.hear(type="ok", id=history, messages=[], position="5", gap=False)
    bench.hear(type="ok", id=presence, occupancy=0, members=[])
    assert [resolved.request for resolved in bench.take(Resolve)] == [history, presence]
