"""App Context: users, channels, memberships, also as users and spaces, and what is told of them."""

import re

from pubnub.endpoints.objects_v2.objects_endpoint import ChannelIncludeEndpoint, UUIDIncludeEndpoint
from pubnub.models.consumer.entities.space import Space
from pubnub.models.consumer.entities.user import User
from pubnub.models.consumer.objects_v2.channel_members import PNUUID
from pubnub.models.consumer.objects_v2.memberships import PNChannelMembership
from pubnub.models.consumer.objects_v2.sort import PNSortKey, PNSortKeyValue

from client import Client, fresh

UPDATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


async def test_users(way):
    ann, bob = Client(way), Client(way)
    await bob.subscribe(ann.user_id)
    pubnub = ann.pubnub
    made = await ann.ask(
        pubnub.set_uuid_metadata()
        .set_name("Ann ü")
        .email("ann@example.org")
        .external_id("7")
        .profile_url("http://example.org/?a=1&b")
        .custom({"age": 7, "ok": True, "text": "ü"})
        .include_custom(True)
    )
    assert {key: made.data[key] for key in ["id", "name", "email", "externalId", "profileUrl", "custom"]} == {
        "id": ann.user_id,
        "name": "Ann ü",
        "email": "ann@example.org",
        "externalId": "7",
        "profileUrl": "http://example.org/?a=1&b",
        "custom": {"age": 7, "ok": True, "text": "ü"},
    }
    assert UPDATED.fullmatch(made.data["updated"]) and made.data["eTag"]
    told = await bob.next("uuid")
    assert (told.event, told.data["id"], told.data["name"]) == ("set", ann.user_id, "Ann ü"), vars(told)
    # The SDK sends null for what it is not told, which clears that.
    changed = await ann.ask(pubnub.set_uuid_metadata().set_name("Anna").email("anna@example.org").custom({"age": 8}))
    assert (changed.data["name"], changed.data["email"], changed.data["externalId"]) == ("Anna", "anna@example.org", None)
    assert "custom" not in changed.data, changed.data
    assert changed.data["eTag"] != made.data["eTag"]
    assert (await bob.next("uuid")).data["name"] == "Anna"
    found = await bob.ask(bob.pubnub.get_uuid_metadata().uuid(ann.user_id).include_custom(True))
    assert found.data["custom"] == {"age": 8}
    removed = await ann.ask(pubnub.remove_uuid_metadata())
    assert removed.data is None
    told = await bob.next("uuid")
    assert (told.event, told.data["id"]) == ("delete", ann.user_id)
    await ann.refused(404, pubnub.get_uuid_metadata())
    bob.nothing("message")


async def test_lists_with_filters_sorts_and_pages(way):
    ann = Client(way)
    run = fresh("run")
    pubnub = ann.pubnub
    for number in range(5):
        of = pubnub.set_channel_metadata().channel(f"{run}-{number}").set_name(f"{run} {number}")
        await ann.ask(of.description("even" if number % 2 == 0 else 'o"dd').custom({"n": number}))

    def listed(filter_=f"name LIKE '{run}*'"):
        return pubnub.get_all_channel_metadata().filter(filter_)

    def ids(result):
        return [int(one["id"].rpartition("-")[2]) for one in result.data]

    by_name = PNSortKey.desc(PNSortKeyValue.NAME)
    page = await ann.ask(listed().limit(2).sort(by_name).include_total_count(True).include_custom(True))
    assert (page.total_count, ids(page), page.data[0]["custom"]) == (5, [4, 3], {"n": 4})
    page = await ann.ask(listed().limit(2).sort(by_name).page(page.next))
    assert ids(page) == [2, 1]
    back = await ann.ask(listed().limit(2).sort(by_name).page(page.prev))
    assert ids(back) == [4, 3]
    last = await ann.ask(listed().limit(2).sort(by_name).page(page.next))
    assert (ids(last), last.next) == ([0], None)
    for expected, text in [
        ([3, 4], f"name LIKE '{run}*' && custom.n > 2"),
        ([1, 3], f"id LIKE \"{run}*\" && description == 'o\"dd'"),
        ([0], f"name == '{run} 0' || (name == '{run}' && !(custom.n == 1))"),
    ]:
        result = await ann.ask(listed(text).sort(PNSortKey.asc(PNSortKeyValue.ID), PNSortKey.desc(PNSortKeyValue.UPDATED)))
        assert ids(result) == expected, (text, ids(result))
    await ann.refused(400, listed("name =="))


async def test_channels_are_told_of(way):
    ann, bob = Client(way), Client(way)
    channel = fresh("room")
    await bob.subscribe(channel)
    await ann.ask(ann.pubnub.set_channel_metadata().channel(channel).set_name("Room").description("Here"))
    told = await bob.next("channel")
    assert (told.event, told.data["id"], told.data["name"], told.data["description"]) == ("set", channel, "Room", "Here")
    found = await bob.ask(bob.pubnub.get_channel_metadata().channel(channel))
    assert (found.data["name"], found.data["description"]) == ("Room", "Here")
    await ann.ask(ann.pubnub.remove_channel_metadata().channel(channel))
    told = await bob.next("channel")
    assert (told.event, told.data["id"]) == ("delete", channel)
    await ann.refused(404, ann.pubnub.get_channel_metadata().channel(channel))


