"""Listeners and their subscriptions."""

from __future__ import annotations

from typing import List

from antiphon import ClosedError, NotPermittedError, RequestTimeoutError
from antiphon._core.channel import ChannelKey
from antiphon._core.effects import Deliver, EndListener, Listening, TellGap

from .bench import ROOM, Bench


def heard(bench: Bench, listener: int) -> List[int]:
    return [effect.publication.position for effect in bench.take(Deliver) if effect.listener == listener]


def test_listening_begins_with_the_answer() -> None:
    bench = Bench().online()
    listener = bench.listen("hello")
    assert bench.sent == [{"type": "subscribe", "id": 2, "channels": [{"channel": "room"}]}]
    assert bench.take(Listening) == []
    bench.ok_subscribe(10)
    assert bench.one(Listening).listener == listener
    bench.message(11, name="hello")
    bench.message(12, name="other")
    assert heard(bench, listener) == [11]


def test_flags_make_another_channel() -> None:
    bench = Bench().online()
    plain = bench.listening()
    consumer = bench.listening(channel=ChannelKey("room", consumer=True))
    bench.message(11)
    bench.message(12, consumer=True)
    assert [(d.listener, d.publication.position) for d in bench.take(Deliver)] == [(plain, 11), (consumer, 12)]


def test_listeners_of_a_channel_share_its_subscription() -> None:
    bench = Bench().online()
    first = bench.listening()
    bench.message(11)
    second = bench.listen("other")
    assert bench.take_sent() == []
    assert [effect.listener for effect in bench.take(Listening)] == [first, second]
    bench.message(12, name="other")
    assert [(d.listener, d.publication.position) for d in bench.take(Deliver)] == [
        (first, 11),
        (first, 12),
        (second, 12),
    ]


def test_the_last_listener_ends_the_subscription() -> None:
    bench = Bench().online()
    first = bench.listening()
    second = bench.listen()
    bench.core.unlisten(first, bench.now)
    bench.pump()
    assert bench.take_sent() == []
    bench.core.unlisten(second, bench.now)
    bench.pump()
    assert bench.one_sent("unsubscribe") == {"type": "unsubscribe", "channels": [{"channel": "room"}]}
    bench.message(11)
    assert bench.take(Deliver) == []
    bench.core.unlisten(second, bench.now)
    bench.pump()
    assert bench.take_sent() == []


def test_what_is_left_over_of_an_ended_subscription_is_nobodys() -> None:
    bench = Bench().online()
    bench.core.unlisten(bench.listening(), bench.now)
    bench.pump()
    again = bench.listen()
    bench.message(11)
    bench.ok_subscribe(12)
    bench.message(13)
    assert heard(bench, again) == [13]


def test_a_listener_cancelled_before_the_answer() -> None:
    bench = Bench().online()
    bench.core.unlisten(bench.listen(), bench.now)
    bench.pump()
    subscribe, unsubscribe = bench.take_sent()
    assert (subscribe["type"], unsubscribe["type"]) == ("subscribe", "unsubscribe")
    bench.hear(type="ok", id=subscribe["id"], channels=[{"channel": "room", "position": "10", "gap": False}])
    bench.message(11)
    assert bench.take(Listening) == [] and bench.take(Deliver) == []


def test_one_subscribe_recovers_all_channels_from_their_cursors() -> None:
    bench = Bench().online()
    room = bench.listening(10)
    other = bench.listening(12, channel=ChannelKey("other"), since=3)
    bench.message(15)
    bench.lose()
    fresh = bench.listen(channel=ChannelKey("fresh"))
    bench.reconnect()
    asked = bench.ok_subscribe(20)
    assert asked["channels"] == [
        {"channel": "room", "since": "15"},
        {"channel": "other", "since": "3"},
        {"channel": "fresh"},
    ]
    bench.done.clear()
    bench.message(17)
    bench.message(18, channel="other")
    bench.message(21, channel="fresh")
    assert [(d.listener, d.publication.position) for d in bench.take(Deliver)] == [(room, 17), (other, 18), (fresh, 21)]


def test_subscribe_goes_before_requests_that_are_repeated() -> None:
    bench = Bench().online()
    bench.listening()
    bench.publish()
    bench.lose()
    bench.take_sent()
    bench.reconnect()
    assert [message["type"] for message in bench.take_sent()] == ["subscribe", "publish"]


def test_a_thousand_channels_in_a_message() -> None:
    bench = Bench()
    for n in range(1001):
        bench.listen(channel=ChannelKey(f"c{n}"))
    bench.online()
    assert [len(message["channels"]) for message in bench.take_sent()] == [1000, 1]


def test_long_names_take_more_messages() -> None:
    bench = Bench()
    for n in range(1000):
        bench.listen(channel=ChannelKey(f"{n:04}" + "é" * 500))
    bench.online()
    sent = bench.take_sent()
    assert sum(len(message["channels"]) for message in sent) == 1000
    assert all(len(str(message)) < 1024 * 1024 for message in sent) and len(sent) > 1


