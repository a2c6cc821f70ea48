"""Does on asyncio what the core asks for: WebSockets, timers, tokens."""

from __future__ import annotations

import asyncio
import logging
import ssl as ssl_module
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Callable, Deque, Dict, Optional, Protocol, Set

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from . import _http
from ._core import wire
from ._core.address import Address
from ._core.channel import ChannelKey
from ._core.core import Core
from ._core.effects import (
    Connect,
    Deliver,
    Disconnect,
    Effect,
    EndListener,
    Fail,
    FetchToken,
    Gap,
    Listening,
    Resolve,
    Send,
    State,
    StateChanged,
    TellGap,
)
from ._inbox import fresh
from ._login import TokenSource
from ._version import USER_AGENT
from .errors import AntiphonError, ClosedError, ConnectTimeoutError, ProblemError, UnreachableError

log = logging.getLogger("antiphon")

#: How long the server has to answer a close frame (seconds).
_CLOSE_TIMEOUT = 2.0
#: The longest message that is taken (bytes): what a server is set to take as a message, many times over.
_INCOMING_BYTES_MAX = 64 * 1024 * 1024
#: What a timer may be early by (seconds).
_CLOCK_STEP = 0.001
#: After so many messages in a row others get their turn.
_MESSAGES_IN_A_ROW = 100

#: Is told where the client stands, and why it left where it stood.
OnState = Callable[[State, Optional[AntiphonError]], None]


class Sink(Protocol):
    """Takes what comes for a listener."""

    def deliver(self, publication: wire.Publication) -> None:
        """A message came."""

    def tell_gap(self, gap: Gap) -> None:
        """Messages are lost."""

    def end(self, error: AntiphonError) -> None:
        """Nothing more comes."""


@dataclass(frozen=True)
class Transport:
    """How connections are made."""

    address: Address
    identity: str
    ssl: Optional[ssl_module.SSLContext]


@dataclass
class _Link:
    """One WebSocket, open or on its way to be."""

    number: int
    outgoing: Deque[str] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    websocket: Optional[ClientConnection] = None
    task: Optional[asyncio.Task[None]] = None


