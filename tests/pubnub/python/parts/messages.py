"""Time, publish, fire, signal, subscribe."""

import time

from client import Client, fresh


async def test_time(way):
    ann = Client(way)
    now = int(await ann.ask(ann.pubnub.time()))
    assert abs(now / 1e7 - time.time()) < 60, now


async def test_messages_of_all_shapes(way):
    ann, bob = Client(way), Client(way)
    channel = fresh("room")
    await bob.subscribe(channel)
    last = 0
    for message in ["hello", "ü / \\ \" # ? & % + 100%", 17, -1.5, True, None, [], [1, [2]], {}, {"text": "say", "n": {"m": [None]}}]:
        for options in [{}, {"use_post": True}, {"use_post": True, "use_compression": True}]:
            if message is None and options:
                continue
            if message is None:
                # The SDK does not publish nothing.
                continue
            timetoken = await ann.publish(channel, message, **options)
            assert timetoken > last
            last = timetoken
            event = await bob.hears(channel, message, ann.user_id)
            assert (event.timetoken, event.subscription) == (timetoken, None)
    bob.nothing("message")


async def test_names_of_channels(way):
    ann, bob = Client(way), Client(way)
    channels = [fresh(name) for name in ["a b", "ü", "a/b", "a#b", "a?b&c", "100%"]]
    await bob.subscribe(*channels)
    for channel in channels:
        timetoken = await ann.publish(channel, {"to": channel})
        assert (await bob.hears(channel, {"to": channel}, ann.user_id)).timetoken == timetoken
    bob.nothing("message")


async def test_fire_is_told_to_nobody_and_signals_are_not_kept(way):
    ann, bob = Client(way), Client(way)
    channel = fresh("room")
    await bob.subscribe(channel)
    assert int((await ann.ask(ann.pubnub.fire().channel(channel).message({"n": 1}))).timetoken) > 0
    assert int((await ann.ask(ann.pubnub.fire().channel(channel).message({"n": 2}).use_post(True))).timetoken) > 0
    signal = await ann.ask(ann.pubnub.signal().channel(channel).message({"type": "typing"}))
    event = await bob.next("signal")
    assert (event.channel, event.message, event.publisher) == (channel, {"type": "typing"}, ann.user_id)
    assert event.timetoken == int(signal.timetoken)
    unstored = await ann.publish(channel, "unstored", should_store=False)
    assert (await bob.hears(channel, "unstored", ann.user_id)).timetoken == unstored
    stored = await ann.publish(channel, "stored", ttl=1)
    assert (await bob.hears(channel, "stored", ann.user_id)).timetoken == stored
    kept = (await ann.ask(ann.pubnub.history().channel(channel).count(100))).messages
    assert [one.entry for one in kept] == ["stored"]
    bob.nothing("message")
    bob.nothing("signal")


async def test_what_is_refused(way):
    ann = Client(way)
    channel = fresh("room")
    await ann.refused(400, ann.pubnub.publish().channel(channel).message("x" * 40_000).use_post(True))
    await ann.refused(400, ann.pubnub.signal().channel(channel).message("x" * 100))
    stranger = Client(way, publish_key="wrong")
    # The publish key is signed as well.
    await stranger.refused(403 if way.is_signed else 400, stranger.pubnub.publish().channel(channel).message(1))
    # One that is not known at all.
    stranger = Client(way, subscribe_key="unknown")
    said = await stranger.refused(400, stranger.pubnub.publish().channel(channel).message(1))
    assert "Invalid" in said, said


async def test_filters(way):
    ann = Client(way)
    bob = Client(way, filter_expression="lang == 'en' && (data.n > 1 || meta.urgent == true) && region LIKE 'eu*'")
    channel = fresh("room")
    await bob.subscribe(channel)
    for message, meta in [
        ({"n": 2}, {"lang": "en", "region": "eu-1"}),
        ({"n": 1}, {"lang": "en", "region": "eu-1"}),
        ({"n": 3}, {"lang": "de", "region": "eu-1"}),
        ({"n": 4}, None),
        ({"n": 0}, {"lang": "en", "region": "eu", "urgent": True}),
        ({"n": 9}, {"lang": "en", "region": "us"}),
        ({"n": 5}, {"lang": "en", "region": "eu-2"}),
    ]:
        await ann.publish(channel, message, **({"meta": meta} if meta else {}))
    for n in [2, 0, 5]:
        await bob.hears(channel, {"n": n}, ann.user_id)
    bob.nothing("message")


async def test_wildcards(way):
    ann, bob = Client(way), Client(way)
    base = fresh("base")
    await bob.subscribe(f"{base}.*", f"{base}.one")
    for channel in ["one", "two", "two.deep"]:
        await ann.publish(f"{base}.{channel}", channel)
    await ann.publish(base, "not below")
    await ann.publish(f"{base}.end", "end")
    for channel in ["one", "two"]:
        event = await bob.hears(f"{base}.{channel}", channel, ann.user_id)
        assert event.subscription == (None if channel == "one" else f"{base}.*"), vars(event)
    while (event := await bob.next("message")).message != "end":
        assert event.channel == f"{base}.two.deep", vars(event)
    bob.nothing("message")


async def test_channels_that_change_while_others_publish(way):
    ann, bob = Client(way), Client(way)
    first, second = fresh("first"), fresh("second")
    await bob.subscribe(first)
    for number in range(10):
        await ann.publish(first, number)
        if number == 4:
            bob.pubnub.subscribe().channels([second]).execute()
    await bob.hears_all(first, list(range(10)), ann.user_id)
    await bob.connected()
    await ann.publish(second, "there")
    # What was told of the first channel may still be told again.
    while (event := await bob.next("message")).channel == first:
        assert event.message in range(10)
    assert (event.channel, event.message) == (second, "there"), vars(event)
    bob.pubnub.unsubscribe().channels([first]).execute()
    await ann.publish(second, "still there")
    while (event := await bob.next("message")).message == "there":
        pass
    assert (event.channel, event.message) == (second, "still there"), vars(event)


async def test_encryption_is_opaque(way):
    ann, bob, eve = Client(way, cipher_key="enigma"), Client(way, cipher_key="enigma"), Client(way)
    channel = fresh("room")
    await bob.subscribe(channel)
    await eve.subscribe(channel)
    await ann.publish(channel, {"secret": "ü"})
    await ann.publish(channel, {"secret": 2}, use_post=True)
    for secret in ["ü", 2]:
        await bob.hears(channel, {"secret": secret}, ann.user_id)
        assert isinstance((await eve.next("message")).message, str)
    kept = (await bob.ask(bob.pubnub.history().channel(channel).count(10))).messages
    assert [one.entry for one in kept] == [{"secret": "ü"}, {"secret": 2}]
