"""Files, and registrations for push."""

import http.client
import os
import urllib.parse

from pubnub.enums import PNPushEnvironment, PNPushType

from client import Client, fresh


def fetched(url, headers=None):
    """What is behind the redirect."""
    for _ in range(2):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers or {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 307:
            return answer.status, body
        url = urllib.parse.urljoin(url, answer.headers["Location"])
    raise AssertionError(f"more than one redirect, to {url}")


async def test_files(way):
    ann, bob = Client(way), Client(way)
    channel, content = fresh("room"), os.urandom(100_000)
    await bob.subscribe(channel)
    pubnub = ann.pubnub
    send = pubnub.send_file().channel(channel).file_name("a-photo.jpg").message({"text": "look ü"})
    sent = await ann.ask(send.should_store(True).file_object(content))
    assert sent.name == "a-photo.jpg" and sent.file_id
    told = await bob.next("file")
    assert (told.channel, told.publisher, told.message) == (channel, ann.user_id, {"text": "look ü"}), vars(told)
    assert (told.file_id, told.file_name) == (sent.file_id, "a-photo.jpg")
    listed = await ann.ask(pubnub.list_files().channel(channel))
    assert [(one["id"], one["name"], one["size"]) for one in listed.data] == [(sent.file_id, "a-photo.jpg", 100_000)]
    of_it = {"file_id": sent.file_id, "file_name": "a-photo.jpg"}
    download = pubnub.download_file().channel(channel)
    loaded = await ann.ask(download.file_id(of_it["file_id"]).file_name(of_it["file_name"]))
    assert loaded.data == content
    url = await ann.ask(pubnub.get_file_url().channel(channel).file_id(sent.file_id).file_name("a-photo.jpg"))
    assert fetched(url.file_url) == (200, content)
    assert fetched(url.file_url, {"Range": "bytes=10-19"}) == (206, content[10:20])
    kept = await ann.ask(pubnub.fetch_messages().channels([channel]).include_message_type(True))
    (message,) = kept.channels[channel]
    assert message.message["file"]["id"] == sent.file_id, message.message
    await ann.ask(pubnub.delete_file().channel(channel).file_id(sent.file_id).file_name("a-photo.jpg"))
    listed = await ann.ask(pubnub.list_files().channel(channel))
    assert listed.data == []
    bob.nothing("file")
    bob.nothing("message")


async def test_files_that_are_encrypted(way):
    ann, bob = Client(way, cipher_key="enigma"), Client(way, cipher_key="enigma")
    channel, content = fresh("room"), os.urandom(1000)
    await bob.subscribe(channel)
    sent = await ann.ask(ann.pubnub.send_file().channel(channel).file_name("secret.bin").message("psst").file_object(content))
    told = await bob.next("file")
    assert (told.message, told.file_id) == ("psst", sent.file_id)
    loaded = await bob.ask(bob.pubnub.download_file().channel(channel).file_id(sent.file_id).file_name("secret.bin"))
    assert loaded.data == content


async def test_push(way):
    ann = Client(way)
    one, two = fresh("one"), fresh("two")
    pubnub = ann.pubnub
    apns2 = {"topic": "org.example.app", "environment": PNPushEnvironment.DEVELOPMENT}
    for kind, device, more in [
        (PNPushType.GCM, fresh("device"), {}),
        (PNPushType.APNS, os.urandom(32).hex(), {}),
        (PNPushType.MPNS, fresh("device"), {}),
        (PNPushType.APNS2, os.urandom(32).hex(), apns2),
    ]:

        def of(endpoint):
            endpoint = endpoint.device_id(device).push_type(kind)
            for name, value in more.items():
                endpoint = getattr(endpoint, name)(value)
            return endpoint

        async def listed():
            return sorted((await ann.ask(of(pubnub.list_push_channels()))).channels)

        assert await listed() == []
        await ann.ask(of(pubnub.add_channels_to_push()).channels([one, two]))
        assert await listed() == sorted([one, two])
        await ann.ask(of(pubnub.remove_channels_from_push()).channels([one]))
        assert await listed() == [two]
        await ann.ask(of(pubnub.remove_device_from_push()))
        assert await listed() == []
    wrong = pubnub.add_channels_to_push().push_type(PNPushType.APNS).device_id("nothing").channels([one])
    assert "device token" in await ann.refused(400, wrong)