def test_an_earlier_listener_recovers_and_the_others_hear_nothing_twice() -> None:
    bench = Bench().online()
    live = bench.listening(10)
    bench.message(11)
    early = bench.listen(since=5)
    unsubscribe, subscribe = bench.sent
    assert unsubscribe["type"] == "unsubscribe"
    assert subscribe["channels"] == [{"channel": "room", "since": "5"}]
    bench.message(12)
    bench.ok_subscribe(12)
    for position in (8, 11, 12, 13):
        bench.message(position)
    delivered = [(d.listener, d.publication.position) for d in bench.take(Deliver)]
    assert [position for listener, position in delivered if listener == live] == [11, 12, 13]
    assert [position for listener, position in delivered if listener == early] == [8, 11, 12, 13]


def test_a_later_listener_during_recovery_hears_what_is_live() -> None:
    bench = Bench().online()
    bench.listening(10, since=5)
    live = bench.listen()
    bench.message(8)
    bench.message(11)
    assert heard(bench, live) == [11]


def test_a_gap_is_told_and_moves_the_cursor() -> None:
    bench = Bench().online()
    listener = bench.listening(10)
    bench.lose()
    bench.reconnect()
    bench.ok_subscribe(40)
    bench.hear(type="gap", since="10", resumed="30", channel="room")
    told = bench.one(TellGap)
    assert (told.listener, told.gap.since, told.gap.resumed) == (listener, "10", "30")
    bench.lose()
    bench.reconnect()
    assert bench.ok_subscribe(40)["channels"] == [{"channel": "room", "since": "29"}]
    bench.message(30)
    assert heard(bench, listener) == [30]


def test_a_gap_concerns_those_who_miss_something() -> None:
    bench = Bench().online()
    bench.listening(50)
    early = bench.listen(since=5)
    bench.ok_subscribe(50)
    bench.hear(type="gap", since="5", resumed="30", channel="room")
    assert bench.one(TellGap).listener == early


def test_positions_that_begin_anew_are_heard() -> None:
    bench = Bench().online()
    listener = bench.listening(100)
    bench.message(110)
    bench.lose()
    bench.reconnect()
    bench.ok_subscribe(7)
    bench.hear(type="gap", since="110", resumed="8", channel="room")
    bench.one(TellGap)
    bench.message(8)
    assert heard(bench, listener) == [110, 8]


def test_a_refused_listener_ends() -> None:
    bench = Bench().online()
    listener = bench.listen()
    bench.refuse(bench.one_sent("subscribe")["id"], 403, "not-permitted", channel="room", permission="subscribe")
    ended = bench.one(EndListener)
    assert ended.listener == listener and isinstance(ended.error, NotPermittedError)
    bench.lose()
    bench.take_sent()
    bench.reconnect()
    assert bench.take_sent() == []


def test_a_channel_that_is_refused_does_not_take_others_along() -> None:
    bench = Bench().online()
    bench.listening()
    other = bench.listening(channel=ChannelKey("other", system=True))
    bench.lose()
    bench.reconnect()
    first = bench.one_sent("subscribe")
    bench.refuse(first["id"], 403, "not-permitted", channel="other", system=True)
    assert bench.one(EndListener).listener == other
    assert bench.ok_subscribe(20)["channels"] == [{"channel": "room", "since": "10"}]
    bench.message(21)
    assert len(bench.take(Deliver)) == 1


def test_a_refusal_that_names_no_channel_is_found_out_one_by_one() -> None:
    bench = Bench().online()
    bench.listening()
    other = bench.listening(channel=ChannelKey("other"))
    bench.lose()
    bench.reconnect()
    bench.refuse(bench.one_sent("subscribe")["id"], 400, "invalid-parameter", parameter="channels[1].since")
    one, two = bench.take_sent()
    bench.refuse(two["id"], 400, "invalid-parameter")
    assert bench.one(EndListener).listener == other
    bench.hear(type="ok", id=one["id"], channels=[{"channel": "room", "position": "20", "gap": False}])
    bench.message(21)
    assert len(bench.take(Deliver)) == 1


def test_a_server_without_room_ends_new_listeners_and_is_asked_again_for_old_ones() -> None:
    bench = Bench().online()
    bench.listening()
    bench.lose()
    new = bench.listen(channel=ChannelKey("new"))
    bench.reconnect()
    bench.refuse(bench.one_sent("subscribe")["id"], 503, "overloaded")
    assert bench.one(EndListener).listener == new
    assert bench.take_sent() == []
    bench.advance(1.0)
    assert bench.ok_subscribe(20)["channels"] == [{"channel": "room", "since": "10"}]


def test_a_subscription_without_an_answer_is_given_up() -> None:
    bench = Bench()
    listener = bench.listen()
    bench.advance(30.0)
    ended = bench.one(EndListener)
    assert ended.listener == listener and isinstance(ended.error, RequestTimeoutError)


def test_close_ends_listeners() -> None:
    bench = Bench().online()
    listener = bench.listening()
    bench.core.close(bench.now)
    bench.pump()
    ended = bench.one(EndListener)
    assert ended.listener == listener and isinstance(ended.error, ClosedError)


def test_channel_names_are_checked() -> None:
    assert ChannelKey.checked("Straße 日本 /", False, True) == ChannelKey("Straße 日本 /", consumer=True)
    for name in ["", "a\n", "\x7f", "x" * 1025, "é" * 513, "\ud800"]:
        try:
            ChannelKey.checked(name, False, False)
        except ValueError:
            continue
        raise AssertionError(name)
    assert ROOM.members() == {"channel": "room"}
