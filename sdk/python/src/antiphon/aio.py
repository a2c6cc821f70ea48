"""The asyncio interface.

    async with antiphon.aio.connect("http://127.0.0.1:8080") as exp:
        channel = exp.get_channel("testChannel")
        responses = await channel.broadcast("eventName", {"text": "hello?"})

A client belongs to the event loop that it was made on.
"""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from types import TracebackType
from typing import (
    Any,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Generic,
    Mapping,
    Optional,
    Protocol,
    Type,
    TypeVar,
    Union,
)

from . import _options, _results
from ._core.channel import ChannelKey
from ._core.effects import Gap, State
from ._core.settings import Settings
from ._core.wire import Publication
from ._driver import Driver, OnState
from ._inbox import Inbox
from ._login import TokenArgument
from ._message import BaseMessage, History, Presence, Published, Responses
from .credentials import ConsumerApp, Device, User
from .errors import AntiphonError, ClosedError

__all__ = ["Channel", "Client", "Listener", "Message", "Opening", "connect"]


def connect(
    url: str = "http://127.0.0.1:8080",
    *,
    token: Optional[TokenArgument] = None,
    device: Union[Device, Mapping[str, Any], None] = None,
    consumer_app: Union[ConsumerApp, Mapping[str, Any], None] = None,
    user: Union[User, Mapping[str, Any], None] = None,
    identity: Optional[str] = None,
    ssl: Optional[ssl_module.SSLContext] = None,
    on_state: Optional[OnState] = None,
    connect_timeout: Optional[float] = 30.0,
    request_timeout: float = Settings.request_timeout,
    attempt_timeout: float = Settings.attempt_timeout,
    backoff_min: float = Settings.backoff_min,
    backoff_max: float = Settings.backoff_max,
    heartbeat_interval: float = Settings.heartbeat_interval,
    heartbeat_timeout: float = Settings.heartbeat_timeout,
    queue_max: int = Settings.queue_max,
    queue_bytes_max: int = Settings.queue_bytes_max,
    message_bytes_max: int = Settings.message_bytes_max,
) -> Opening[Client]:
    """Gives a client when it is awaited, or entered as a context, which closes it in the end.

    The options are those of `antiphon.connect`, and so are the errors. A function given as `token` may be asynchronous.
    """
    options = _options.Options(
        url=url,
        token=token,
        device=device,
        consumer_app=consumer_app,
        user=user,
        identity=identity,
        ssl=ssl,
        on_state=on_state,
        connect_timeout=connect_timeout,
        request_timeout=request_timeout,
        attempt_timeout=attempt_timeout,
        backoff_min=backoff_min,
        backoff_max=backoff_max,
        heartbeat_interval=heartbeat_interval,
        heartbeat_timeout=heartbeat_timeout,
        queue_max=queue_max,
        queue_bytes_max=queue_bytes_max,
        message_bytes_max=message_bytes_max,
    )
    return Opening(_connect(options))


async def _connect(options: _options.Options) -> Client:
    driver = options.driver()
    await driver.open(options.connect_timeout)
    return Client(driver)


