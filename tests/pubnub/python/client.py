"""The SDK in both of its forms, asked in one way: `await client.ask(endpoint)`; and what its listener was told, in the order in which it came."""

import asyncio
import itertools

from pubnub.callbacks import SubscribeCallback
from pubnub.enums import PNStatusCategory
from pubnub.exceptions import PubNubException
from pubnub.pnconfiguration import PNConfiguration
from pubnub.pubnub import PubNub
from pubnub.pubnub_asyncio import PubNubAsyncio

TIMEOUT_SECS = 15
EVENTS = ["message", "presence", "signal", "channel", "uuid", "membership", "message_action", "file"]

made = itertools.count()


class Failed(Exception):
    """The server refused."""

    def __init__(self, status, said):
        super().__init__(f"{status}: {said}")
        self.status = status


class Listener(SubscribeCallback):
    """Puts what it is told into queues of the loop, from whichever thread it is told."""

    def __init__(self, loop):
        self.loop = loop
        self.is_closed = False
        self.events = {name: asyncio.Queue() for name in [*EVENTS, "status"]}
        for name in EVENTS:
            setattr(self, name, lambda _, event, name=name: self.put(name, event))

    def put(self, name, event):
        # The SDK's threads go on for a while once the client was closed, and the loop may have ended then.
        if self.is_closed:
            return
        self.loop.call_soon_threadsafe(self.events[name].put_nowait, event)

    def status(self, pubnub, status):
        self.put("status", status)

    # The SDK wants them to be there.
    def message(self, pubnub, message):
        raise NotImplementedError

    def presence(self, pubnub, presence):
        raise NotImplementedError


class Client:
    """A user: an SDK of one of the two forms in the org of one of the ways."""

    def __init__(self, way, user_id=None, **settings):
        config = PNConfiguration()
        config.publish_key, config.subscribe_key = f"pub-{way.org}", f"sub-{way.org}"
        config.origin, config.ssl, config.daemon = way.origin, False, True
        config.user_id = self.user_id = user_id or fresh("user")
        if way.is_signed:
            config.secret_key = f"secret-of-{way.org}"
        for name, value in settings.items():
            setattr(config, name, value)
        self.is_asyncio = way.sdk == "asyncio"
        self.pubnub = PubNubAsyncio(config) if self.is_asyncio else PubNub(config)
        # In this form the SDK fails where it wants to note how long some of its calls took.
        self.pubnub._telemetry_manager.store_latency = lambda *_: None
        self.listener = Listener(asyncio.get_running_loop())
        self.pubnub.add_listener(self.listener)
        if way.token:
            self.pubnub.set_token(way.token)
        way.clients.append(self)

    async def ask(self, endpoint):
        """What the SDK makes of the answer; `Failed` if it was refused."""
        if not self.is_asyncio:
            try:
                return (await within(asyncio.to_thread(endpoint.sync), "an answer")).result
            except PubNubException as error:
                if not error._status_code:
                    raise
                raise Failed(int(error._status_code), error) from None
        envelope = await within(endpoint.future(), "an answer")
        if envelope.is_error():
            status = envelope.status
            if status is None or status.status_code is None:
                # It was not the server that refused.
                raise AssertionError(f"no answer: {status and status.error_data and status.error_data.exception!r}")
            raise Failed(status.status_code, status.error_data and status.error_data.information)
        return envelope.result

    async def refused(self, status, endpoint):
        """Asks for what has to be refused with this status."""
        try:
            result = await self.ask(endpoint)
        except Failed as failed:
            assert failed.status == status, failed
            return str(failed)
        raise AssertionError(f"it was not refused but answered {result}")

    async def subscribe(self, *channels, groups=(), presence=False):
        """Subscribes, and waits until the SDK says that it is connected."""
        endpoint = self.pubnub.subscribe().channels(list(channels)).channel_groups(list(groups))
        (endpoint.with_presence() if presence else endpoint).execute()
        await self.connected()

    async def connected(self):
        status = await self.next("status")
        assert status.category == PNStatusCategory.PNConnectedCategory, (status.category, status.error_data)

    async def next(self, event):
        """The oldest event of this kind that was not taken."""
        return await within(self.listener.events[event].get(), f"event {event}")

    def nothing(self, event):
        """Checks that there is no event of this kind that was not taken."""
        left = self.listener.events[event]
        assert left.empty(), f"{event} {vars(left.get_nowait())} was left"

    async def publish(self, channel, message, **options):
        """Publishes, and gives the timetoken."""
        endpoint = self.pubnub.publish().channel(channel).message(message)
        for name, value in options.items():
            getattr(endpoint, name)(value)
        result = await self.ask(endpoint)
        return int(result.timetoken)

    async def hears(self, channel, message, publisher):
        """Checks that this is the next message."""
        event = await self.next("message")
        assert (event.channel, event.message, event.publisher) == (channel, message, publisher), vars(event)
        return event

    async def hears_all(self, channel, messages, publisher):
        """Checks that these are the next messages, each of them once or, of those that came as the subscription changed, twice.

        The polls of the SDK overlap then, and it goes on with whichever is answered: it may take the same answer again.
        """
        heard = {}
        while len(heard) < len(messages):
            event = await self.next("message")
            assert (event.channel, event.publisher) == (channel, publisher), vars(event)
            assert heard.setdefault(event.timetoken, event.message) == event.message
        assert [message for _, message in sorted(heard.items())] == messages
        assert list(heard) == sorted(heard), heard

    async def close(self):
        self.listener.is_closed = True
        self.pubnub.unsubscribe_all()
        if self.is_asyncio:
            # Leaving is a task that the SDK has only begun.
            await asyncio.sleep(0.05)
            await self.pubnub.stop()


def fresh(name):
    """A name that nothing else has."""
    return f"{name}-{next(made)}"


async def within(awaitable, what):
    try:
        return await asyncio.wait_for(awaitable, TIMEOUT_SECS)
    except asyncio.TimeoutError:
        raise AssertionError(f"no {what} in {TIMEOUT_SECS} s") from None


async def eventually(ask, what):
    """Asks until there is something: for what the server tells only to those who ask."""

    async def asking():
        while not (answer := await ask()):
            await asyncio.sleep(0.02)
        return answer

    return await within(asking(), what)
