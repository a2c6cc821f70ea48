"""Access manager: tokens, their permissions and their end, keys of the older kind, wrong secrets."""

from pubnub.models.consumer.v3.channel import Channel
from pubnub.models.consumer.v3.group import Group
from pubnub.models.consumer.v3.uuid import UUID

from client import Client, fresh


def everything(pubnub):
    """A grant of all that there is."""
    channels = Channel.pattern(".*").read().write().manage().delete().get().update().join()
    uuids = UUID.pattern(".*").get().update().delete()
    return pubnub.grant_token().ttl(60).channels([channels]).groups([Group.pattern(".*").read().manage()]).uuids([uuids])


def admin(way):
    """Who signs what it asks."""
    client = Client(way, fresh("admin"), secret_key=f"secret-of-{way.org}")
    client.pubnub.set_token("")
    return client


def stranger(way):
    """Who has neither a token nor the secret key."""
    client = Client(way, secret_key=None)
    client.pubnub.set_token(None)
    return client


async def test_a_token_permits_what_was_granted(way):
    if not way.is_guarded:
        return
    root, ann = admin(way), stranger(way)
    channel, other = fresh("room"), fresh("other")
    publish = ann.pubnub.publish().channel(channel).message
    await ann.refused(403, publish(1))
    grant = root.pubnub.grant_token().ttl(5).authorized_uuid(ann.user_id).meta({"role": "user"})
    token = (await root.ask(grant.channels([Channel.id(channel).read().write()]))).get_token()
    parsed = root.pubnub.parse_token(token)
    assert (parsed["version"], parsed["ttl"], parsed["authorized_uuid"], parsed["meta"]) == (2, 5, ann.user_id, {"role": "user"})
    may = {name for name, is_granted in parsed["resources"]["channels"][channel].items() if is_granted}
    assert may == {"read", "write"}, parsed
    ann.pubnub.set_token(token)
    await ann.subscribe(channel)
    await ann.publish(channel, 1)
    await ann.hears(channel, 1, ann.user_id)
    assert channel in await ann.refused(403, ann.pubnub.delete_messages().channel(channel))
    assert other in await ann.refused(403, ann.pubnub.publish().channel(other).message(1))
    await ann.refused(403, ann.pubnub.set_uuid_metadata().uuid(fresh("user")).set_name("x"))
    thief = stranger(way)
    thief.pubnub.set_token(token)
    await thief.refused(403, thief.pubnub.publish().channel(channel).message(1))
    await root.ask(root.pubnub.revoke_token(token))
    await ann.refused(403, publish(2))


async def test_tokens_of_others_and_none_at_all(way):
    if not way.is_guarded:
        return
    other = next(org for org in ["tokens", "signed"] if org != way.org)
    there = Client(way, publish_key=f"pub-{other}", subscribe_key=f"sub-{other}", secret_key=f"secret-of-{other}")
    there.pubnub.set_token("")
    token = (await there.ask(everything(there.pubnub))).get_token()
    ann = stranger(way)
    for wrong in [token, token[:-4] + "AAA=", "nothing"]:
        ann.pubnub.set_token(wrong)
        await ann.refused(403, ann.pubnub.publish().channel("room").message(1))
    liar = Client(way, secret_key="another secret")
    liar.pubnub.set_token("")
    await liar.refused(403, liar.pubnub.publish().channel("room").message(1))
    await liar.refused(403, everything(liar.pubnub))
    root = admin(way)
    for grant in [root.pubnub.grant_token().ttl(43_201).channels([Channel.id("c").read()])]:
        await root.refused(400, grant)


async def test_keys_of_the_older_kind(way):
    if not way.is_guarded:
        return
    root, key, channel = admin(way), fresh("key"), fresh("room")
    ann = Client(way, secret_key=None, auth_key=key)
    ann.pubnub.set_token(None)
    await ann.refused(403, ann.pubnub.publish().channel(channel).message(1))
    granted = await root.ask(root.pubnub.grant().channels([channel]).auth_keys([key]).read(True).write(True).ttl(5))
    assert (granted.level, granted.ttl, granted.subscribe_key) == ("user", 5, f"sub-{way.org}"), vars(granted)
    of_key = granted.channels[channel].auth_keys[key]
    assert (of_key.read_enabled, of_key.write_enabled, of_key.manage_enabled) == (True, True, False)
    await ann.publish(channel, 1)
    await ann.refused(403, ann.pubnub.delete_messages().channel(channel))
    await root.ask(root.pubnub.grant().channels([channel]).auth_keys([key]).read(False).write(False).ttl(5))
    await ann.refused(403, ann.pubnub.publish().channel(channel).message(1))