async def test_memberships(way):
    ann, bob = Client(way), Client(way)
    one, two, three = fresh("one"), fresh("two"), fresh("three")
    await bob.subscribe(one)
    pubnub = ann.pubnub
    await ann.ask(pubnub.set_channel_metadata().channel(one).set_name("One").custom({"a": 1}))
    assert (await bob.next("channel")).data["name"] == "One"
    set_ = pubnub.set_memberships().channel_memberships(
        [PNChannelMembership.channel(one), PNChannelMembership.channel_with_custom(two, {"x": "y"})]
    )
    result = await ann.ask(
        set_.include_custom(True).include_channel(ChannelIncludeEndpoint.CHANNEL_WITH_CUSTOM).include_total_count(True)
    )
    assert result.total_count == 2
    by_id = {membership["channel"]["id"]: membership for membership in result.data}
    assert (by_id[one]["channel"]["name"], by_id[one]["channel"]["custom"]) == ("One", {"a": 1})
    assert by_id[two]["custom"] == {"x": "y"}
    told = await bob.next("membership")
    assert (told.event, told.data["channel"]["id"], told.data["uuid"]["id"]) == ("set", one, ann.user_id), told.data
    result = await ann.ask(
        pubnub.manage_memberships().set([PNChannelMembership.channel(three)]).remove([PNChannelMembership.channel(two)])
    )
    assert {membership["channel"]["id"] for membership in result.data} == {one, three}
    result = await ann.ask(pubnub.get_memberships().filter(f"channel.id == '{three}'"))
    assert [membership["channel"] for membership in result.data] == [{"id": three}]
    result = await ann.ask(pubnub.remove_memberships().channel_memberships([PNChannelMembership.channel(one)]))
    assert [membership["channel"]["id"] for membership in result.data] == [three]
    told = await bob.next("membership")
    assert (told.event, told.data["uuid"]["id"]) == ("delete", ann.user_id)


async def test_members(way):
    ann, bob = Client(way), Client(way)
    channel = fresh("room")
    await ann.subscribe(channel)
    pubnub = ann.pubnub
    await bob.ask(bob.pubnub.set_uuid_metadata().set_name("Bob").custom({"k": 1}))
    set_ = pubnub.set_channel_members().channel(channel)
    result = await ann.ask(
        set_.uuids([PNUUID.uuid_with_custom(bob.user_id, {"z": 1}), PNUUID.uuid(ann.user_id)])
        .include_custom(True)
        .include_uuid(UUIDIncludeEndpoint.UUID_WITH_CUSTOM)
    )
    by_id = {member["uuid"]["id"]: member for member in result.data}
    assert (by_id[bob.user_id]["uuid"]["name"], by_id[bob.user_id]["uuid"]["custom"]) == ("Bob", {"k": 1})
    assert by_id[bob.user_id]["custom"] == {"z": 1}
    told = {(await ann.next("membership")).data["uuid"]["id"] for _ in range(2)}
    assert told == {ann.user_id, bob.user_id}
    result = await ann.ask(
        pubnub.get_channel_members().channel(channel).include_uuid(UUIDIncludeEndpoint.UUID).filter("uuid.name LIKE 'Bo*'")
    )
    assert [member["uuid"]["id"] for member in result.data] == [bob.user_id]
    result = await ann.ask(
        pubnub.manage_channel_members().channel(channel).set([]).remove([PNUUID.uuid(bob.user_id)])
    )
    assert [member["uuid"]["id"] for member in result.data] == [ann.user_id]
    result = await ann.ask(pubnub.remove_channel_members().channel(channel).uuids([PNUUID.uuid(ann.user_id)]))
    assert result.data == []


async def test_users_and_spaces(way):
    ann = Client(way)
    pubnub = ann.pubnub
    user, space = fresh("user"), fresh("space")
    made = await ann.ask(pubnub.create_user(user, name="U", email="u@example.org", custom={"a": 1}, user_type="t", user_status="s"))
    assert (made.data["name"], made.data["email"]) == ("U", "u@example.org"), made.data
    made = await ann.ask(pubnub.create_space(space, name="S", description="d", custom={"b": 2}, space_type="t", space_status="s"))
    assert (made.data["name"], made.data["description"]) == ("S", "d"), made.data
    changed = await ann.ask(pubnub.update_user(user, name="V", custom={"a": 2}))
    assert (changed.data["name"], changed.data["email"]) == ("V", None), changed.data
    changed = await ann.ask(pubnub.update_space(space, name="T", description="e", custom={"b": 3}))
    assert (changed.data["name"], changed.data["description"]) == ("T", "e")
    assert (await ann.ask(pubnub.fetch_user(user, include_custom=True))).data["custom"] == {"a": 2}
    assert (await ann.ask(pubnub.fetch_space(space, include_custom=True))).data["custom"] == {"b": 3}
    found = await ann.ask(pubnub.fetch_users(filter=f"id == '{user}'"))
    assert [one["id"] for one in found.data] == [user]
    found = await ann.ask(pubnub.fetch_spaces(filter=f"id == '{space}'"))
    assert [one["id"] for one in found.data] == [space]
    await ann.ask(pubnub.add_memberships(user_id=user, spaces=[Space(space_id=space, custom={"role": "x"})]))
    found = await ann.ask(pubnub.fetch_memberships(user_id=user, include_custom=True))
    assert [one["space"]["id"] for one in found.data] == [space], found.data
    found = await ann.ask(pubnub.fetch_memberships(space_id=space))
    assert [one["user"]["id"] for one in found.data] == [user], found.data
    await ann.ask(pubnub.update_memberships(space_id=space, users=[User(user_id=user, custom={"role": "y"})]))
    await ann.ask(pubnub.remove_memberships(user_id=user, spaces=[Space(space_id=space)], sync=None))
    assert (await ann.ask(pubnub.fetch_memberships(user_id=user))).data == []
    await ann.ask(pubnub.remove_user(user))
    await ann.ask(pubnub.remove_space(space))
    await ann.refused(404, pubnub.fetch_user(user))