class Driver:
    """Runs a core. All of it happens on one event loop: methods are called there."""

    def __init__(
        self, core: Core, transport: Transport, source: Optional[TokenSource], on_state: Optional[OnState]
    ) -> None:
        self._core = core
        self._transport = transport
        self._source = source
        self._on_state = on_state
        self._loop = asyncio.get_running_loop()
        self._online: asyncio.Future[None] = self._loop.create_future()
        self._last_error: Optional[AntiphonError] = None
        self._requests: Dict[int, asyncio.Future[Any]] = {}
        self._listening: Dict[int, asyncio.Future[None]] = {}
        self._sinks: Dict[int, Sink] = {}
        self._link: Optional[_Link] = None
        self._tasks: Set[asyncio.Task[None]] = set()
        self._timer: Optional[asyncio.TimerHandle] = None
        self._timer_at: Optional[float] = None
        self._pumping = False

    @property
    def state(self) -> State:
        """Where the client stands."""
        return self._core.state

    @property
    def identity(self) -> Optional[str]:
        """Who the server says that it is."""
        return self._core.identity

    async def open(self, timeout: Optional[float]) -> None:
        """Waits until it is connected for the first time.

        Raises `ConnectTimeoutError` after so many seconds, and what the server says that will not change by waiting.
        """
        self._core.start(self._loop.time())
        self._pump()
        try:
            await asyncio.wait_for(asyncio.shield(self._online), timeout)
        except asyncio.TimeoutError:
            last = self._last_error
            await self.close()
            why = f": {last}" if last is not None else ""
            raise ConnectTimeoutError(f"there was no connection within {timeout} seconds{why}") from last
        except BaseException:
            await self.close()
            raise

    async def request(self, start: Callable[[Core, float], int]) -> Any:
        """Makes a request of the core's, and waits for what it comes to."""
        id = start(self._core, self._loop.time())
        future = self._requests[id] = self._loop.create_future()
        self._pump()
        try:
            return await future
        except asyncio.CancelledError:
            self._core.give_up(id, self._loop.time())
            self._pump()
            raise
        finally:
            self._requests.pop(id, None)

    async def listen(self, channel: ChannelKey, event: Optional[str], since: Optional[int], sink: Sink) -> int:
        """Adds a listener, and waits until it has its subscription. Gives its number."""
        id = self._core.listen(channel, event, since, self._loop.time())
        future = self._listening[id] = self._loop.create_future()
        self._sinks[id] = sink
        self._pump()
        try:
            await future
        except asyncio.CancelledError:
            self.unlisten(id)
            raise
        finally:
            self._listening.pop(id, None)
        return id

    def unlisten(self, listener: int) -> None:
        """Removes a listener."""
        self._sinks.pop(listener, None)
        self._core.unlisten(listener, self._loop.time())
        self._pump()

    async def close(self) -> None:
        """Ends everything, and waits until the connection is closed."""
        self._core.close(self._loop.time())
        self._pump()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=_CLOSE_TIMEOUT + 1.0)
        for task in late:
            task.cancel()

    # The core's effects.

    def _pump(self) -> None:
        """Does all that the core asks for, and sets its timer."""
        if self._pumping:
            # A callback of the user's came back in; the loop below goes on with what it asked for.
            return
        self._pumping = True
        try:
            while True:
                effect = self._core.poll_effect()
                if effect is None:
                    break
                self._do(effect)
        finally:
            self._pumping = False
        self._set_timer()

    def _do(self, effect: Effect) -> None:
        if isinstance(effect, Deliver):
            sink = self._sinks.get(effect.listener)
            if sink is not None:
                sink.deliver(effect.publication)
        elif isinstance(effect, Send):
            if self._link is not None:
                self._link.outgoing.append(effect.text)
                self._link.wake.set()
        elif isinstance(effect, Resolve):
            _resolve(self._requests.get(effect.request), effect.value)
        elif isinstance(effect, Fail):
            _fail(self._requests.get(effect.request), effect.error)
        elif isinstance(effect, Listening):
            _resolve(self._listening.get(effect.listener), None)
        elif isinstance(effect, TellGap):
            self._tell_gap(effect)
        elif isinstance(effect, EndListener):
            self._end_listener(effect)
        elif isinstance(effect, Connect):
            self._connect(effect)
        elif isinstance(effect, Disconnect):
            self._disconnect(effect.connection)
        elif isinstance(effect, FetchToken):
            self._spawn(self._fetch(effect.previous))
        else:
            self._tell_state(effect)

    def _tell_gap(self, effect: TellGap) -> None:
        gap = effect.gap
        log.warning("messages on %r after %s and before %s are lost", gap.channel.name, gap.since, gap.resumed)
        sink = self._sinks.get(effect.listener)
        if sink is not None:
            call(sink.tell_gap, gap)

    def _end_listener(self, effect: EndListener) -> None:
        sink = self._sinks.pop(effect.listener, None)
        if sink is not None:
            sink.end(effect.error)
        _fail(self._listening.get(effect.listener), effect.error)

    def _tell_state(self, changed: StateChanged) -> None:
        if changed.state is State.ONLINE:
            log.info("connected to %s as %s", self._transport.address.http, self._core.identity)
            _resolve(self._online, None)
        elif changed.state is State.CLOSED:
            error = changed.error or ClosedError("the client was closed")
            if changed.error is not None:
                log.error("the connection to %s ended for good: %s", self._transport.address.http, error)
            _fail(self._online, error)
            if not self._online.cancelled():
                # Looked at, so that asyncio does not complain where nobody waits for it any more.
                self._online.exception()
        elif changed.error is not None:
            self._last_error = changed.error
            address, delay = self._transport.address.http, changed.delay or 0.0
            log.warning("%s: %s; trying again in %.1f s", address, changed.error, delay)
        if self._on_state is not None:
            call(self._on_state, changed.state, changed.error)

    def _set_timer(self) -> None:
        at = self._core.poll_time()
        if at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = None if at is None else self._loop.call_at(at, self._handle_time)

    def _handle_time(self) -> None:
        self._timer, self._timer_at = None, None
        try:
            # The loop's clock has steps, and calls a little early.
            self._core.handle_time(self._loop.time() + _CLOCK_STEP)
            self._pump()
        except Exception as error:
            self._abort(error)

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._handle_done)
        return task

    def _handle_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._abort(error)

    def _abort(self, error: BaseException) -> None:
        """Ends everything because of a mistake of this package: better than that all wait for ever."""
        log.error("a mistake of the antiphon package ended the client", exc_info=error)
        ended = AntiphonError(f"a mistake of the antiphon package ended the client: {error!r}")
        ended.__cause__ = error
        self._core.abort(ended)
        self._pump()

    async def _fetch(self, previous: Optional[str]) -> None:
        assert self._source is not None
        try:
            token = await self._source.fetch(previous)
        except AntiphonError as error:
            self._core.handle_token_failed(error, self._loop.time())
        except Exception as error:
            log.exception("no token can be had")
            self._core.handle_token_failed(UnreachableError(f"no token: {error!r}"), self._loop.time())
        else:
            self._core.handle_token(token, self._loop.time())
        self._pump()

    # Connections.

    def _connect(self, effect: Connect) -> None:
        link = self._link = _Link(effect.connection)
        link.task = self._spawn(self._run(link, effect.token))

    def _disconnect(self, number: int) -> None:
        link = self._link
        if link is None or link.number != number or link.task is None:
            return
        self._link = None
        if link.websocket is None:
            link.task.cancel()
        else:
            self._spawn(link.websocket.close())

    async def _run(self, link: _Link, token: Optional[str]) -> None:
        """The life of a connection."""
        try:
            websocket = await self._dial(token)
        except InvalidStatus as error:
            self._core.handle_refused(link.number, _problem(error), self._loop.time())
        except (OSError, WebSocketException, EOFError) as error:
            self._core.handle_unreachable(link.number, _unreachable(error), self._loop.time())
        except Exception as error:
            log.exception("no connection can be made")
            self._core.handle_unreachable(link.number, _unreachable(error), self._loop.time())
        else:
            link.websocket = websocket
            self._core.handle_connected(link.number, self._loop.time())
            await self._talk(link, websocket)
        self._pump()

    async def _dial(self, token: Optional[str]) -> ClientConnection:
        transport = self._transport
        extra: Dict[str, Any] = {}
        if transport.ssl is not None and transport.address.websocket.startswith("wss:"):
            extra["ssl"] = transport.ssl
        return await _Dial(
            transport.address.events(transport.identity),
            subprotocols=[Subprotocol("antiphon.v1")],
            additional_headers=None if token is None else {"Authorization": f"Bearer {token}"},
            user_agent_header=USER_AGENT,
            # The core has timers for both.
            open_timeout=None,
            ping_interval=None,
            close_timeout=_CLOSE_TIMEOUT,
            max_size=_INCOMING_BYTES_MAX,
            **extra,
        )

    async def _talk(self, link: _Link, websocket: ClientConnection) -> None:
        writer = self._loop.create_task(self._write(link, websocket))
        try:
            while True:
                for _ in range(_MESSAGES_IN_A_ROW):
                    text = await websocket.recv(decode=True)
                    problem = self._core.handle_text(link.number, text, self._loop.time())
                    if problem is not None:
                        log.warning("passed over a message of the server: %s", problem)
                    self._pump()
                await asyncio.sleep(0)
        except ConnectionClosed as closed:
            # What the server only repeats after this side closed says nothing of the server.
            frame = closed.rcvd if closed.rcvd_then_sent else None
            code, reason = (None, "") if frame is None else (frame.code, frame.reason)
            self._core.handle_disconnected(link.number, code, reason, self._loop.time())
        finally:
            writer.cancel()

    async def _write(self, link: _Link, websocket: ClientConnection) -> None:
        try:
            while True:
                while link.outgoing:
                    await websocket.send(link.outgoing.popleft())
                link.wake.clear()
                await link.wake.wait()
        except ConnectionClosed:
            # The reader tells.
            pass


class _Dial(websocket_connect):
    """Connects where the user said, and nowhere else: a redirection would take the credential along."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


def call(callback: Callable[..., None], *arguments: Any) -> None:
    """Calls a function of the user's. What it raises is logged: there is nobody else to tell."""
    try:
        callback(*arguments)
    except Exception:
        log.exception("a callback raised")


def _resolve(future: Optional[asyncio.Future[Any]], value: Any) -> None:
    if future is not None and not future.done():
        future.set_result(value)


def _fail(future: Optional[asyncio.Future[Any]], error: AntiphonError) -> None:
    if future is not None and not future.done():
        future.set_exception(fresh(error))


def _unreachable(error: Exception) -> UnreachableError:
    unreachable = UnreachableError(f"no WebSocket: {str(error) or type(error).__name__}")
    unreachable.__cause__ = error
    return unreachable


def _problem(error: InvalidStatus) -> ProblemError:
    response = error.response
    try:
        body = wire.parse_json(bytes(response.body or b""))
    except wire.DecodeError:
        body = None
    retry_after = next(iter(response.headers.get_all("Retry-After")), None)
    return _http.problem_of(response.status_code, body, _http.seconds(retry_after))
