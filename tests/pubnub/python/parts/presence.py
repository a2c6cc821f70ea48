"""Who is here, what they say of themselves, what is told of it; channel groups."""

from client import Client, eventually, fresh


async def occupants(client, *channels, groups=()):
    endpoint = client.pubnub.here_now().channels(list(channels)).include_uuids(True).include_state(True)
    if groups:
        endpoint = endpoint.channel_groups(list(groups))
    return await client.ask(endpoint)


async def test_joins_and_leaves_are_told(way):
    ann, bob = Client(way), Client(way)
    channel = fresh("room")
    await ann.subscribe(channel, presence=True)
    own = await ann.next("presence")
    assert (own.event, own.uuid, own.channel, own.occupancy) == ("join", ann.user_id, channel, 1), vars(own)
    assert type(own.timestamp) is int and type(own.occupancy) is int
    await bob.subscribe(channel)
    join = await ann.next("presence")
    assert (join.event, join.uuid, join.channel, join.occupancy) == ("join", bob.user_id, channel, 2), vars(join)
    bob.pubnub.unsubscribe().channels([channel]).execute()
    leave = await ann.next("presence")
    assert (leave.event, leave.uuid, leave.occupancy) == ("leave", bob.user_id, 1), vars(leave)
    assert leave.timetoken > join.timetoken > own.timetoken
    # The SDK leaves on one connection while its last poll may still be on its way on another: that one joins again.
    await ann.publish(channel, "end")
    await ann.hears(channel, "end", ann.user_id)
    if not ann.listener.events["presence"].empty():
        late = await ann.next("presence")
        assert (late.event, late.uuid, late.occupancy) == ("join", bob.user_id, 2), vars(late)
    ann.nothing("presence")
    bob.nothing("presence")


async def test_here_now_and_where_now(way):
    ann, bob = Client(way), Client(way)
    one, two = fresh("one"), fresh("two")
    await ann.subscribe(one, two)
    await bob.subscribe(one)
    here = await eventually(lambda: both_are_in(ann, one, two), "three occupancies")
    assert (here.total_channels, here.total_occupancy) == (2, 3)
    found = {name: sorted(who.uuid for who in of.occupants) for name, of in ((of.channel_name, of) for of in here.channels)}
    assert found == {one: sorted([ann.user_id, bob.user_id]), two: [ann.user_id]}
    here = await occupants(ann, two)
    (channel,) = here.channels
    assert (channel.channel_name, channel.occupancy, [who.uuid for who in channel.occupants]) == (two, 1, [ann.user_id])
    here = await ann.ask(ann.pubnub.here_now().channels([one, two]).include_uuids(False).include_state(False))
    assert {of.channel_name: (of.occupancy, of.occupants) for of in here.channels} == {one: (2, None), two: (1, None)}, here.channels
    here = await occupants(ann, fresh("nobody"))
    assert here.total_occupancy == 0
    here = await ann.ask(ann.pubnub.here_now())
    assert {one, two} <= {of.channel_name for of in here.channels}
    where = await ann.ask(ann.pubnub.where_now())
    assert sorted(where.channels) == sorted([one, two])
    where = await ann.ask(ann.pubnub.where_now().uuid(bob.user_id))
    assert where.channels == [one]


async def both_are_in(client, one, two):
    here = await occupants(client, one, two)
    return here if here.total_occupancy == 3 else None


async def test_state_is_set_told_and_found(way):
    ann, bob = Client(way), Client(way)
    one, two = fresh("one"), fresh("two")
    await bob.subscribe(one, presence=True)
    assert (await bob.next("presence")).event == "join"
    await ann.subscribe(one, two)
    assert (await bob.next("presence")).uuid == ann.user_id
    state = {"mood": "good ü", "age": 7}
    result = await ann.ask(ann.pubnub.set_state().channels([one, two]).state(state))
    assert result.state == state
    change = await bob.next("presence")
    assert (change.event, change.uuid, change.state) == ("state-change", ann.user_id, state), vars(change)
    found = await bob.ask(bob.pubnub.get_state().channels([one]).uuid(ann.user_id))
    assert found.channels == {one: state}, found.channels
    found = await ann.ask(ann.pubnub.get_state().channels([one, two]))
    assert found.channels == {one: state, two: state}, found.channels
    (channel,) = (await occupants(bob, one)).channels
    assert {who.uuid: who.state for who in channel.occupants} == {ann.user_id: state, bob.user_id: None} or {
        who.uuid: who.state for who in channel.occupants
    } == {ann.user_id: state, bob.user_id: {}}


async def test_heartbeats_without_a_subscription(way):
    ann, bob = Client(way), Client(way)
    channel = fresh("room")
    await bob.subscribe(channel, presence=True)
    assert (await bob.next("presence")).uuid == bob.user_id
    await ann.ask(ann.pubnub.heartbeat().channels([channel]).state({channel: {"from": "afar"}}))
    join = await bob.next("presence")
    assert (join.event, join.uuid, join.occupancy) == ("join", ann.user_id, 2), vars(join)
    assert (await ann.ask(ann.pubnub.where_now())).channels == [channel]


async def test_channel_groups(way):
    ann, bob = Client(way), Client(way)
    group, one, two, three = fresh("group"), fresh("one"), fresh("two"), fresh("three")
    registry = ann.pubnub
    await ann.ask(registry.add_channel_to_channel_group().channel_group(group).channels([one, two]))
    listed = await ann.ask(registry.list_channels_in_channel_group().channel_group(group))
    assert sorted(listed.channels) == sorted([one, two])
    await bob.subscribe(groups=[group], presence=True)
    joins = [await bob.next("presence") for _ in range(2)]
    assert sorted(join.channel for join in joins) == sorted([one, two])
    assert all(join.subscription == group for join in joins), [vars(join) for join in joins]
    await ann.publish(one, 1)
    assert (await bob.hears(one, 1, ann.user_id)).subscription == group
    # A subscriber that waits gets what is added meanwhile.
    await ann.ask(registry.add_channel_to_channel_group().channel_group(group).channels([three]))
    await ann.publish(three, 3)
    assert (await bob.hears(three, 3, ann.user_id)).subscription == group
    here = await occupants(ann, groups=[group])
    assert {of.channel_name for of in here.channels} == {one, two, three}
    await ann.ask(registry.remove_channel_from_channel_group().channel_group(group).channels([one]))
    await ann.publish(two, 2)
    assert (await bob.hears(two, 2, ann.user_id)).subscription == group
    await ann.publish(one, "unheard")
    await ann.publish(two, 22)
    await bob.hears(two, 22, ann.user_id)
    await ann.ask(registry.remove_channel_group().channel_group(group))
    listed = await ann.ask(registry.list_channels_in_channel_group().channel_group(group))
    assert listed.channels == []
    await ann.refused(400, registry.add_channel_to_channel_group().channel_group("a*").channels([one]))
    bob.nothing("message")
