"""The client as a state machine.

connect() -> [token?] -> attempt --open--> online
                ^           |                 |
                +- back-off +-----------------+   until close(), or an error that trying again does not mend
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any, Deque, Dict, List, Mapping, Optional

from ..errors import (
    AntiphonError,
    ClosedError,
    ConnectionLostError,
    ProblemError,
    QueueFullError,
    RequestTimeoutError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from . import wire
from .backoff import Backoff
from .channel import ChannelKey
from .credential import Credential, Source, Token
from .effects import (
    Connect,
    Disconnect,
    Effect,
    EndListener,
    Fail,
    FetchToken,
    Resolve,
    Send,
    State,
    StateChanged,
)
from .requests import Collected, Kind, Request, Requests, result_of
from .settings import Settings
from .subscriptions import Subscription, Subscriptions
from .timers import Due, Timer, Timers

#: Close codes after which coming back would end the same way.
_FINAL_CODES = frozenset({1002, 1003, 1007, 1008})
_TOO_LONG = 1009
_EXPIRED = 4001

#: A publication that was sent again while the first one is still being stored is sent once more after so long (seconds).
_REPEAT_AFTER = 0.25
#: Responses are on their way for a while after their time is up (seconds).
_REPLIES_GRACE = 10.0
#: A subscription that the server cannot take at the moment is asked for again after so long (seconds).
_SUBSCRIBE_AFTER = 1.0


class Core:
    """What a client knows and decides. Methods take `now`, seconds of any clock that never goes back; after each of them
    take the effects with `poll_effect` until there is none, and call `handle_time` at `poll_time`."""

    def __init__(self, settings: Settings, credential: Credential, random: Random) -> None:
        self._settings = settings
        self._credential = credential
        self._backoff = Backoff(settings.backoff_min, settings.backoff_max, random)
        self._refresh_backoff = Backoff(1.0, settings.backoff_max, random)
        self._key_prefix = f"{random.getrandbits(80):020x}"
        self._timers = Timers()
        self._requests = Requests()
        self._subscriptions = Subscriptions()
        self._effects: Deque[Effect] = deque()
        self._state = State.CONNECTING
        self._error: Optional[AntiphonError] = None
        self._identity: Optional[str] = None
        self._last_id = 0
        self._connection = 0
        self._connected = False
        self._attempted_with: Optional[str] = None
        self._was_online = False
        self._said_close: Optional[wire.Close] = None
        self._last_heard = 0.0
        self._authenticating: Dict[int, Token] = {}
        self._change_connection = False

    # What a driver looks at.

    @property
    def state(self) -> State:
        """Where the client stands."""
        return self._state

    @property
    def error(self) -> Optional[AntiphonError]:
        """Why it is closed."""
        return self._error

    @property
    def identity(self) -> Optional[str]:
        """Who the server says that this client is, once it did."""
        return self._identity

    def poll_effect(self) -> Optional[Effect]:
        """The next thing to do."""
        return self._effects.popleft() if self._effects else None

    def poll_time(self) -> Optional[float]:
        """When `handle_time` has something to do."""
        return self._timers.next()

    # What users ask for.

    def start(self, now: float) -> None:
        """Begins to connect."""
        self._begin(now)

    def close(self, now: float) -> None:
        """Ends everything."""
        self._end(ClosedError("the client was closed"), None)

    def abort(self, error: AntiphonError) -> None:
        """Ends everything with this error."""
        self._end(error, error)

    def publish(self, channel: ChannelKey, members: Mapping[str, Any], now: float) -> int:
        """Publishes. Gives the number of the request."""
        id = self._last_id + 1
        keyed = {**channel.members(), **members, "idempotency_key": f"{self._key_prefix}-{id}"}
        return self._request(Kind.PUBLISH, keyed, self._settings.request_timeout, now)

    def broadcast(self, channel: ChannelKey, members: Mapping[str, Any], timeout: float, now: float) -> int:
        """Broadcasts, and collects replies for `timeout` seconds. Gives the number of the request."""
        timed = {**channel.members(), **members, "timeout": round(timeout * 1000)}
        # Until there is a connection it waits like others.
        time = timeout + _REPLIES_GRACE + (0.0 if self._state is State.ONLINE else self._settings.request_timeout)
        return self._request(Kind.BROADCAST, timed, time, now)

    def reply(self, channel: ChannelKey, to: int, payload: Any, now: float) -> int:
        """Replies to the broadcast at the position `to`. Gives the number of the request."""
        members = {**channel.members(), "to": str(to), **wire.payload_members(payload)}
        return self._request(Kind.REPLY, members, self._settings.request_timeout, now)

    def history(self, channel: ChannelKey, members: Mapping[str, Any], now: float) -> int:
        """Asks for what a channel has kept. Gives the number of the request."""
        return self._request(Kind.HISTORY, {**channel.members(), **members}, self._settings.request_timeout, now)

    def presence(self, channel: ChannelKey, now: float) -> int:
        """Asks who is there. Gives the number of the request."""
        return self._request(Kind.PRESENCE, channel.members(), self._settings.request_timeout, now)

    def give_up(self, request: int, now: float) -> None:
        """Nobody waits for the request any more."""
        if self._requests.take(request) is not None:
            self._handle_room(now)

    def listen(self, channel: ChannelKey, event: Optional[str], since: Optional[int], now: float) -> int:
        """Adds a listener for messages of this name, or all. Gives its number."""
        self._raise_if_closed()
        id = self._new_id()
        effects, unsubscribe = self._subscriptions.add(id, channel, event, since)
        self._effects.extend(effects)
        if not effects:
            self._timers.add(Due.LISTENER, id, now + self._settings.request_timeout)
        for other in unsubscribe:
            self._unsubscribe(other)
        self._subscribe()
        return id

    def unlisten(self, listener: int, now: float) -> None:
        """Removes a listener. Its last one ends the subscription."""
        channel = self._subscriptions.remove(listener)
        if channel is not None:
            self._unsubscribe(channel)

    # What the network says. Events of connections that were given up on are passed over.

    def handle_connected(self, connection: int, now: float) -> None:
        """The WebSocket is open."""
        if connection == self._connection:
            self._connected = True
            self._last_heard = now

    def handle_text(self, connection: int, text: str, now: float) -> Optional[str]:
        """A message came. Gives what is wrong with it if it is none of the protocol; it is passed over then."""
        if connection != self._connection or not self._connected:
            return None
        self._last_heard = now
        self._timers.stop(Timer.LOST)
        try:
            message = wire.decode(text)
            self._handle_message(message, now)
        except wire.DecodeError as error:
            return str(error)
        return None

    def handle_disconnected(self, connection: int, code: Optional[int], reason: str, now: float) -> None:
        """The WebSocket is closed, with the code and reason of a close frame if there was one."""
        if connection != self._connection:
            return
        said, self._said_close = self._said_close, None
        reason = reason or (said.reason if said else "")
        error = ConnectionLostError(_broke_off(code, reason), code, reason)
        if code == _TOO_LONG:
            self._fail_largest(reason)
        elif code == _EXPIRED:
            refused = UnauthorizedError("unauthorized", 401, "Unauthorized", reason or "the credential has expired")
            if not self._credential.handle_refused() and self._credential.source is not Source.FETCHED:
                return self._end(refused, refused)
        elif code in _FINAL_CODES or (said is not None and not said.reconnect):
            return self._end(error, error)
        self._lose(error, now)

    def handle_refused(self, connection: int, problem: ProblemError, now: float) -> None:
        """The server answered the handshake with an HTTP error."""
        if connection != self._connection:
            return
        if problem.status == 401:
            if not self._credential.handle_refused():
                return self._end(problem, problem)
        elif problem.status == 403 or (not self._was_online and _is_final(problem.status)):
            return self._end(problem, problem)
        self._lose(problem, now)

    def handle_unreachable(self, connection: int, error: AntiphonError, now: float) -> None:
        """The WebSocket could not be opened."""
        if connection == self._connection:
            self._lose(error, now)

    def handle_token(self, token: Token, now: float) -> None:
        """The token that was to be fetched."""
        if self._state is State.CLOSED:
            return
        waiting = self._credential.fetching and self._waits_for_token()
        self._credential.fetching = False
        self._refresh_backoff.reset()
        due = self._credential.set(token, now)
        if due is not None:
            self._timers.set(Timer.REFRESH, due)
        if self._state is State.ONLINE:
            self._authenticate(token)
        elif waiting:
            self._attempt(now)

    def handle_token_failed(self, error: AntiphonError, now: float) -> None:
        """There is no token."""
        if self._state is State.CLOSED:
            return
        waiting = self._waits_for_token()
        self._credential.fetching = False
        if isinstance(error, UnauthorizedError) and self._credential.refreshable is not None:
            # The old one is good for nothing any more; whoever may log in gets a new one.
            self._credential.handle_refused()
            return self._fetch()
        final = isinstance(error, ProblemError) and _is_final(error.status)
        if isinstance(error, UnauthorizedError) or (final and not self._was_online):
            return self._end(error, error)
        if waiting:
            return self._lose(error, now)
        self._timers.set(Timer.REFRESH, now + self._refresh_backoff.handle_failure(now))

    # Time.

    def handle_time(self, now: float) -> None:
        """Does what is due."""
        while True:
            timer = self._timers.take_due(now)
            if timer is None:
                break
            self._handle_timer(timer, now)
        while True:
            due = self._timers.take_due_of_requests(now)
            if due is None:
                return
            self._handle_due(*due, now)

    def _handle_timer(self, timer: Timer, now: float) -> None:
        if timer is Timer.RECONNECT:
            self._begin(now)
        elif timer is Timer.ATTEMPT:
            self._disconnect()
            self._lose(UnreachableError("the server did not answer in time"), now)
        elif timer is Timer.SILENCE:
            self._handle_silence(now)
        elif timer is Timer.LOST:
            self._disconnect()
            self._lose(ConnectionLostError("the server gave no sign of life"), now)
        elif timer is Timer.REFRESH:
            self._fetch()
        elif timer is Timer.SUBSCRIBE:
            self._subscribe()

    def _handle_silence(self, now: float) -> None:
        silent_until = self._last_heard + self._settings.heartbeat_interval
        if now < silent_until:
            return self._timers.set(Timer.SILENCE, silent_until)
        if not self._timers.is_set(Timer.LOST):
            self._effects.append(Send(wire.encode("ping", None, {})))
            self._timers.set(Timer.LOST, now + self._settings.heartbeat_timeout)
        self._timers.set(Timer.SILENCE, now + self._settings.heartbeat_interval)

    def _handle_due(self, due: Due, id: int, now: float) -> None:
        if due is Due.REPEAT:
            request = self._requests.find(id)
            if request is not None and not request.sent and self._state is State.ONLINE:
                self._send(request)
            return
        if due is Due.REQUEST:
            late = self._requests.take(id)
            if late is not None:
                what = "an answer" if late.sent else "a connection"
                self._effects.append(Fail(id, RequestTimeoutError(f"the {late.kind.value} did not get {what} in time")))
                self._handle_room(now)
            return
        if self._subscriptions.waits(id):
            self.unlisten(id, now)
            self._effects.append(EndListener(id, RequestTimeoutError("the subscription was not answered in time")))

    # The way to a connection.

    def _begin(self, now: float) -> None:
        self._timers.stop(Timer.RECONNECT)
        if self._credential.is_missing(now):
            return self._fetch()
        self._attempt(now)

    def _waits_for_token(self) -> bool:
        """Whether the next attempt begins when the token is there, not at a time."""
        attempts = self._connected or self._timers.is_set(Timer.ATTEMPT) or self._timers.is_set(Timer.RECONNECT)
        return not attempts

    def _fetch(self) -> None:
        if not self._credential.fetching:
            self._credential.fetching = True
            self._effects.append(FetchToken(self._credential.refreshable))

    def _attempt(self, now: float) -> None:
        self._connection += 1
        self._attempted_with = self._credential.text
        self._timers.set(Timer.ATTEMPT, now + self._settings.attempt_timeout)
        self._effects.append(Connect(self._connection, self._attempted_with))

    def _handle_open(self, opened: wire.Open, now: float) -> None:
        self._timers.stop(Timer.ATTEMPT)
        self._timers.set(Timer.SILENCE, now + self._settings.heartbeat_interval)
        self._backoff.handle_open(now)
        self._credential.handle_accepted()
        self._state = State.ONLINE
        self._was_online = True
        self._identity = opened.identity
        self._effects.append(StateChanged(State.ONLINE))
        # The first request of all, so that what was missed comes before what the repeated requests cause.
        self._subscribe()
        for request in self._requests.sendable():
            self._send(request)
        if self._credential.token is not None and self._credential.text != self._attempted_with:
            # Another one came while the connection was being opened.
            self._authenticate(self._credential.token)

    def _disconnect(self) -> None:
        self._effects.append(Disconnect(self._connection))
        self._connection += 1
        self._connected = False

    def _lose(self, error: AntiphonError, now: float) -> None:
        """The connection, or the attempt, is over: fails what cannot wait for the next, and sets out for it."""
        retry_after = error.retry_after if isinstance(error, ProblemError) else None
        delay = max(self._backoff.handle_failure(now), min(retry_after or 0.0, self._settings.backoff_max))
        self._leave(error)
        self._effects.append(StateChanged(State.CONNECTING, error, delay))
        self._timers.set(Timer.RECONNECT, now + delay)

    def _leave(self, error: AntiphonError) -> None:
        self._state = State.CONNECTING
        self._connected = False
        self._change_connection = False
        self._said_close = None
        self._authenticating.clear()
        self._timers.stop(Timer.ATTEMPT, Timer.SILENCE, Timer.LOST, Timer.SUBSCRIBE)
        self._subscriptions.handle_lost()
        code = error.code if isinstance(error, ConnectionLostError) else None
        reason = error.reason if isinstance(error, ConnectionLostError) else str(error)
        for request in self._requests.take_lost():
            self._effects.append(Fail(request.id, request.interrupted(code, reason)))

    def _end(self, error: AntiphonError, why: Optional[AntiphonError]) -> None:
        if self._state is State.CLOSED:
            return
        self._disconnect()
        self._state = State.CLOSED
        self._error = error
        self._timers.stop_all()
        for request in self._requests:
            self._requests.take(request.id)
            self._effects.append(Fail(request.id, error))
        self._effects.extend(self._subscriptions.end_all(error))
        self._effects.append(StateChanged(State.CLOSED, why))

    def _raise_if_closed(self) -> None:
        if self._error is not None:
            raise self._error

    # Tokens on a connection that is open.

    def _authenticate(self, token: Token) -> None:
        id = self._new_id()
        self._authenticating[id] = token
        self._effects.append(Send(wire.encode("authenticate", id, {"token": token.text})))

    def _change_connection_if_wanted(self, now: float) -> None:
        """Comes back with another token where the server does not take it on this connection, when that interrupts nothing."""
        if self._change_connection and self._state is State.ONLINE and not self._requests.any_interruptible():
            self._disconnect()
            self._leave(ConnectionLostError("another token needs another connection"))
            self._effects.append(StateChanged(State.CONNECTING, None, 0.0))
            self._begin(now)

    # Messages.

    def _handle_message(self, message: wire.Incoming, now: float) -> None:
        if isinstance(message, wire.Open):
            if self._state is State.CONNECTING:
                self._handle_open(message, now)
        elif self._state is not State.ONLINE:
            return
        elif isinstance(message, wire.Publication):
            self._effects.extend(self._subscriptions.handle_publication(message))
        elif isinstance(message, wire.Ok):
            self._handle_ok(message, now)
        elif isinstance(message, wire.Refused):
            self._handle_error(message, now)
        elif isinstance(message, wire.Reply):
            request = self._requests.find(message.id)
            if request is not None and request.kind is Kind.BROADCAST:
                request.replies.append(message)
        elif isinstance(message, wire.RepliesEnd):
            self._handle_replies_end(message, now)
        elif isinstance(message, wire.GapTold):
            self._effects.extend(self._subscriptions.handle_gap(message))
        elif isinstance(message, wire.Close):
            self._said_close = message

    def _handle_ok(self, ok: wire.Ok, now: float) -> None:
        if self._authenticating.pop(ok.id, None) is not None:
            return self._credential.handle_accepted()
        request = self._requests.find(ok.id)
        try:
            if request is None:
                return self._effects.extend(self._subscriptions.handle_ok(ok.id, ok.members))
            if request.kind is Kind.BROADCAST:
                request.position = str(ok.members["position"])
                return
            result = result_of(request, ok.members)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise wire.DecodeError(f"an answer is malformed: {error!r}") from error
        self._requests.take(ok.id)
        self._effects.append(Resolve(ok.id, result))
        self._handle_room(now)

    def _handle_replies_end(self, end: wire.RepliesEnd, now: float) -> None:
        request = self._requests.take(end.id)
        if request is None:
            return
        collected = Collected(request.position or "", request.replies, end.complete, request.not_kept)
        self._effects.append(Resolve(end.id, collected))
        self._handle_room(now)

    def _handle_error(self, refused: wire.Refused, now: float) -> None:
        error = refused.error
        if refused.id is None:
            return
        if self._authenticating.pop(refused.id, None) is not None:
            self._change_connection = True
            return self._change_connection_if_wanted(now)
        request = self._requests.find(refused.id)
        if request is None:
            return self._handle_subscribe_refused(refused.id, error, now)
        if request.kind is Kind.BROADCAST and request.position is not None:
            # It is out, and only not kept: the collection goes on.
            request.not_kept = error
            return
        if request.repeated and error.type == "closing":
            # The next connection takes it.
            request.sent = False
            return
        if request.kind is Kind.PUBLISH and request.times_sent > 1 and error.status == 409:
            # The first one is on its way to the disk.
            request.sent = False
            return self._timers.add(Due.REPEAT, request.id, now + _REPEAT_AFTER)
        self._requests.take(request.id)
        self._effects.append(Fail(request.id, error))
        self._handle_room(now)

    # Subscriptions.

    def _subscribe(self) -> None:
        """Asks for all that is not asked for on this connection."""
        if self._state is not State.ONLINE or self._timers.is_set(Timer.SUBSCRIBE):
            return
        for wants in self._subscriptions.wants():
            self._send_subscribe(wants)

    def _send_subscribe(self, wants: List[Dict[str, Any]]) -> None:
        id = self._new_id()
        self._subscriptions.handle_asked(id, wants)
        self._effects.append(Send(wire.encode("subscribe", id, {"channels": wants})))

    def _unsubscribe(self, channel: ChannelKey) -> None:
        if self._state is State.ONLINE:
            self._effects.append(Send(wire.encode("unsubscribe", None, {"channels": [channel.members()]})))

    def _handle_subscribe_refused(self, id: int, error: ProblemError, now: float) -> None:
        """A `subscribe` is all or nothing: ends what is to blame, and asks for the rest again."""
        refused = self._subscriptions.asked(id)
        if not refused:
            return
        for subscription in refused:
            self._subscriptions.set_idle(subscription)
        if error.type == "closing":
            return
        if isinstance(error, UnavailableError) or error.status == 429:
            # Whoever heard the channel before can wait; who asks for the first time is told.
            for subscription in refused:
                if not subscription.established:
                    self._effects.extend(self._subscriptions.end(subscription, error))
            return self._timers.set(Timer.SUBSCRIBE, now + _SUBSCRIBE_AFTER)
        blamed = refused if len(refused) == 1 else [s for s in refused if _names(error, s)]
        for subscription in blamed:
            self._effects.extend(self._subscriptions.end(subscription, error))
        if blamed:
            return self._subscribe()
        for wants in self._subscriptions.wants():
            for want in wants:
                self._send_subscribe([want])

    # Requests.

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _request(self, kind: Kind, members: Mapping[str, Any], time: float, now: float) -> int:
        self._raise_if_closed()
        # Encoded first: what cannot be has no number.
        text = wire.encode(kind.value, self._last_id + 1, members)
        self._raise_if_too_much(text)
        request = Request(self._new_id(), kind, text)
        self._requests.add(request)
        self._timers.add(Due.REQUEST, request.id, now + time)
        if self._state is State.ONLINE and self._requests.may_send(kind):
            self._send(request)
        return request.id

    def _raise_if_too_much(self, text: str) -> None:
        most = self._settings.message_bytes_max
        if len(text) > most or len(text.encode()) > most:
            raise TooLargeError("too-large", 413, "Too large", f"a message has at most {most} bytes")
        waiting = self._requests
        if len(waiting) >= self._settings.queue_max or waiting.length + len(text) > self._settings.queue_bytes_max:
            raise QueueFullError(f"{len(waiting)} requests wait for their answers")

    def _send(self, request: Request) -> None:
        self._requests.handle_sent(request)
        self._effects.append(Send(request.text))

    def _handle_room(self, now: float) -> None:
        """A request is done: what it held up can go on."""
        if self._state is not State.ONLINE:
            return
        waiting = self._requests.next_broadcast()
        if waiting is not None:
            self._send(waiting)
        self._change_connection_if_wanted(now)

    def _fail_largest(self, reason: str) -> None:
        """The server closed because of a message too long for it: that was the longest, or the next one to be blamed."""
        largest = self._requests.take_largest_sent()
        if largest is not None:
            detail = reason or "the message is longer than the server takes"
            self._effects.append(Fail(largest.id, TooLargeError("too-large", 413, "Too large", detail)))


def _is_final(status: int) -> bool:
    """Whether the same request would get the same answer."""
    return 400 <= status < 500 and status not in (408, 425, 429)


def _names(error: ProblemError, subscription: Subscription) -> bool:
    return ChannelKey(error.channel or "", error.system, error.consumer) == subscription.channel


def _broke_off(code: Optional[int], reason: str) -> str:
    said = f" ({code} {reason}".rstrip() + ")" if code is not None else ""
    return f"the connection broke off{said}"
