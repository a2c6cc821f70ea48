"""The blocking interface: the asyncio driver in a thread of its own."""

from __future__ import annotations

import ssl as ssl_module
import threading
import time
from types import TracebackType
from typing import Any, Callable, Iterator, Mapping, Optional, Type, Union

from . import _options, _results
from ._core.channel import ChannelKey
from ._core.core import Core
from ._core.effects import Gap, State
from ._core.settings import Settings
from ._core.wire import Publication
from ._driver import Driver, OnState
from ._inbox import Inbox
from ._login import TokenArgument
from ._message import BaseMessage, History, Presence, Published, Responses
from ._thread import SLICE, LoopThread
from .credentials import ConsumerApp, Device, User
from .errors import AntiphonError, ClosedError


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
) -> Client:
    """Connects, and returns when the connection is there. All durations are seconds.

    Who the client is, at most one of (without any it is in the server's open organization, if there is one):

    - `token`: an API key or a JWT, or a function that gives one. It is called for the first connection, at half of the
      token's lifetime if that is a JWT that says so, and when the server no longer takes the token.
    - `device`: ``{"uuid": ..., "secret": ...}`` or a `Device`.
    - `consumer_app`: ``{"uuid": ..., "api_key": ...}`` or a `ConsumerApp`.
    - `user`: ``{"username": ..., "password": ..., "organization": ...}`` or a `User`.

    `identity` is what it calls itself where the credential says nothing; a random one by default.

    - `ssl`: for https and wss, instead of Python's default context.
    - `on_state`: called with the `State` and the error that led to it (or None) whenever that changes, in the client's own
      thread: it must not block.
    - `connect_timeout`: how long to try before giving up; None: for ever.
    - `request_timeout`: how long a request may take, reconnects included.
    - `attempt_timeout`: how long one attempt to connect, or to log in, may take.
    - `backoff_min`, `backoff_max`: the first delay before another attempt and the longest; a random half is taken off.
    - `heartbeat_interval`, `heartbeat_timeout`: after so long without a message the server is asked for a sign of life, and
      given up when none comes for so long.
    - `queue_max`, `queue_bytes_max`: how many requests may wait for their answers, and their length together.
    - `message_bytes_max`: longer messages are refused before they are sent; the server has a setting of the same name.

    Raises `ConnectTimeoutError` when there was no connection in time; `UnauthorizedError`, `NotPermittedError` or another
    `ProblemError` at once when the server refuses; `ValueError` and `TypeError` for options that cannot be meant.
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
    loop = LoopThread()
    try:
        driver = loop.run(_open(options))
        loop.hold(driver)
    except BaseException:
        loop.stop()
        raise
    return Client(loop, driver)


async def _open(options: _options.Options) -> Driver:
    driver = options.driver()
    await driver.open(options.connect_timeout)
    return driver


class Client:
    """A connection to the server that mends itself. `connect` makes one.

    All methods may be called from any thread. A client does not survive a fork: make one in the child.
    """

    def __init__(self, loop: LoopThread, driver: Driver) -> None:
        self._loop = loop
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
        return Channel(self._loop, self._driver, ChannelKey.checked(name, system, consumer))

    def close(self) -> None:
        """Closes the connection. What is not answered, and all listeners, end with `ClosedError`. May be called again."""
        self._loop.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<antiphon.Client {self.identity!r} {self.state.value}>"


class Channel:
    """A channel. `Client.get_channel` makes one; it holds nothing and need not be closed."""

    def __init__(self, loop: LoopThread, driver: Driver, key: ChannelKey) -> None:
        self._loop = loop
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
    ) -> Listener:
        """Listens for messages of this event name, or of all. Returns when the server listens too: what is published from
        then on comes, over reconnects as well.

        - `since`: a position; what was published after it comes first. ``0`` is all that is kept. None: only what is
          published from here on.
        - `on_gap`: called with a `Gap` when messages were lost because the server no longer had them; in the client's
          own thread: it must not block.
        - `queue_max`: how many messages wait to be read. For one more the oldest is dropped, and counted in
          `Listener.dropped`.

        All listeners of a channel share one subscription, which gets the messages of all names.

        Raises `NotPermittedError` where this client may not listen.
        """
        position = _options.position_of(since)
        listener = Listener(self._loop, self._driver, name, on_gap, queue_max)
        listener._open(self._key, position)
        return listener

    def broadcast(
        self,
        name: Optional[str] = None,
        payload: Any = None,
        timeout: float = 2.0,
        *,
        until: Optional[int] = None,
        meta: Any = None,
    ) -> Responses:
        """Sends a message to all who listen, this client's own listeners included, and gives the payloads of their
        responses, in the order they came. It takes as long as `timeout` says (seconds, at most 60), or until there are
        `until` of them.

        `payload` is anything that JSON can say, or bytes. `meta` is for what is not payload.

        Raises `BroadcastInterruptedError` when the connection breaks off meanwhile: responses that came are in its
        `responses`. A broadcast is never sent twice. `NotPermittedError`, `RateLimitedError`, `TooLargeError` and other
        `ProblemError` are what the server refuses with; `ValueError` is for a timeout out of range and for payloads that
        JSON cannot say.
        """
        members = _options.broadcast_members(name, payload, meta, timeout, until)
        collected = self._request(lambda core, now: core.broadcast(self._key, members, timeout, now))
        return _results.responses_of(collected)

    def fling(self, payload: Any = None, timeout: float = 2.0) -> Responses:
        """Broadcasts with the event name ``fling``."""
        return self.broadcast("fling", payload, timeout)

    def publish(
        self,
        name: Optional[str] = None,
        payload: Any = None,
        *,
        meta: Any = None,
        store: bool = True,
        ttl: Optional[float] = None,
    ) -> Published:
        """Sends a message to all who listen, once and without responses, and returns when the server has it on disk. If the
        connection breaks off before the answer it is sent again, and not published twice.

        `store=False` keeps it out of the store; `ttl` says for how long it is kept there (seconds), if shorter than the
        channel's rule.

        Raises `RequestTimeoutError` when there was no answer within `request_timeout`; otherwise as `broadcast`.
        """
        members = _options.publish_members(name, payload, meta, store, ttl)
        return Published(*self._request(lambda core, now: core.publish(self._key, members, now)))

    def history(self, limit: int = 100, *, since: Union[str, int, None] = None) -> History[Message]:
        """Gives what the channel has kept, the oldest first: the newest `limit` (1 to 1000), or with `since` the oldest
        after that position. There can be fewer than there are: go on with ``since=history.position`` until there are none."""
        members = _options.history_members(since, limit)
        answer = self._request(lambda core, now: core.history(self._key, members, now))
        return _results.history_of(answer, lambda publication: Message(publication, self._loop, self._driver))

    def presence(self) -> Presence:
        """Says who is present on the channel."""
        return _results.presence_of(self._request(lambda core, now: core.presence(self._key, now)))

    def _request(self, start: Callable[[Core, float], int]) -> Any:
        return self._loop.run(self._driver.request(start))

    def __repr__(self) -> str:
        return f"<antiphon.Channel {self._key}>"


class Message(BaseMessage):
    """A message that came on a channel."""

    __slots__ = ("_driver", "_loop")

    def __init__(self, publication: Publication, loop: LoopThread, driver: Driver) -> None:
        super().__init__(publication)
        self._loop = loop
        self._driver = driver

    def respond(self, payload: Any = None) -> None:
        """Responds to a broadcast: whoever made it gets the payload. Returns when the server has it. Each call is one more
        response.

        Raises `NobodyCollectsError` when the time of the broadcast is up, or if it is none; `ConnectionLostError` when the
        connection breaks off before the answer, because a response is never sent twice.
        """
        _results.raise_unless_broadcast(self)
        to = self._publication
        self._loop.run(self._driver.request(lambda core, now: core.reply(to.channel, to.position, payload, now)))


class Listener:
    """Reads a channel: `wait` for the next message, or ``for message in listener``. `Channel.listen` makes one.

    Several threads may read one listener: each message goes to one of them.
    """

    def __init__(
        self,
        loop: LoopThread,
        driver: Driver,
        name: Optional[str],
        on_gap: Optional[Callable[[Gap], None]],
        queue_max: int,
    ) -> None:
        self._loop = loop
        self._driver = driver
        self._name = name
        self._on_gap = on_gap
        self._inbox = Inbox(queue_max)
        self._changed = threading.Condition()
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

    def wait(self, timeout: Optional[float] = None) -> Optional[Message]:
        """Gives the next message, or None if none comes within so many seconds. Without a timeout it waits for as long as
        it takes; Ctrl-C interrupts it.

        Raises `ClosedError` when the listener was cancelled or the client closed, and the error that ended it otherwise.
        """
        self._loop.raise_if_foreign()
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while True:
                publication = self._inbox.take()
                if publication is not None:
                    return Message(publication, self._loop, self._driver)
                left = SLICE if deadline is None else min(deadline - time.monotonic(), SLICE)
                if left <= 0:
                    return None
                self._changed.wait(left)

    def cancel(self) -> None:
        """Ends it; what is not read is thrown away. The last listener of a channel ends its subscription."""
        with self._changed:
            self._inbox.cancel()
            number, self._number = self._number, None
            self._changed.notify_all()
        if number is not None:
            self._loop.post(self._driver.unlisten, number)

    def __iter__(self) -> Iterator[Message]:
        """Gives the messages as they come, until the listener is cancelled or the client closed.

        Raises what ended it otherwise.
        """
        while True:
            try:
                message = self.wait()
            except ClosedError:
                return
            assert message is not None
            yield message

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        self.cancel()

    # What the driver calls, in its thread.

    def deliver(self, publication: Publication) -> None:
        """Takes a message that came."""
        with self._changed:
            self._inbox.put(publication)
            self._changed.notify()

    def tell_gap(self, gap: Gap) -> None:
        """Counts a gap, and tells of it."""
        with self._changed:
            self._inbox.gaps += 1
        if self._on_gap is not None:
            self._on_gap(gap)

    def end(self, error: AntiphonError) -> None:
        """Ends it."""
        with self._changed:
            self._inbox.end(error)
            self._changed.notify_all()

    def _open(self, key: ChannelKey, since: Optional[int]) -> None:
        self._number = self._loop.run(self._driver.listen(key, self._name, since, self))