class Client:
    """A connection to the server that mends itself. `connect` makes one."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def state(self) -> State:
        """Where it stands: connecting, online or closed."""
        return self._driver.state

    @property
    def identity(self) -> Optional[str]:
        """Who the server says that this client is."""
        return self._driver.identity

    def get_channel(self, name: str = "default", system: bool = False, consumer: bool = False) -> Channel:
        """The channel of this name; other flags are another channel. Nothing is sent: a channel is there as soon as it is used.

        Raises `ValueError` for a name that no channel can have.
        """
        return Channel(self._driver, ChannelKey.checked(name, system, consumer))

    async def close(self) -> None:
        """Closes the connection. What is not answered, and all listeners, end with `ClosedError`. May be called again."""
        await self._driver.close()

    async def aclose(self) -> None:
        """The same as `close`, for `contextlib.aclosing`."""
        await self._driver.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<antiphon.aio.Client {self.identity!r} {self.state.value}>"


class Channel:
    """A channel. `Client.get_channel` makes one; it holds nothing and need not be closed."""

    def __init__(self, driver: Driver, key: ChannelKey) -> None:
        self._driver = driver
        self._key = key

    @property
    def name(self) -> str:
        """Its name."""
        return self._key.name

    @property
    def system(self) -> bool:
        """Whether it is a system channel: only the server publishes there."""
        return self._key.system

    @property
    def consumer(self) -> bool:
        """Whether it is a consumer channel: consumer apps are on these only."""
        return self._key.consumer

    def listen(
        self,
        name: Optional[str] = None,
        *,
        since: Union[str, int, None] = None,
        on_gap: Optional[Callable[[Gap], None]] = None,
        queue_max: int = 1000,
    ) -> Opening[Listener]:
        """Listens for messages of this event name, or of all: ``listener = await channel.listen("hello")``, or
        ``async with channel.listen("hello") as listener:``, which cancels it in the end.

        The options and errors are those of `antiphon.Channel.listen`; `on_gap` is called on the event loop.
        """
        position = _options.position_of(since)
        listener = Listener(self._driver, name, on_gap, queue_max)
        return Opening(listener._open(self._key, position))

    async def broadcast(
        self,
        name: Optional[str] = None,
        payload: Any = None,
        timeout: float = 2.0,
        *,
        until: Optional[int] = None,
        meta: Any = None,
    ) -> Responses:
        """Sends a message to all who listen, and collects their responses. See `antiphon.Channel.broadcast`."""
        members = _options.broadcast_members(name, payload, meta, timeout, until)
        collected = await self._driver.request(lambda core, now: core.broadcast(self._key, members, timeout, now))
        return _results.responses_of(collected)

    async def fling(self, payload: Any = None, timeout: float = 2.0) -> Responses:
        """Broadcasts with the event name ``fling``."""
        return await self.broadcast("fling", payload, timeout)

    async def publish(
        self,
        name: Optional[str] = None,
        payload: Any = None,
        *,
        meta: Any = None,
        store: bool = True,
        ttl: Optional[float] = None,
    ) -> Published:
        """Sends a message to all who listen, once and without responses. See `antiphon.Channel.publish`."""
        members = _options.publish_members(name, payload, meta, store, ttl)
        return Published(*await self._driver.request(lambda core, now: core.publish(self._key, members, now)))

    async def history(self, limit: int = 100, *, since: Union[str, int, None] = None) -> History[Message]:
        """Gives what the channel has kept. See `antiphon.Channel.history`."""
        members = _options.history_members(since, limit)
        answer = await self._driver.request(lambda core, now: core.history(self._key, members, now))
        return _results.history_of(answer, lambda publication: Message(publication, self._driver))

    async def presence(self) -> Presence:
        """Says who is present on the channel. See `antiphon.Channel.presence`."""
        return _results.presence_of(await self._driver.request(lambda core, now: core.presence(self._key, now)))

    def __repr__(self) -> str:
        return f"<antiphon.aio.Channel {self._key}>"


class Message(BaseMessage):
    """A message that came on a channel."""

    __slots__ = ("_driver",)

    def __init__(self, publication: Publication, driver: Driver) -> None:
        super().__init__(publication)
        self._driver = driver

    async def respond(self, payload: Any = None) -> None:
        """Responds to a broadcast: whoever made it gets the payload. Each call is one more response.

        Raises `NobodyCollectsError` when the time of the broadcast is up, or if it is none.
        """
        _results.raise_unless_broadcast(self)
        publication = self._publication
        await self._driver.request(
            lambda core, now: core.reply(publication.channel, publication.position, payload, now)
        )


class Listener:
    """Reads a channel: `wait` for the next message, or ``async for message in listener``. `Channel.listen` makes one."""

    def __init__(
        self, driver: Driver, name: Optional[str], on_gap: Optional[Callable[[Gap], None]], queue_max: int
    ) -> None:
        self._driver = driver
        self._name = name
        self._on_gap = on_gap
        self._inbox = Inbox(queue_max)
        self._something = asyncio.Event()
        self._number: Optional[int] = None

    @property
    def name(self) -> Optional[str]:
        """The event name that it listens for; None for all."""
        return self._name

    @property
    def active(self) -> bool:
        """Whether messages can still come."""
        return not self._inbox.ended

    @property
    def dropped(self) -> int:
        """How many messages were dropped because they were not read in time."""
        return self._inbox.dropped

    @property
    def gaps(self) -> int:
        """How often messages were lost because the server no longer had them."""
        return self._inbox.gaps

    async def wait(self, timeout: Optional[float] = None) -> Optional[Message]:
        """Gives the next message, or None if none comes within so many seconds. Without a timeout it waits for as long as
        it takes. May be cancelled: no message is lost by that.

        Raises `ClosedError` when the listener was cancelled or the client closed, and the error that ended it otherwise.
        """
        taken = self._take()
        if taken is None and timeout is None:
            while taken is None:
                await self._something.wait()
                taken = self._take()
        elif taken is None:
            deadline = asyncio.get_running_loop().time() + (timeout or 0.0)
            while taken is None:
                left = deadline - asyncio.get_running_loop().time()
                try:
                    await asyncio.wait_for(self._something.wait(), left)
                except asyncio.TimeoutError:
                    return self._take()
                taken = self._take()
        return taken

    def cancel(self) -> None:
        """Ends it; what is not read is thrown away. The last listener of a channel ends its subscription."""
        self._inbox.cancel()
        self._something.set()
        if self._number is not None:
            self._driver.unlisten(self._number)
            self._number = None

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Gives the messages as they come, until the listener is cancelled or the client closed.

        Raises what ended it otherwise.
        """
        while True:
            try:
                message = await self.wait()
            except ClosedError:
                return
            assert message is not None
            yield message

    async def __aenter__(self) -> Listener:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        self.cancel()

    async def aclose(self) -> None:
        """The same as `cancel`, for `contextlib.aclosing`."""
        self.cancel()

    # What the driver calls.

    def deliver(self, publication: Publication) -> None:
        """Takes a message that came."""
        self._inbox.put(publication)
        self._something.set()

    def tell_gap(self, gap: Gap) -> None:
        """Counts a gap, and tells of it."""
        self._inbox.gaps += 1
        if self._on_gap is not None:
            self._on_gap(gap)

    def end(self, error: AntiphonError) -> None:
        """Ends it."""
        self._inbox.end(error)
        self._something.set()

    async def _open(self, key: ChannelKey, since: Optional[int]) -> Listener:
        self._number = await self._driver.listen(key, self._name, since, self)
        return self

    def _take(self) -> Optional[Message]:
        publication = self._inbox.take()
        if publication is None:
            self._something.clear()
            return None
        return Message(publication, self._driver)


class _Closing(Protocol):
    async def aclose(self) -> None: ...


_Opened = TypeVar("_Opened", bound=_Closing)


class Opening(Generic[_Opened]):
    """What is about to be there: await it, or enter it as a context, which closes it in the end."""

    def __init__(self, coroutine: Coroutine[Any, Any, _Opened]) -> None:
        self._coroutine = coroutine
        self._opened: Optional[_Opened] = None

    def __await__(self) -> Generator[Any, None, _Opened]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> _Opened:
        self._opened = await self._coroutine
        return self._opened

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        if self._opened is not None:
            await self._opened.aclose()
