"""History in its forms, deletion, counts, message actions."""

from pubnub.models.consumer.message_actions import PNMessageAction

from client import Client, fresh


async def published(client, channel, count):
    """Messages 0 and so on, each second one with meta, and their timetokens."""
    timetokens = []
    for number in range(count):
        options = {"meta": {"m": number}} if number % 2 else {}
        timetokens.append(await client.publish(channel, {"n": number}, **options))
    return timetokens


def numbers(messages):
    return [(one.entry if hasattr(one, "entry") else one.message)["n"] for one in messages]


async def test_history_of_one_channel(way):
    ann = Client(way)
    channel = fresh("ü room")
    empty = await ann.ask(ann.pubnub.history().channel(channel).count(10))
    assert (empty.messages, empty.start_timetoken, empty.end_timetoken) == ([], 0, 0)
    timetokens = await published(ann, channel, 5)
    history = ann.pubnub.history
    all_of_them = await ann.ask(history().channel(channel).count(100).include_timetoken(True).include_meta(True))
    assert numbers(all_of_them.messages) == [0, 1, 2, 3, 4]
    assert [one.timetoken for one in all_of_them.messages] == timetokens
    assert [one.meta for one in all_of_them.messages if one.meta] == [{"m": 1}, {"m": 3}]
    assert (all_of_them.start_timetoken, all_of_them.end_timetoken) == (timetokens[0], timetokens[4])
    for expected, asked in [
        ([3, 4], history().count(2)),
        ([0, 1], history().count(2).reverse(True)),
        ([1, 2], history().count(2).reverse(True).start(timetokens[0])),
        ([1, 2], history().count(2).start(timetokens[3])),
        ([3, 4], history().end(timetokens[3])),
        ([2], history().start(timetokens[3]).end(timetokens[2])),
    ]:
        found = await ann.ask(asked.channel(channel))
        assert numbers(found.messages) == expected, (numbers(found.messages), expected)


async def test_history_of_several_channels(way):
    ann, bob = Client(way), Client(way)
    one, two, empty = fresh("one"), fresh("two"), fresh("empty")
    of_one, of_two = await published(ann, one, 4), await published(bob, two, 3)
    fetch = ann.pubnub.fetch_messages
    found = await ann.ask(fetch().channels([one, two, empty]).include_meta(True).include_uuid(True).include_message_type(True))
    assert numbers(found.channels[one]) == [0, 1, 2, 3] and numbers(found.channels[two]) == [0, 1, 2]
    assert not found.channels.get(empty)
    assert [int(one.timetoken) for one in found.channels[two]] == of_two
    assert [message.uuid for message in found.channels[one]] == [ann.user_id] * 4
    assert [message.uuid for message in found.channels[two]] == [bob.user_id] * 3
    assert found.channels[one][1].meta == {"m": 1}
    for expected, asked in [
        ([2, 3], fetch().count(2)),
        ([0, 1], fetch().count(2).start(of_one[2])),
        ([1, 2], fetch().start(of_one[3]).end(of_one[1])),
        ([2, 3], fetch().end(of_one[2])),
    ]:
        found = await ann.ask(asked.channels([one]))
        assert numbers(found.channels[one]) == expected, (numbers(found.channels[one]), expected)


async def test_deletion(way):
    ann = Client(way)
    channel = fresh("room")
    timetokens = await published(ann, channel, 5)

    async def left():
        return numbers((await ann.ask(ann.pubnub.history().channel(channel).count(100))).messages)

    await ann.ask(ann.pubnub.delete_messages().channel(channel).start(timetokens[2] - 1).end(timetokens[2]))
    assert await left() == [0, 1, 3, 4]
    await ann.ask(ann.pubnub.delete_messages().channel(channel).start(timetokens[3]))
    assert await left() == [0, 1, 3]
    await ann.ask(ann.pubnub.delete_messages().channel(channel))
    assert await left() == []


async def test_counts(way):
    ann = Client(way)
    one, two = fresh("one"), fresh("two")
    of_one, of_two = await published(ann, one, 4), await published(ann, two, 2)
    counts = ann.pubnub.message_counts
    found = await ann.ask(counts().channel([one, two]).channel_timetokens([of_one[0], of_one[0]]))
    assert found.channels == {one: 3, two: 2}, found.channels
    found = await ann.ask(counts().channel([one, two]).channel_timetokens([of_one[2], of_two[0]]))
    assert found.channels == {one: 1, two: 1}, found.channels
    found = await ann.ask(counts().channel(one).channel_timetokens([of_one[3]]))
    assert found.channels == {one: 0}


def action(kind, value, message):
    return PNMessageAction(
        {"type": kind, "value": value, "messageTimetoken": str(message), "uuid": "", "actionTimetoken": ""}
    )


async def test_message_actions(way):
    ann, bob = Client(way), Client(way)
    channel = fresh("room")
    timetokens = await published(ann, channel, 3)
    await bob.subscribe(channel)
    add = ann.pubnub.add_message_action
    smile = await ann.ask(add().channel(channel).message_action(action("reaction", "smile ü", timetokens[1])))
    assert (smile.type, smile.value, smile.uuid) == ("reaction", "smile ü", ann.user_id)
    assert int(smile.message_timetoken) == timetokens[1]
    told = await bob.next("message_action")
    assert (told.type, told.value, told.uuid) == ("reaction", "smile ü", ann.user_id), vars(told)
    assert (told.message_timetoken, told.action_timetoken) == (smile.message_timetoken, smile.action_timetoken)
    await ann.refused(409, add().channel(channel).message_action(action("reaction", "smile ü", timetokens[1])))
    receipt = await bob.ask(
        bob.pubnub.add_message_action().channel(channel).message_action(action("receipt", "read", timetokens[1]))
    )
    assert (await bob.next("message_action")).action_timetoken == receipt.action_timetoken
    found = await ann.ask(ann.pubnub.get_message_actions().channel(channel))
    assert [(one.type, one.uuid) for one in found.actions] == [("reaction", ann.user_id), ("receipt", bob.user_id)]
    found = await ann.ask(ann.pubnub.get_message_actions().channel(channel).limit("1"))
    assert [one.type for one in found.actions] == ["receipt"]
    fetched = await ann.ask(ann.pubnub.fetch_messages().channels([channel]).include_message_actions(True))
    actions = [message.actions or {} for message in fetched.channels[channel]]
    assert actions[0] == actions[2] == {}
    assert actions[1] == {
        "reaction": {"smile ü": [{"uuid": ann.user_id, "actionTimetoken": smile.action_timetoken}]},
        "receipt": {"read": [{"uuid": bob.user_id, "actionTimetoken": receipt.action_timetoken}]},
    }, actions[1]
    remove = ann.pubnub.remove_message_action
    of_bob = remove().channel(channel).message_timetoken(timetokens[1]).action_timetoken(int(receipt.action_timetoken))
    await ann.refused(400, of_bob)
    own = remove().channel(channel).message_timetoken(timetokens[1]).action_timetoken(int(smile.action_timetoken))
    await ann.ask(own)
    assert (await bob.next("message_action")).action_timetoken == smile.action_timetoken
    await ann.refused(400, own)
    found = await ann.ask(ann.pubnub.get_message_actions().channel(channel))
    assert [one.type for one in found.actions] == ["receipt"]
    bob.nothing("message_action")
    bob.nothing("message")
